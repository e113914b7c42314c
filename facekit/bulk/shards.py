"""One shard -> one Parquet file, the same on every machine that makes it."""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from facekit import extras
from facekit.bulk.files import in_place
from facekit.bulk.plan import Plan, Shard
from facekit.bulk.rows import Counts, count, rows
from facekit.errors import BulkError
from facekit.gallery import transfer
from facekit.pipeline import FaceKit

_COUNTS = b"facekit_shard"  # key in a file's metadata


class Job(NamedTuple):
    """All that it takes to make a shard, anywhere.

    Attributes
    ----------
    out : str
        Folder of the shards, absolute.
    header : str
        The pipeline, JSON, as exported galleries carry it.
    pipeline : str
        Arguments of ``FaceKit``, JSON.
    batch_size : int
    """

    out: str
    header: str
    pipeline: str
    batch_size: int


def job_of(plan: Plan) -> Job:
    """The job of a plan."""
    recipe = plan.recipe
    return Job(
        str(plan.folder.parent),
        json.dumps(transfer.header(recipe.origin)),
        json.dumps(recipe.pipeline),
        recipe.batch_size,
    )


@cache
def kit_of(job: Job) -> FaceKit:
    """The pipeline of a job; one a process.

    It has one thread, and so has each of its networks: how many photos go through them
    together, and in which order sums are taken, is then the same on every machine.

    Raises
    ------
    BulkError
        When the weights of this machine give other vectors.
    WeightsUnavailable
    """
    kit = FaceKit(**json.loads(job.pipeline), threads=1, batch_size=job.batch_size)
    kit.have_weights()
    wanted = json.loads(job.header)["fingerprint"]
    if kit.fingerprint != wanted:
        raise BulkError(
            f"{socket.gethostname()} has other weights, or another version of facekit, than the "
            f"machine where this began ({kit.fingerprint}, not {wanted}).",
            "Bring all machines to the same.",
        )
    return kit


def path_of(job: Job, number: int) -> Path:
    """Where a shard's file belongs."""
    return Path(job.out) / f"shard-{number:06}.parquet"


def done(job: Job, number: int) -> Counts | None:
    """What a shard's file holds; None when there is none, or none that can be read.

    Raises
    ------
    BulkError
        When it is there, but another pipeline made it.
    """
    path = path_of(job, number)
    arrow = extras.load("pyarrow", "A shard")
    try:
        said = extras.load("pyarrow.parquet", "A shard").read_schema(path).metadata or {}
        counts = Counts(**json.loads(said[_COUNTS]))
        origin = json.loads(said[b"facekit"])
    except (OSError, KeyError, TypeError, ValueError, arrow.ArrowException):
        return None
    if origin["fingerprint"] != json.loads(job.header)["fingerprint"]:
        raise BulkError(
            f"{path} was made by another pipeline than its plan says.", "Move it away, and go on."
        )
    return counts


def write(job: Job, number: int, made: Sequence[dict[str, Any]], photos: int) -> Counts:
    """Put a shard's file in place: its rows, from so many photos.

    Raises
    ------
    BulkError
        When it cannot be written.
    """
    arrow = extras.load("pyarrow", "A shard")
    counts = count(made, photos)
    schema = transfer.parquet_schema(json.loads(job.header))
    for name in ("status", "reason"):
        schema = schema.append(arrow.field(name, arrow.string()))
    said = {**schema.metadata, _COUNTS: json.dumps(asdict(counts))}
    table = arrow.Table.from_pylist(list(made), schema.with_metadata(said))
    with in_place(path_of(job, number)) as aside:
        extras.load("pyarrow.parquet", "A shard").write_table(table, aside)
    return counts


def make(job: Job, shard: Shard) -> Counts:
    """Embed a shard's photos and put its file in place, unless it is there.

    Raises
    ------
    BulkError, WeightsUnavailable
    """
    if (counts := done(job, shard.number)) is not None:
        return counts  # whoever made it was lost before saying so
    kit = kit_of(job)
    made: list[dict[str, Any]] = []
    photos = iter(shard.photos())
    while group := list(islice(photos, job.batch_size)):
        made += rows(kit, group)
    return write(job, shard.number, made, len(shard.lines))
