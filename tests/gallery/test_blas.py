"""BLAS is limited while any search runs, and as before when the last one ends."""

from threadpoolctl import threadpool_info, threadpool_limits

from facekit.gallery.blas import one_thread_a_call


def threads():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_the_last_search_restores_what_was():
    with threadpool_limits(2, user_api="blas"):
        before = threads()
        first, second = one_thread_a_call(), one_thread_a_call()
        first.__enter__()
        second.__enter__()
        assert threads() <= {1}
        first.__exit__(None, None, None)
        assert threads() <= {1}
        second.__exit__(None, None, None)
        assert threads() == before
