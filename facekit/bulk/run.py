"""A collection of photos -> a folder of shards: the plan, an engine, and what came of it."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from facekit import checks, extras
from facekit.bulk import files, listing, local_engine, plan, ray_engine, shards
from facekit.bulk.progress import Progress
from facekit.bulk.rows import Counts
from facekit.errors import FaceKitError, InvalidArgument, UnknownName
from facekit.gallery.pipelines import origin_of
from facekit.pipeline import FaceKit

ENGINES = ("local", "ray")


def embed(
    input: Any,
    out: str | Path,
    *,
    engine: str = "local",
    address: str | None = None,
    threads: int | None = None,
    photos_per_shard: int | None = None,
    batch_size: int | None = None,
    silent: bool = False,
    **pipeline: Any,
) -> dict[str, Any]:
    """Embed all faces of a collection of photos of any size into Parquet files.

    The collection is cut into shards, each one file of ``out``. A file comes into place whole,
    so a run that was killed goes on where it was, and one that has nothing to do does nothing.
    Photos that were added since become new shards.

    Parameters
    ----------
    input : str, path or iterable of paths
        A folder, a pattern, a list of paths: see ``facekit.bulk.listing.photos``. Sub-folders
        are people.
    out : path
        Folder of the shards. With Ray on several machines it and the photos must lie on a file
        system that all of them see under the same path.
    engine : str
        ``local``: all cores of this machine; ``ray``: a Ray cluster. The rows are the same, to
        the last bit on CPUs of the same kind.
    address : str, optional
        Of a Ray cluster; without it Ray is started on this machine.
    threads : int, optional
        CPUs of this machine to use; by default all that this process may use. On a cluster each
        task has one CPU and one thread.
    photos_per_shard : int, optional
        1000, or what ``out`` was begun with.
    batch_size : int, optional
        Photos that go through the networks together: 32, or what ``out`` was begun with.
    silent : bool
        Show no progress on stderr.
    **pipeline
        Other arguments of ``FaceKit``: ``model_name``, ``detector_backend`` and so on.

    Returns
    -------
    dict
        ``out``; of the whole folder ``shards``, ``photos``, ``faces``, ``without_face`` and
        ``broken`` (photos); of this run ``embedded`` (photos), ``seconds``,
        ``photos_per_second``; ``failed``: for each shard that could not be made, why.

    Raises
    ------
    InvalidArgument, UnknownName
        For an argument out of range, or an input without photos.
    BulkError
        When ``out`` cannot be used: it was begun with another pipeline, another run is writing
        there, or it cannot be written.
    WeightsUnavailable, MissingDependency
    """
    if engine not in ENGINES:
        raise UnknownName("engine", engine, ENGINES)
    if address is not None and engine != "ray":
        raise InvalidArgument("An address is for the engine ray.", "Add --engine ray.")
    for name, number in (
        ("threads", threads),
        ("photos_per_shard", photos_per_shard),
        ("batch_size", batch_size),
    ):
        if number is not None:
            checks.check_count(name, number)
    extras.load("pyarrow.parquet", "embed")
    if engine == "ray":
        ray_engine.load()
    photos = listing.photos(input)
    kit = FaceKit(**pipeline)
    kit.have_weights()
    # Absolute, as are the photos' paths: other machines have other working folders.
    folder = Path(os.path.abspath(out))  # noqa: PTH100 (resolve would follow links)
    shown = Progress(silent=silent)
    with files.alone(folder, plan.FOLDER):
        files.sweep(folder)
        files.sweep(folder / plan.FOLDER)
        made = plan.opened(folder, origin_of(kit), _choices(kit), batch_size, photos_per_shard)
        made.extend(shown.listing(photos), str(input)[:200])
        if not made.photos:
            raise InvalidArgument(
                f"{str(input)[:200]} names no photo.",
                "Name the photos' folder, a pattern such as 'photos/**', or a list of paths.",
            )
        return _carried_out(made, engine, address, threads, shown)


def _carried_out(
    made: plan.Plan, engine: str, address: str | None, threads: int | None, shown: Progress
) -> dict[str, Any]:
    job = shards.job_of(made)
    before, ready, number = Counts(), set(), 0
    for number, _ in enumerate(made.shards(), 1):
        if (found := shards.done(job, number - 1)) is not None:
            before += found
            ready.add(number - 1)
    shown.begin(before.photos, made.photos)
    todo = (shard for shard in made.shards() if shard.number not in ready)
    total, failed = before, []
    if len(ready) < number:
        for result in (
            ray_engine.run(todo, job, address, threads, shown.advance)
            if engine == "ray"
            else local_engine.run(todo, job, threads, shown.advance)
        ):
            if isinstance(result, FaceKitError):
                failed.append(str(result))
            else:
                total += result
    seconds = shown.seconds
    shown.end()
    embedded = total.photos - before.photos
    return {
        "out": made.folder.parent.as_posix(),
        "shards": number,
        **asdict(total),
        "embedded": embedded,
        "seconds": round(seconds, 1) if embedded else 0,
        "photos_per_second": round(embedded / seconds, 1) if embedded else None,
        "failed": failed,
    }


def _choices(kit: FaceKit) -> dict[str, Any]:
    """The arguments of ``FaceKit`` that the rows depend on."""
    return {
        **origin_of(kit).options,
        "enforce_detection": bool(kit.enforce_detection),
        "faces": kit.faces,
        "max_faces": kit.max_faces,
    }
