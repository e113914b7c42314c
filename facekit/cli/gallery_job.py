"""What the shell's commands on galleries have in common: which gallery, and with which pipeline."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from facekit import zoo
from facekit.cli.job import EXIT_OK, Job, render
from facekit.errors import InvalidArgument

if TYPE_CHECKING:
    from facekit.gallery.backend import Backend
    from facekit.pipeline import FaceKit


def on_gallery(
    gallery: str | None,
    work: Callable[[Backend], Any],
    show: str,
    pretty: bool | None,
    code: Callable[[Any], int] = lambda _: EXIT_OK,
) -> Job:
    """A command that needs only the gallery."""

    def make():
        with opened_at(gallery) as kept:
            return work(kept)

    return Job(make, render(show), pretty, code)


def place_of(gallery: str | None) -> str:
    """The gallery that was named; InvalidArgument when none was."""
    if gallery is None:
        raise InvalidArgument("No gallery was named.", "Name its folder or URL with --gallery.")
    return gallery


@contextmanager
def opened_at(gallery: str | None) -> Iterator[Backend]:
    """The gallery that was named, for a ``with`` block."""
    from facekit.gallery import places

    with places.opened(place_of(gallery)) as kept:
        yield kept


def made_at(
    place: str, model: str | None, detector: str | None, dtype: str
) -> tuple[FaceKit, Backend]:
    """The gallery and its pipeline: what it was made with, or what is asked for."""
    from facekit.gallery import places
    from facekit.gallery.pipelines import origin_of, pipeline_of
    from facekit.pipeline import FaceKit

    if places.present(place) and model is None and detector is None:
        kept = places.opened(place)
        return pipeline_of(kept), kept
    kit = FaceKit(model or zoo.DEFAULT_RECOGNIZER, detector or zoo.DEFAULT_DETECTOR)
    kit.probes([])  # fetches weights that are missing
    return kit, places.made(place, origin_of(kit), dtype)


def split_words(text: str | None) -> tuple[str, ...]:
    """Words that were typed with commas between them."""
    return tuple(word.strip() for word in (text or "").split(",") if word.strip())
