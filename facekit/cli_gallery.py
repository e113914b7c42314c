"""The shell's commands that keep faces: ``facekit find`` and ``facekit gallery ...``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from facekit import zoo
from facekit.cli_arguments import Picture, typed
from facekit.cli_job import EXIT_BAD_INPUT, EXIT_OK, Job, render, without
from facekit.errors import InvalidArgument

if TYPE_CHECKING:
    from facekit.gallery.backend import Backend
    from facekit.pipeline import FaceKit


@typed
def find(
    img_path: Picture,
    db_path: str,
    *,
    model_name: str = zoo.DEFAULT_RECOGNIZER,
    distance_metric: str = "cosine",
    enforce_detection: bool = True,
    detector_backend: str = zoo.DEFAULT_DETECTOR,
    align: bool = True,
    similarity_search: bool = False,
    k: int | None = None,
    expand_percentage: float = 0,
    threshold: float | None = None,
    normalization: str | None = None,
    silent: bool = False,
    refresh_database: bool = True,
    anti_spoofing: bool = False,
    gallery: str | None = None,
    far: float = 0.001,
    faces: str = "prominent",
    max_faces: int | None = None,
    flip: bool | None = None,
    detector_options: dict | None = None,
    recall: float | None = None,
    pretty: bool | None = None,
):
    """Find the photos of a folder that show the people of a picture.

    Args:
        img_path: Picture, or a directory or pattern of many.
        db_path: Folder of photos, which is indexed at the first use, or a gallery.
        model_name: Recognizer; see `facekit models`.
        distance_metric: cosine, euclidean, euclidean_l2 or angular.
        enforce_detection: A picture without a face is an error; if false, it is compared whole.
        detector_backend: Detector, or `skip` when the pictures are faces already.
        align: Align faces by their five points.
        similarity_search: Give also faces beyond the threshold: who looks alike.
        k: At most so many photos for each face.
        expand_percentage: Widen the crops by this many percent.
        normalization: base, raw, Facenet, Facenet2018, VGGFace, VGGFace2 or ArcFace, in place
            of the network's own scaling.
        threshold: Own threshold on the distance.
        silent: No progress bar while photos are indexed.
        refresh_database: Look for new, changed and removed photos first.
        anti_spoofing: Not available yet.
        gallery: Folder of the index; by default hidden inside DB_PATH.
        far: False acceptance rate of the fitted threshold, of one comparison.
        faces: Order of the picture's faces: prominent, largest, most_confident or center first.
        max_faces: Look for so many faces of the picture only.
        flip: Add the mirror image's embedding: more accurate, slower.
        detector_options: Arguments of the detector, such as "{'min_face_size': 40}".
        recall: Search by the index of `facekit gallery index` if it finds that share of the
            nearest faces; the answer says what share it was, 1 for exact.
        pretty: A table for people instead of JSON; chosen by itself on a terminal.
    """
    options = without(locals(), "pretty")

    def make():
        from facekit import verbs

        return verbs.find(**options, return_type="dict")

    return Job(make, render("found"), pretty)


@typed
def add(
    *pictures: Picture,
    gallery: str | None = None,
    name: str | None = None,
    tags: str | None = None,
    date: str | None = None,
    model_name: str | None = None,
    detector_backend: str | None = None,
    dtype: str = "float32",
    far: float = 0.001,
    pretty: bool | None = None,
):
    """Put the faces of photos into a gallery, which is made at the first use.

    Args:
        pictures: Photos, directories or patterns.
        gallery: Folder of the gallery.
        name: Whom the photos show. Without it a directory's sub-folders are names, and
            other faces have none.
        tags: Words to search by, with commas between them.
        date: When the photos were taken, such as 2024-05-31.
        model_name: Recognizer of a new gallery; see `facekit models`.
        detector_backend: Detector of a new gallery.
        dtype: float32; int16 for a gallery of half the size, or float16, which is less exact.
        far: False acceptance rate at which a face of another name is reported.
        pretty: A table for people instead of JSON; chosen by itself on a terminal.
    """

    def make():
        from facekit.gallery.enrol import enrol

        if not pictures:
            raise InvalidArgument("No picture was named.", "Name pictures or a directory.")
        kit, kept = _made(_named(gallery), model_name, detector_backend, dtype)
        with kept:
            limit = kit.fitted_threshold("cosine", far, given=True).value
            words = _words(tags)
            rows = []
            for person, sources in _by_person(pictures, name).items():
                rows += enrol(kit, kept, sources, person, threshold=limit, tags=words, date=date)
            return rows

    return Job(make, render("enrolled"), pretty, _any_failed)


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
        gallery: Folder of the gallery.
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
        from facekit.gallery.enrol import pipeline_of
        from facekit.gallery.open_set import who
        from facekit.gallery.records import Where

        if not pictures:
            raise InvalidArgument("No picture was named.", "Name pictures or a directory.")
        where = Where(
            people=None if people is None else _words(people),
            tags=_words(tags),
            since=since,
            until=until,
        )
        with _opened(gallery) as kept:
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

    return Job(make, render("identified"), pretty, _all_failed)


@typed
def people_list(*, gallery: str | None = None, pretty: bool | None = None):
    """List the people of a gallery.

    Args:
        gallery: Folder of the gallery.
        pretty: A table for people instead of JSON; chosen by itself on a terminal.
    """
    return _job(gallery, lambda kept: [asdict(p) for p in kept.people()], "people", pretty)


@typed
def rename(old: str, new: str, *, gallery: str | None = None, pretty: bool | None = None):
    """Give a person another name.

    Args:
        old: The name so far.
        new: One that nobody has.
        gallery: Folder of the gallery.
        pretty: Text for people instead of JSON; chosen by itself on a terminal.
    """
    return _job(gallery, lambda kept: {"faces": kept.rename(old, new)}, "facts", pretty)


@typed
def merge(
    *names: str, into: str | None = None, gallery: str | None = None, pretty: bool | None = None
):
    """Make several people one.

    Args:
        names: Whose faces go over.
        into: To whom; made when there is no such person.
        gallery: Folder of the gallery.
        pretty: Text for people instead of JSON; chosen by itself on a terminal.
    """

    def work(kept: Backend) -> dict[str, Any]:
        if not names or into is None:
            raise InvalidArgument("Not all people were named.", "Name some, and one --into.")
        return {"faces": kept.merge(names, into)}

    return _job(gallery, work, "facts", pretty)


@typed
def forget(name: str, *, gallery: str | None = None, pretty: bool | None = None):
    """Remove every trace of a person from a gallery, and prove it.

    Args:
        name: The person.
        gallery: Folder of the gallery.
        pretty: Text for people instead of JSON; chosen by itself on a terminal.
    """

    def code(report: dict[str, Any]) -> int:
        return EXIT_BAD_INPUT if report["left"] else EXIT_OK

    return _job(gallery, lambda kept: asdict(kept.forget(name)), "facts", pretty, code)


@typed
def export(target: str, *, gallery: str | None = None, pretty: bool | None = None):
    """Write a gallery's faces into a file.

    Args:
        target: File; its ending .jsonl or .parquet says the form.
        gallery: Folder of the gallery.
        pretty: Text for people instead of JSON; chosen by itself on a terminal.
    """

    def work(kept: Backend) -> dict[str, Any]:
        from facekit.gallery import transfer

        return {"faces": transfer.export(kept, target)}

    return _job(gallery, work, "facts", pretty)


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
        source: File that `facekit gallery export` wrote.
        gallery: Folder of the gallery.
        dtype: float32; int16 for a gallery of half the size, or float16, which is less exact.
        pretty: Text for people instead of JSON; chosen by itself on a terminal.
    """

    def make():
        from facekit.gallery import places, transfer

        place = _named(gallery)
        with places.made(place, transfer.read_origin(source), dtype) as kept:
            return {"faces": transfer.load(kept, source)}

    return Job(make, render("facts"), pretty)


