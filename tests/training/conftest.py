"""One prepared folder for all tests of a run, which nobody writes into."""

import pytest

from . import tiny


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    return tiny.prepare(tmp_path_factory.mktemp("faces") / "tiny")
