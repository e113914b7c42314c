"""``facekit.dedupe``: photos of a folder that show the same picture."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from typing import Any

from facekit import checks, placing, progress
from facekit.duplicates import compare, copies_sheet, search
from facekit.duplicates.grouping import Copies, grouped
from facekit.duplicates.memory import Memory, Seen
from facekit.errors import InvalidArgument, UnknownName
from facekit.sheet import page

_LINKS = (placing.HARD, placing.SYMBOLIC)


def dedupe(
    db_path: Any,
    similar: bool = False,
    *,
    html: Any = None,
    apply: Any = None,
    link: str | None = None,
    move: Any = None,
    dry_run: bool = False,
    silent: bool = False,
) -> dict[str, Any]:
    """Photos of a folder that show the same picture, also saved anew, resized or a bit cropped.

    The photos are read at the first call; later calls read only files that are new or changed.
    Nothing is ever deleted.

    Parameters
    ----------
    db_path : path
        A folder of photos, searched recursively. Other files are ignored.
    similar : bool
        Also photos of the same scene a moment later, and grey copies of coloured ones.
    html : path, optional
        Write a contact sheet into this file.
    apply : path, optional
        Copy each group's photos into a folder ``group-001``, ... below this one, to look at.
    link : str, optional
        ``hard`` or ``sym``: links instead of these copies.
    move : path, optional
        Move all but the best of each group below this folder, with their sub-folders.
    dry_run : bool
        Only say what ``apply`` or ``move`` would do.
    silent : bool
        No progress bar.

    Returns
    -------
    dict
        ``groups``: each with ``id``, ``best`` and ``others``, the next best first
        (``identity``, ``width``, ``height``, ``bytes``, ``likeness``: correlation with the
        best, up to 1, ``same_bytes``), and ``bytes`` of the others; ``unusable``: ``source`` and
        ``error`` of photos that cannot be read; ``counts``; with ``html`` ``sheet``; with
        ``apply`` or ``move`` ``files`` (``source``, ``target``, ``action``). When a killed
        run had photos still to move, they are moved, and ``finished`` says which; nothing
        else is done.

    Raises
    ------
    FaceKitError
        One sentence on what is wrong and what to do; see ``facekit.errors``.
    """
    folder = os.fspath(db_path)
    target = _target(folder, apply, link, move, dry_run)
    checks.check_flag("similar", similar)
    if html is not None:
        page.check(os.fspath(html))
    if not os.path.isdir(folder):  # noqa: PTH112 (any text)
        raise InvalidArgument(f"{folder} is not a folder.", "Name a folder of photos.")
    if target is not None and not dry_run:
        finished = placing.finish(target, progress.bar("Moving", silent))
        if finished:
            return {"finished": [vars(step) for step in finished]}
    with closing(Memory(folder)) as memory:
        photos = search.look(memory, folder, progress.bar("Reading", silent))
        search.compare_new(memory, photos)
        alike = memory.alike(compare.SIMILAR if similar else compare.DUPLICATE)
    groups = grouped(photos, alike)
    result = _rows(folder, photos, groups)
    if html is not None:
        name = os.path.basename(os.path.abspath(folder))  # noqa: PTH100, PTH119 (any text)
        made = copies_sheet.sheet(result, name)
        page.write(made, os.fspath(html), progress.bar("Drawing", silent))
        result["sheet"] = os.fspath(html)
    if target is not None:
        wanted = _moved(folder, groups) if move is not None else _shown(result, link)
        show = progress.bar("Placing", silent)
        steps = placing.place(wanted, target, dry_run=dry_run, progress=show)
        result["files"] = [vars(step) for step in steps]
    return result


def _target(folder: str, apply: Any, link: str | None, move: Any, dry_run: bool) -> str | None:
    checks.check_flag("dry_run", dry_run)
    if link is not None and link not in _LINKS:
        raise UnknownName("kind of link", link, _LINKS)
    if apply is not None and move is not None:
        raise InvalidArgument("Both apply and move are given.", "Leave one of them out.")
    if link is not None and apply is None:
        raise InvalidArgument("link belongs to apply.", "Name a folder with apply.")
    if apply is None and move is None:
        if dry_run:
            raise InvalidArgument("There is nothing to plan.", "Name a folder: apply or move.")
        return None
    target = os.fspath(move if apply is None else apply)
    placing.check_apart(folder, target)
    return target


def _rows(folder: str, photos: Sequence[Seen], groups: Sequence[Copies]) -> dict[str, Any]:
    made = [
        {
            "id": number,
            "best": _row(folder, group, group.best, 1.0),
            "others": [_row(folder, group, photo, likeness) for photo, likeness in group.others],
            "bytes": sum(photo.size for photo, _ in group.others),
        }
        for number, group in enumerate(groups, 1)
    ]
    unusable = [
        {"source": _path(folder, photo), "error": photo.signature.reason}
        for photo in photos
        if photo.signature.reason
    ]
    return {
        "groups": made,
        "unusable": unusable,
        "counts": {
            "photos": len(photos),
            "groups": len(made),
            "duplicates": sum(len(group.others) for group in groups),
            "bytes": sum(row["bytes"] for row in made),
        },
    }


def _row(folder: str, group: Copies, photo: Seen, likeness: float) -> dict[str, Any]:
    return {
        "identity": _path(folder, photo),
        "width": photo.signature.width,
        "height": photo.signature.height,
        "bytes": photo.size,
        "likeness": likeness,
        "same_bytes": photo.signature.content == group.best.signature.content,
    }


def _path(folder: str, photo: Seen) -> str:
    return os.path.join(folder, *photo.path.split("/"))  # noqa: PTH118 (spelled as typed)


def _moved(folder: str, groups: Sequence[Copies]) -> list[tuple[str, str, str]]:
    return [
        (_path(folder, photo), photo.path, placing.MOVE)
        for group in groups
        for photo, _ in group.others
    ]


def _shown(result: dict[str, Any], link: str | None) -> list[tuple[str, str, str]]:
    digits = max(3, len(str(len(result["groups"]))))
    return [
        (
            row["identity"],
            f"group-{group['id']:0{digits}}/{os.path.basename(row['identity'])}",  # noqa: PTH119
            link or placing.COPY,
        )
        for group in result["groups"]
        for row in (group["best"], *group["others"])
    ]
