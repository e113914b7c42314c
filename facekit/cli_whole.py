"""The shell's commands on whole galleries: ``copy`` and ``index``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from facekit.cli_arguments import typed
from facekit.cli_job import Job, render
from facekit.cli_kept import on_gallery, place_of
from facekit.errors import InvalidArgument


@typed
def copy(source: str, target: str, *, dtype: str | None = None, pretty: bool | None = None):
    """Copy all that a gallery holds into another, which is made if need be.

    Faces keep their order. What the target has already is left as it is, so a copy that was
    interrupted goes on where it was.

    Args:
        source: Folder or URL of a gallery.
        target: Folder or URL of another.
        dtype: Of a new target: float32, int16 or float16; by default the source's if the
            target can keep it, else float32.
        pretty: Text for people instead of JSON; chosen by itself on a terminal.
    """

    def make():
        from facekit import progress
        from facekit.gallery import copying, places

        with places.opened(source) as old:
            kind = dtype or old.info()["dtype"]
            if dtype is None and kind not in places.dtypes(target):
                kind = "float32"  # nothing is lost
            with places.made(target, old.origin, kind) as new:
                return asdict(copying.copy(old, new, progress.bar("Copying", unit="faces")))

    return Job(make, render("facts"), pretty)


@typed
def index(
    *,
    gallery: str | None = None,
    recall: float = 0.99,
    metric: str = "cosine",
    ef: int | None = None,
    remove: bool = False,
    pretty: bool | None = None,
):
    """Make an index for faster searches of a large gallery, of a recall that is measured.

    Searches stay exact unless they are given `--recall`. A folder's index goes when a face is
    removed.

    Args:
        gallery: Folder or URL of the gallery.
        recall: Share of the nearest faces that it must find.
        metric: Of a database: euclidean; or cosine, which is for euclidean_l2 and angular too.
        ef: Of a database: candidates that a search keeps; more find more, slower. By default
            as many as the recall takes.
        remove: Delete the index instead.
        pretty: Text for people instead of JSON; chosen by itself on a terminal.
    """

    def work(kept: Any) -> dict[str, Any]:
        from facekit.gallery import places

        if remove:
            return {"removed": kept.remove_index()}
        if places.is_database(place_of(gallery)):
            return kept.make_index(metric, ef, recall)
        if metric == "euclidean" or ef is not None:
            raise InvalidArgument(
                "A folder's index is for cosine, euclidean_l2 and angular, and chooses its effort.",
                "Leave out metric and ef.",
            )
        return kept.make_index(recall)

    return on_gallery(gallery, work, "indexed", pretty)


COMMANDS: dict[str, Any] = {"copy": copy, "index": index}
