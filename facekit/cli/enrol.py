"""The shell's ``facekit gallery add``: photos into a gallery."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from facekit.cli.arguments import Picture, typed
from facekit.cli.gallery_job import made_at, place_of, split_words
from facekit.cli.job import EXIT_BAD_INPUT, EXIT_OK, Job, render
from facekit.errors import InvalidArgument


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
    quality: str = "warn",
    thumbnails: bool = True,
    far: float = 0.001,
    pretty: bool | None = None,
):
    """Put the faces of photos into a gallery, which is made at the first use.

    Args:
        pictures: Photos, directories or patterns.
        gallery: Folder or URL of the gallery.
        name: Whom the photos show. Without it a directory's sub-folders are names, and
            other faces have none.
        tags: Words to search by, with commas between them.
        date: When the photos were taken, such as 2024-05-31; by default what their EXIF data
            say.
        model_name: Recognizer of a new gallery; see `facekit models`.
        detector_backend: Detector of a new gallery.
        dtype: float32; int16 for a gallery of half the size, or float16, which is less exact.
        quality: What becomes of small, blurred, cut or turned faces: `warn` stores and reports
            them and refuses those that nobody could recognize, `refuse` stores none, `off`
            takes all.
        thumbnails: Keep a small picture of each face; --nothumbnails keeps none.
        far: False acceptance rate at which a face of another name is reported.
        pretty: A table for people instead of JSON; chosen by itself on a terminal.
    """

    def make():
        from facekit import progress
        from facekit.gallery.enrol import Rules, enrol

        if not pictures:
            raise InvalidArgument("No picture was named.", "Name pictures or a directory.")
        place = place_of(gallery)
        rules = Rules(quality, thumbnails, split_words(tags), date, far)
        kit, kept = made_at(place, model_name, detector_backend, dtype)
        with kept:
            photos = _by_person(pictures, name)
            show = progress.bar("Adding")
            show(0, len(photos))
            return list(enrol(kit, kept, photos, rules, lambda done: show(done, len(photos))))

    return Job(make, render("galleries.enrolled"), pretty, _any_failed)


def _by_person(pictures: Sequence[str], name: str | None) -> list[tuple[str, str | None]]:
    """The single pictures with whom they show, those of one person side by side."""
    from pathlib import Path

    from facekit import images
    from facekit.gallery.index import person_of

    found: dict[str | None, list[str]] = {}
    for named in pictures:
        folder = images.is_many(named) and Path(named).is_dir()
        for source in images.expand([named]):
            person = name
            if name is None and folder:
                person = person_of(str(Path(source).relative_to(named)))
            found.setdefault(person, []).append(source)
    return [(source, person) for person, sources in found.items() for source in sources]


def _any_failed(rows: list[dict[str, Any]]) -> int:
    failed = any("error" in row or row["refused"] for row in rows)
    return EXIT_BAD_INPUT if failed else EXIT_OK
