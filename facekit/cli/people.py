"""The shell's commands on the people of a gallery: list, show, rename, merge, remove, forget."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from facekit.cli.arguments import typed
from facekit.cli.gallery_job import on_gallery
from facekit.cli.job import EXIT_BAD_INPUT, EXIT_OK
from facekit.errors import InvalidArgument

if TYPE_CHECKING:
    from facekit.gallery.backend import Backend


@typed
def people_list(*, gallery: str | None = None, pretty: bool | None = None):
    """List the people of a gallery.

    Args:
        gallery: Folder or URL of the gallery.
        pretty: A table for people instead of JSON; chosen by itself on a terminal.
    """
    return on_gallery(
        gallery, lambda kept: [asdict(p) for p in kept.people()], "galleries.people", pretty
    )


@typed
def show(name: str, *, gallery: str | None = None, pretty: bool | None = None):
    """Show the faces of a person.

    Args:
        name: The person.
        gallery: Folder or URL of the gallery.
        pretty: A table for people instead of JSON; chosen by itself on a terminal.
    """

    def work(kept: Backend) -> list[dict[str, Any]]:
        from facekit.gallery.looking import faces_of

        return faces_of(kept, name)

    return on_gallery(gallery, work, "galleries.faces", pretty)


@typed
def remove(
    *,
    photo: str | None = None,
    face: int | None = None,
    gallery: str | None = None,
    pretty: bool | None = None,
):
    """Take a photo with its faces, or one face, out of a gallery; no file is touched.

    Args:
        photo: Path of the photo, as `facekit gallery show` names it.
        face: Number of the face, as `facekit gallery show` gives it.
        gallery: Folder or URL of the gallery.
        pretty: Text for people instead of JSON; chosen by itself on a terminal.
    """

    def work(kept: Backend) -> dict[str, Any]:
        from facekit.gallery.looking import remove_face, remove_photo

        if (photo is None) == (face is None):
            raise InvalidArgument("What to remove is not clear.", "Name one --photo or one --face.")
        if photo is not None:
            return {"faces": remove_photo(kept, photo)}
        assert face is not None
        return {"faces": remove_face(kept, face)}

    return on_gallery(gallery, work, "galleries.facts", pretty)


@typed
def rename(old: str, new: str, *, gallery: str | None = None, pretty: bool | None = None):
    """Give a person another name.

    Args:
        old: The name so far.
        new: One that nobody has.
        gallery: Folder or URL of the gallery.
        pretty: Text for people instead of JSON; chosen by itself on a terminal.
    """
    return on_gallery(
        gallery, lambda kept: {"faces": kept.rename(old, new)}, "galleries.facts", pretty
    )


@typed
def merge(
    *names: str, into: str | None = None, gallery: str | None = None, pretty: bool | None = None
):
    """Make several people one.

    Args:
        names: Whose faces go over.
        into: To whom; made when there is no such person.
        gallery: Folder or URL of the gallery.
        pretty: Text for people instead of JSON; chosen by itself on a terminal.
    """

    def work(kept: Backend) -> dict[str, Any]:
        if not names or into is None:
            raise InvalidArgument("Not all people were named.", "Name some, and one --into.")
        return {"faces": kept.merge(names, into)}

    return on_gallery(gallery, work, "galleries.facts", pretty)


@typed
def forget(name: str, *, gallery: str | None = None, pretty: bool | None = None):
    """Remove every trace of a person from a gallery, and prove it.

    The photos' files stay where they are: remove them too from a folder that `find` indexes, or
    the next call takes them in again.

    Args:
        name: The person.
        gallery: Folder or URL of the gallery.
        pretty: Text for people instead of JSON; chosen by itself on a terminal.
    """

    def code(report: dict[str, Any]) -> int:
        return EXIT_BAD_INPUT if report["left"] else EXIT_OK

    return on_gallery(
        gallery, lambda kept: asdict(kept.forget(name)), "galleries.facts", pretty, code
    )
