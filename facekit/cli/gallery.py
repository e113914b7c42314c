"""The shell's ``facekit gallery ...``: who is on a picture; a gallery as a file, and its facts."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from facekit.cli import enrol, people
from facekit.cli.arguments import Picture, typed
from facekit.cli.gallery_job import on_gallery, opened_at, place_of, split_words
from facekit.cli.job import EXIT_BAD_INPUT, EXIT_OK, Job, render
from facekit.errors import InvalidArgument

if TYPE_CHECKING:
    from facekit.gallery.backend import Backend


@typed
def search(
    *pictures: Picture,
    gallery: str | None = None,
    k: int = 5,
    rule: str = "best",
    top: int = 3,
    distance_metric: str = "cosine",
    threshold: float | None = None,
    far: float = 0.001,
    people: str | None = None,
    tags: str | None = None,
    since: str | None = None,
    until: str | None = None,
    recall: float | None = None,
    pretty: bool | None = None,
):
    """Say who of a gallery is on a picture, or nobody.

    Args:
        pictures: Pictures, directories or patterns.
        gallery: Folder or URL of the gallery.
        k: So many of the closest people.
        rule: A person's distance: `best` of their faces, `mean` of the closest ones, or
            `trimmed` mean of all.
        top: So many faces for the mean.
        distance_metric: cosine, euclidean, euclidean_l2 or angular.
        threshold: Own threshold on the distance.
        far: False acceptance rate of the fitted threshold, of one comparison.
        people: Only these, with commas between them.
        tags: Only faces with all of these, with commas between them.
        since: Only photos not older than this, such as 2024-05-31.
        until: Only photos not newer than this.
        recall: Search by the index of `facekit gallery index` if it finds that share of the
            nearest faces; the answer says what share it was, 1 for exact.
        pretty: Text for people instead of JSON; chosen by itself on a terminal.
    """

    def make():
        from facekit import images
        from facekit.gallery.open_set import who
        from facekit.gallery.pipelines import pipeline_of
        from facekit.gallery.records import Where

        if not pictures:
            raise InvalidArgument("No picture was named.", "Name pictures or a directory.")
        where = Where(
            people=None if people is None else split_words(people),
            tags=split_words(tags),
            since=since,
            until=until,
        )
        with opened_at(gallery) as kept:
            kit = pipeline_of(kept)
            queries = kit.probes(list(images.expand(list(pictures))))
            return list(
                who(
                    *(kit, kept, queries),
                    k=k,
                    metric=distance_metric,
                    rule=rule,
                    top=top,
                    threshold=threshold,
                    far=far,
                    where=where,
                    recall=recall,
                )
            )

    return Job(make, render("galleries.identified"), pretty, _all_failed)


@typed
def export(target: str, *, gallery: str | None = None, pretty: bool | None = None):
    """Write a gallery's faces into a file.

    Args:
        target: File; its ending .jsonl or .parquet says the form.
        gallery: Folder or URL of the gallery.
        pretty: Text for people instead of JSON; chosen by itself on a terminal.
    """

    def work(kept: Backend) -> dict[str, Any]:
        from facekit.gallery import transfer

        return {"faces": transfer.export(kept, target)}

    return on_gallery(gallery, work, "galleries.facts", pretty)


@typed
def import_faces(
    source: str,
    *,
    gallery: str | None = None,
    dtype: str = "float32",
    pretty: bool | None = None,
):
    """Put the faces of an exported file into a gallery, which is made if need be.

    Args:
        source: File that `facekit gallery export` wrote, or folder that `facekit embed` did.
        gallery: Folder or URL of the gallery.
        dtype: float32; int16 for a gallery of half the size, or float16, which is less exact.
        pretty: Text for people instead of JSON; chosen by itself on a terminal.
    """

    def make():
        from facekit.gallery import places, transfer

        place = place_of(gallery)
        with places.made(place, transfer.read_origin(source), dtype) as kept:
            return {"faces": transfer.load(kept, source)}

    return Job(make, render("galleries.facts"), pretty)


@typed
def info(*, gallery: str | None = None, pretty: bool | None = None):
    """Show what a gallery holds, and the pipeline that made it.

    Args:
        gallery: Folder or URL of the gallery.
        pretty: Text for people instead of JSON; chosen by itself on a terminal.
    """
    return on_gallery(gallery, lambda kept: kept.info(), "galleries.facts", pretty)


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

    return Job(make, render("galleries.facts"), pretty)


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

    def work(kept: Backend) -> dict[str, Any]:
        if remove:
            return {"removed": kept.remove_index()}
        return kept.make_index(recall, metric, ef)

    return on_gallery(gallery, work, "galleries.indexed", pretty)


COMMANDS = {
    "add": enrol.add,
    "search": search,
    "list": people.people_list,
    "show": people.show,
    "rename": people.rename,
    "merge": people.merge,
    "remove": people.remove,
    "forget": people.forget,
    "export": export,
    "import": import_faces,
    "info": info,
    "copy": copy,
    "index": index,
}


def _all_failed(rows: list[dict[str, Any]]) -> int:
    return EXIT_BAD_INPUT if rows and all("error" in row for row in rows) else EXIT_OK
