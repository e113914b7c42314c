"""Chunks side by side: order, bounds, ends."""

import threading
from concurrent.futures import Future
from itertools import count, islice

import pytest

from facekit import parallel
from facekit.parallel import in_chunks

PATIENCE = 60  # seconds until a test that hangs is given up; nothing is measured


def doubled(chunk, _threads):
    return [2 * item for item in chunk]


def sizes_of(items, size, workers):
    """Sizes of the chunks that work is called with, in the order of their items."""
    seen = {}

    def work(chunk, _threads):
        seen[chunk[0]] = len(chunk)
        return chunk

    assert list(in_chunks(work, items, size, workers)) == list(items)
    return [seen[first] for first in sorted(seen)]


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("size", [1, 3, 7])
@pytest.mark.parametrize("total", [1, 2, 6, 7, 8, 20, 21, 100])
def test_every_result_comes_once_and_in_order(total, size, workers):
    made = in_chunks(doubled, iter(range(total)), size, workers)
    assert list(made) == [2 * item for item in range(total)]


def test_a_chunk_that_ends_late_does_not_lose_its_place():
    others = threading.Semaphore(0)

    def work(chunk, _threads):
        if chunk == [0]:
            for _ in range(3):
                assert others.acquire(timeout=PATIENCE)
        else:
            others.release()
        return chunk

    assert list(in_chunks(work, range(4), 1, 2)) == [0, 1, 2, 3]


@pytest.mark.parametrize(("size", "workers"), [(1, 1), (4, 1), (1, 2), (5, 3)])
def test_a_long_stream_is_read_at_most_two_chunks_a_worker_ahead(size, workers):
    read = 0

    def source():
        nonlocal read
        for item in range(1_000_000):
            read += 1
            yield item

    made = in_chunks(doubled, source(), size, workers)
    for given, result in enumerate(islice(made, 200)):
        assert result == 2 * given
        assert read - given <= 2 * size * workers
    made.close()
    assert read <= 200 + 2 * size * workers


def test_nothing_is_read_before_the_first_result_is_asked_for():
    def source():
        raise AssertionError("read")
        yield

    in_chunks(doubled, source(), 2, 2)


class Immediate:
    """An executor whose work is done when it is submitted."""

    def __init__(self, *_args, **_options):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def submit(self, work, *arguments):
        future = Future()
        future.set_result(work(*arguments))
        return future


def test_what_is_ready_is_not_held_back_by_a_slow_source(monkeypatch):
    monkeypatch.setattr(parallel, "ThreadPoolExecutor", Immediate)
    read = count()
    made = in_chunks(doubled, (next(read) for _ in range(1000)), 1, 4)
    for given in range(20):
        assert next(made) == 2 * given
    assert next(read) == 20


def test_an_error_in_the_work_comes_out_in_its_place():
    begun = []

    def work(chunk, _threads):
        begun.append(chunk)
        if 6 in chunk:
            raise ValueError("broken")
        return chunk

    made = in_chunks(work, range(10_000), 2, 2)
    with pytest.raises(ValueError, match="broken"):
        list(made)
    assert list(made) == []
    assert len(begun) < 20


def test_results_before_an_error_are_given():
    def work(chunk, _threads):
        if 6 in chunk:
            raise ValueError("broken")
        return chunk

    made = in_chunks(work, range(100), 2, 2)
    assert list(islice(made, 6)) == [0, 1, 2, 3, 4, 5]
    with pytest.raises(ValueError, match="broken"):
        next(made)


def test_an_error_of_the_source_comes_out():
    def source():
        yield from range(9)
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        list(in_chunks(doubled, source(), 1, 2))


def test_a_consumer_that_stops_drops_what_has_not_begun(monkeypatch):
    futures = []

    class Busy(Immediate):
        """Only the first chunk is ever worked on, once four are there."""

        def submit(self, *_):
            futures.append(Future())
            if len(futures) == 4:
                futures[0].set_result([0])
            return futures[-1]

    monkeypatch.setattr(parallel, "ThreadPoolExecutor", Busy)
    made = in_chunks(doubled, range(1000), 1, 2)
    assert next(made) == 0
    made.close()
    assert [future.cancelled() for future in futures] == [False, True, True, True]


def test_a_consumer_that_stops_leaves_no_thread():
    made = in_chunks(doubled, range(1000), 1, 3)
    assert next(made) == 0
    assert [t for t in threading.enumerate() if t.name.startswith("facekit")]
    made.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("facekit")]


@pytest.mark.parametrize("workers", [1, 4])
def test_an_empty_input_gives_nothing_and_calls_nothing(workers):
    def work(*_):
        raise AssertionError("called")

    assert list(in_chunks(work, [], 8, workers)) == []


def test_a_single_chunk_runs_in_the_callers_thread_with_all_threads():
    calls = []

    def work(chunk, threads):
        calls.append((threading.current_thread(), threads, chunk))
        return chunk

    assert list(in_chunks(work, ["one"], 8, 6)) == ["one"]
    assert calls == [(threading.current_thread(), 6, ["one"])]


def test_one_worker_stays_in_the_callers_thread():
    calls = []

    def work(chunk, threads):
        calls.append((threading.current_thread(), threads))
        return chunk

    assert list(in_chunks(work, range(9), 2, 1)) == list(range(9))
    assert set(calls) == {(threading.current_thread(), 1)}
    assert len(calls) == 5


def test_workers_run_side_by_side_with_one_thread_each():
    together = threading.Barrier(3)
    calls = set()

    def work(chunk, threads):
        together.wait(PATIENCE)
        calls.add((threading.current_thread(), threads))
        return chunk

    assert list(in_chunks(work, range(3), 1, 3)) == [0, 1, 2]
    assert len(calls) == 3
    assert {threads for _, threads in calls} == {1}
    assert threading.current_thread() not in {thread for thread, _ in calls}


@pytest.mark.parametrize(
    ("total", "size", "workers", "sizes"),
    [
        (2, 32, 2, [1, 1]),
        (5, 32, 4, [2, 2, 1]),
        (32, 32, 2, [16, 16]),
        (33, 32, 2, [17, 16]),
        (63, 32, 2, [32, 31]),
        (64, 32, 2, [32, 32]),
        (65, 32, 2, [32, 32, 1]),
        (10, 4, 1, [4, 4, 2]),
    ],
)
def test_short_inputs_are_shared_out(total, size, workers, sizes):
    assert sizes_of(range(total), size, workers) == sizes
