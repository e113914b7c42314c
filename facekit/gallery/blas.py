"""Matrix products on one thread a call, while a search spreads over the cores by itself.

Many short products on several threads each would spend more time waiting for each other
than multiplying: twice as long on two idle cores, ten times on busy ones.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

_lock = threading.Lock()
_users = 0
_limit = ExitStack()


@contextmanager
def one_thread_a_call() -> Iterator[None]:
    """Limit BLAS for as long as anybody in this process is in here."""
    global _users
    with _lock:
        if _users == 0:
            _limit.enter_context(_controller().limit(limits=1, user_api="blas"))
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            # Only the last one out: who came second would restore the first one's limit.
            if _users == 0:
                _limit.close()


@cache
def _controller() -> ThreadpoolController:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()  # looks through the loaded libraries: once
