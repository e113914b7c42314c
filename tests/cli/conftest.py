"""What tests of the shell need."""

import os
import signal

import pytest


@pytest.fixture
def ctrl_c():
    """Skip where processes are started deaf to it, as a shell's background jobs are."""
    if os.name != "posix" or signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        pytest.skip("Ctrl-C does not reach processes here")