@typed
def info(*, gallery: str | None = None, pretty: bool | None = None):
    """Show what a gallery holds, and the pipeline that made it.

    Args:
        gallery: Folder of the gallery.
        pretty: Text for people instead of JSON; chosen by itself on a terminal.
    """
    return _job(gallery, lambda kept: kept.info(), "facts", pretty)


@typed
def index(
    *,
    gallery: str | None = None,
    recall: float = 0.99,
    remove: bool = False,
    pretty: bool | None = None,
):
    """Make an index for faster searches of a large gallery, of a recall that is measured.

    Searches use it where they are given `--recall`. It goes when a face is removed.

    Args:
        gallery: Folder of the gallery.
        recall: Share of the nearest faces that it must find.
        remove: Delete the index instead.
        pretty: Text for people instead of JSON; chosen by itself on a terminal.
    """

    def work(kept: Backend) -> dict[str, Any]:
        from facekit.gallery.store.folder import FolderGallery

        if not isinstance(kept, FolderGallery):
            raise InvalidArgument(f"{gallery} is not a folder.", "Only folders have this index.")
        return {"removed": kept.remove_index()} if remove else kept.make_index(recall)

    return _job(gallery, work, "indexed", pretty)


COMMANDS = {
    "add": add,
    "search": search,
    "list": people_list,
    "rename": rename,
    "merge": merge,
    "forget": forget,
    "export": export,
    "import": import_faces,
    "info": info,
    "index": index,
}


