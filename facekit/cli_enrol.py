"""The shell's ``facekit gallery add``: photos into a gallery."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from facekit.cli_arguments import Picture, typed
from facekit.cli_job import EXIT_BAD_INPUT, EXIT_OK, Job, render
from facekit.cli_kept import made_at, place_of, split_words
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
        dtype: float32, or float16 for a gallery of half the size.
        far: False acceptance rate at which a face of another name is reported.
        pretty: A table for people instead of JSON; chosen by itself on a terminal.
    """

    def make():
        from facekit.gallery.enrol import enrol

        if not pictures:
            raise InvalidArgument("No picture was named.", "Name pictures or a directory.")
        kit, kept = made_at(place_of(gallery), model_name, detector_backend, dtype)
        with kept:
            limit = kit.fitted_threshold("cosine", far, given=True).value
            words = split_words(tags)
            rows = []
            for person, sources in _by_person(pictures, name).items():
                rows += enrol(kit, kept, sources, person, threshold=limit, tags=words, date=date)
            return rows

    return Job(make, render("enrolled"), pretty, _any_failed)


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


def _any_failed(rows: list[dict[str, Any]]) -> int:
    return EXIT_BAD_INPUT if any("error" in row for row in rows) else EXIT_OK
