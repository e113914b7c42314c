"""Chunks of a stream, worked on side by side, given back in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from typing import TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")


def _chunks(items: Iterable[Item], size: int, workers: int) -> Iterator[list[Item]]:
    stream = iter(items)
    head = list(islice(stream, size * workers))
    if len(head) < size * workers:
        # A short input is shared out evenly, so that no worker is left without.
        size = max(1, -(-len(head) // workers))
    stream = chain(head, stream)
    while chunk := list(islice(stream, size)):
        yield chunk


def in_chunks(
    work: Callable[[list[Item], int], list[Made]],
    items: Iterable[Item],
    size: int,
    workers: int,
) -> Iterator[Made]:
    """Apply ``work`` to chunks of a stream and yield its results in order.

    Parameters
    ----------
    work : callable
        ``(chunk, threads) -> results``, one result an item.
    items : iterable
        Read only as fast as results are taken: at most two chunks a worker are
        ahead, so inputs that don't fit in memory are fine.
    size : int
        Items a chunk at most.
    workers : int
        Threads that work side by side. A single chunk runs in the caller's
        thread and is told to use all of them itself.

    Notes
    -----
    When the consumer stops, fails or is interrupted, chunks that have not begun
    are dropped and the running ones are waited for.
    """
    chunks = _chunks(items, size, workers)
    first = list(islice(chunks, 2))
    if workers == 1 or len(first) < 2:
        for chunk in chain(first, chunks):
            yield from work(chunk, workers)
        return
    chunks = chain(first, chunks)
    pending: deque[Future[list[Made]]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="facekit") as pool:
        try:
            for chunk in chunks:
                pending.append(pool.submit(work, chunk, 1))
                # What is ready goes out at once: a slow source is no reason to hold it back.
                while pending and (len(pending) == 2 * workers or pending[0].done()):
                    yield from pending.popleft().result()
            while pending:
                yield from pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