def _job(
    gallery: str | None,
    work: Callable[[Backend], Any],
    show: str,
    pretty: bool | None,
    code: Callable[[Any], int] = lambda _: EXIT_OK,
) -> Job:
    def make():
        with _opened(gallery) as kept:
            return work(kept)

    return Job(make, render(show), pretty, code)


def _named(gallery: str | None) -> str:
    if gallery is None:
        raise InvalidArgument("No gallery was named.", "Name its folder with --gallery.")
    return gallery


@contextmanager
def _opened(gallery: str | None) -> Iterator[Backend]:
    from facekit.gallery import places

    with places.opened(_named(gallery)) as kept:
        yield kept


def _made(
    place: str, model: str | None, detector: str | None, dtype: str
) -> tuple[FaceKit, Backend]:
    """The gallery and its pipeline: what it was made with, or what is asked for."""
    from facekit.gallery import places
    from facekit.gallery.enrol import pipeline_of
    from facekit.gallery.finding import origin_of
    from facekit.pipeline import FaceKit

    if places.present(place) and model is None and detector is None:
        kept = places.opened(place)
        return pipeline_of(kept), kept
    kit = FaceKit(model or zoo.DEFAULT_RECOGNIZER, detector or zoo.DEFAULT_DETECTOR)
    kit.probes([])  # fetches weights that are missing
    return kit, places.made(place, origin_of(kit), dtype)


def _by_person(pictures: Sequence[str], name: str | None) -> dict[str | None, list[Any]]:
    """The single pictures by whom they show."""
    from pathlib import Path

    from facekit import images
    from facekit.gallery.index import person_of

    found: dict[str | None, list[Any]] = {}
    for named in pictures:
        folder = images.is_many(named) and Path(named).is_dir()
        for source in images.expand([named]):
            person = name
            if name is None and folder:
                person = person_of(str(Path(source).relative_to(named)))
            found.setdefault(person, []).append(source)
    return found


def _words(text: str | None) -> tuple[str, ...]:
    return tuple(word.strip() for word in (text or "").split(",") if word.strip())


def _any_failed(rows: list[dict[str, Any]]) -> int:
    return EXIT_BAD_INPUT if any("error" in row for row in rows) else EXIT_OK


def _all_failed(rows: list[dict[str, Any]]) -> int:
    return EXIT_BAD_INPUT if rows and all("error" in row for row in rows) else EXIT_OK
