"""Shards on this machine: all its cores work on the photos of one shard after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from facekit.bulk import shards
from facekit.bulk.listing import Listed
from facekit.bulk.plan import Shard
from facekit.bulk.rows import Counts, rows
from facekit.bulk.shards import Job
from facekit.parallel import in_chunks
from facekit.runtime import cpu_count

Batch = tuple[Shard, list[Listed], bool]  # of a shard; whether it is its last


def run(
    todo: Iterable[Shard], job: Job, threads: int | None, done: Callable[[int], None]
) -> Iterator[Counts]:
    """Make shards; what each holds, as its file is in place.

    A batch is the unit of work: a last shard, or an only one, keeps all cores busy too.

    Parameters
    ----------
    todo : iterable of Shard
    job : Job
    threads : int or None
        Batches that are worked on at a time; by default as many as this process has CPUs.
    done : callable
        Told how many more photos were embedded.
    """
    kit = shards.kit_of(job)

    def work(batches: list[Batch], _: int) -> list[tuple[Batch, list[dict[str, Any]]]]:
        return [(batch, list(rows(kit, batch[1]))) for batch in batches]

    made: list[dict[str, Any]] = []
    for (shard, photos, last), found in in_chunks(
        work, _batches(todo, job.batch_size), 1, threads or cpu_count()
    ):
        made += found
        if last:
            yield shards.write(job, shard.number, made, len(shard.lines))
            made = []
        done(len(photos))


def _batches(todo: Iterable[Shard], size: int) -> Iterator[Batch]:
    for shard in todo:
        photos = shard.photos()
        for start in range(0, len(photos), size):
            yield shard, photos[start : start + size], start + size >= len(photos)
