"""The shell's commands about databases: ``facekit gallery copy`` and ``facekit gallery index``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from facekit.cli_arguments import typed
from facekit.cli_job import Job, render
from facekit.errors import InvalidArgument


@typed
def copy(source: str, target: str, *, dtype: str | None = None, pretty: bool | None = None):
    """Copy all that a gallery holds into another, which is made if need be.

    Faces keep their order. What the target has already is left as it is, so a copy that was
    interrupted goes on where it was.

    Args:
        source: Folder or URL of a gallery.
        target: Folder or URL of another.
        dtype: float32 or float16, of a new target; by default the source's.
        pretty: Text for people instead of JSON; chosen by itself on a terminal.
    """

    def make():
        from facekit import progress
        from facekit.gallery import copying, places

        with places.opened(source) as old:
            kind = dtype or old.info()["dtype"]
            with places.made(target, old.origin, kind) as new:
                return asdict(copying.copy(old, new, progress.bar("Copying", unit="faces")))

    return Job(make, render("facts"), pretty)


@typed
def index(
    *,
    gallery: str | None = None,
    metric: str = "cosine",
    ef: int | None = None,
    drop: bool = False,
    pretty: bool | None = None,
):
    """Make a database's approximate index and measure how much it finds.

    Searches stay exact. Those of a gallery whose URL ends in index=hnsw use the index.

    Args:
        gallery: URL of the gallery.
        metric: euclidean; or cosine, which is for euclidean_l2 and angular too.
        ef: Candidates that a search keeps while the recall is measured: more find more, slower.
        drop: Remove the index instead.
        pretty: Text for people instead of JSON; chosen by itself on a terminal.
    """

    def make():
        from facekit.gallery import places

        if gallery is None:
            raise InvalidArgument("No gallery was named.", "Name its URL with --gallery.")
        kept: Any
        with places.opened(gallery) as kept:
            if not hasattr(kept, "make_index"):
                raise InvalidArgument(
                    f"{places.shown(gallery)} has no index to choose.", "Only databases have one."
                )
            if drop:
                return {"dropped": kept.drop_index()}
            return kept.make_index(metric, ef)

    return Job(make, render("facts"), pretty)


COMMANDS: dict[str, Any] = {"copy": copy, "index": index}
