"""Shards on the machines of a Ray cluster, each a task that may be done again elsewhere.

Only paths go out and only counts come back: tasks read photos and write shards themselves, in
folders that all machines see under the same path.
"""

from __future__ import annotations

import logging
import os
import re
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from facekit import extras
from facekit.bulk import shards
from facekit.bulk.plan import Shard
from facekit.bulk.rows import Counts
from facekit.bulk.shards import Job
from facekit.errors import BulkError, FaceKitError
from facekit.runtime import cpu_count

_RETRIES = 10  # of a shard whose machine or process was lost
_AHEAD = 2  # shards handed out for each CPU, so that none waits for the driver
_ANSWER = 10.0  # seconds in which the cluster must accept a connection
_HOST = re.compile(r"(?:ray://)?\[?(?P<name>[^/]+?)\]?:(?P<port>\d+)")
STORE = 100 << 20  # bytes for Ray's objects on this machine; paths and counts are few
# Ray sends statistics about its use to its makers unless told not to; the other one is a notice
# about graphics cards.
_SETTINGS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}


def run(
    todo: Iterable[Shard],
    job: Job,
    address: str | None,
    threads: int | None,
    done: Callable[[int], None],
) -> Iterator[Counts | FaceKitError]:
    """Make shards; what each holds, or why it could not be made, in the order of completion.

    Parameters
    ----------
    todo : iterable of Shard
    job : Job
        Its folder and the photos must lie on a file system that all machines share.
    address : str or None
        Of a cluster, such as ``10.0.0.1:6379`` or ``auto``; by default that of the environment
        variable RAY_ADDRESS, or a cluster of this machine alone, which ends with the run.
    threads : int or None
        CPUs of a cluster of this machine. A task takes one CPU and has one thread.
    done : callable
        Told how many more photos were embedded.

    Raises
    ------
    BulkError
        When there is no cluster at the address, or its machines cannot run facekit.
    MissingDependency
        Without Ray.
    """
    ray = load()
    with _connected(ray, address, threads):
        remote = ray.remote(num_cpus=1, max_retries=_RETRIES, scheduling_strategy="SPREAD")(_make)
        source = iter(todo)
        out: dict[Any, Shard] = {}
        while True:
            # Machines may come and go meanwhile.
            room = _AHEAD * max(1, int(ray.cluster_resources().get("CPU", 0)))
            while len(out) < room and (shard := next(source, None)) is not None:
                out[remote.remote(job, shard)] = shard
            if not out:
                return
            ready, _ = ray.wait(list(out), timeout=5)
            for reference in ready:
                shard = out.pop(reference)
                yield _outcome(ray, reference, shard)
                done(len(shard.lines))


def load() -> Any:
    """Ray, without its statistics and notices.

    Raises
    ------
    MissingDependency
    """
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    return extras.load("ray", "The engine ray")


def _make(job: Job, shard: Shard) -> Counts | FaceKitError:
    """What a task does; its mistakes are answers, Ray's retries are for lost machines."""
    try:
        return shards.make(job, shard)
    except FaceKitError as error:
        return error


def _outcome(ray: Any, reference: Any, shard: Shard) -> Counts | FaceKitError:
    try:
        found = ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, ImportError):
            raise BulkError(
                f"A machine of the cluster cannot run facekit ({error.cause}).",
                "Install the same versions of facekit and Ray on every machine.",
            ) from error
        raise
    except ray.exceptions.RayError as error:
        reason = str(error).strip().splitlines()[0]
        return BulkError(
            f"Shard {shard.number} was lost {_RETRIES + 1} times ({reason}).",
            "One of its photos may crash the process, or memory is short.",
        )
    if isinstance(found, FaceKitError):
        raise found  # it would be the same with every other shard
    return found


@contextmanager
def _connected(ray: Any, address: str | None, threads: int | None) -> Iterator[None]:
    if ray.is_initialized():
        yield  # the caller's own cluster
        return
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    place = address or os.environ.get("RAY_ADDRESS") or "local"
    own = {
        "num_cpus": threads or cpu_count(),
        "include_dashboard": False,
        "object_store_memory": STORE,
    }
    # What happens to machines Ray prints on standard output, between the answer's braces.
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        _connect(ray, place, quiet | (own if place == "local" else {}))
        try:
            yield
        finally:
            ray.shutdown()


def _connect(ray: Any, place: str, settings: dict[str, Any]) -> None:
    try:
        # Ray would try for many minutes.
        if host := _HOST.fullmatch(place):
            socket.create_connection((host["name"], int(host["port"])), _ANSWER).close()
        ray.init(address=place, **settings)
    except (OSError, RuntimeError, ValueError, OverflowError, ray.exceptions.RayError) as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise BulkError(
            f"There is no Ray cluster at {place} that can be used ({reason}).",
            "Start one with `ray start --head`, or leave the address out.",
        ) from error
