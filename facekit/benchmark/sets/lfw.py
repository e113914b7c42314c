"""Labeled Faces in the Wild: View 2, which reports, and View 1, which chooses.

Its paper: Huang, Ramesh, Berg, Learned-Miller, "Labeled Faces in the Wild", technical report
07-49, University of Massachusetts, Amherst, 2007.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from facekit.benchmark.protocol import Protocol, all_pairs
from facekit.benchmark.sets.pair_list import PairList, check_present, read_lines, wrong
from facekit.checks import check_flag
from facekit.errors import InvalidArgument

# View -> its name in reports and in thresholds' provenance, and its file.
VIEWS = {
    "2": ("LFW View 2", "pairs.txt"),
    "devtrain": ("LFW View 1, DevTrain", "pairsDevTrain.txt"),
    "devtest": ("LFW View 1, DevTest", "pairsDevTest.txt"),
}
# LFW keeps results apart by what the networks learned from (technical report 14-003). All
# of ours learned from other labelled pictures.
TRAINING = "unrestricted, labelled outside data"
_FOLDERS = ("images", "lfw-deepfunneled", "lfw_funneled", "lfw")
_ADVICE = "`facekit benchmark download lfw` fetches it."


def lfw(folder: str | Path, view: int | str = 2, *, every_pair: bool = False) -> Protocol:
    """One of LFW's lists of pairs.

    Parameters
    ----------
    folder : path
        Holds the pictures as ``NAME/NAME_0001.jpg``, itself or in ``images`` or in the folder
        of an unpacked archive (``lfw``, ``lfw_funneled``, ``lfw-deepfunneled``). The lists lie
        in it, beside it or with the pictures.
    view : {2, "devtrain", "devtest"}
        View 2 has ten folds, whose people are all different. View 1 has two lists: DevTrain
        to fit on, DevTest, of other people, to choose by. Both share people with View 2.
    every_pair : bool
        All pairs of the pictures that the list names, in place of those that it lists.

    Returns
    -------
    Protocol
        The pairs in file order, with people; folds for View 2's own pairs.

    Raises
    ------
    InvalidArgument
        When the list or pictures are missing, or the list is not what its first line says:
        for each fold so many pairs of one person, then as many of two, no pair twice and
        nobody in two folds.
    """
    check_flag("every_pair", every_pair)
    name, file_name = _view(view)
    root = Path(folder).expanduser()
    listed = _read(_find_list(root, file_name), folds=str(view) == "2")
    people = [person for person, _ in listed.pairs.places]
    pictures_in = _find_pictures(root, people)
    paths = [
        pictures_in / person / f"{person}_{number:04d}.jpg"
        for person, number in listed.pairs.places
    ]
    check_present(paths, _ADVICE)
    if every_pair:
        return all_pairs(f"{name}, every pair", paths, people, note=f"LFW: {TRAINING}.")
    return Protocol(
        name,
        tuple(paths),
        listed.pairs.first,
        listed.pairs.second,
        listed.same,
        folds=listed.folds,
        people=tuple(people),
        note=f"LFW: {TRAINING}.",
    )


def has_pictures(folder: Path) -> bool:
    """Whether a folder holds pictures where `lfw` looks for them."""
    return any(any(place.glob("*/*_0001.jpg")) for place in _picture_folders(folder))


class _Listed(NamedTuple):
    pairs: PairList  # of (person, number)
    same: np.ndarray
    folds: np.ndarray | None


def _view(view: int | str) -> tuple[str, str]:
    try:
        return VIEWS[str(view).lower()]
    except KeyError:
        raise InvalidArgument(
            f"LFW has no view {view!r}.", "Take 2, or of View 1 'devtrain' or 'devtest'."
        ) from None


def _find_list(root: Path, name: str) -> Path:
    for place in (root, *_picture_folders(root), root.parent):
        if (place / name).is_file():
            return place / name
    raise InvalidArgument(f"{root} holds no {name}, LFW's list of pairs.", _ADVICE)


def _picture_folders(root: Path) -> Iterator[Path]:
    for name in _FOLDERS:
        yield root / name
        yield root / name / name  # some mirrors pack the folder into one of its name
    yield root


def _find_pictures(root: Path, people: list[str]) -> Path:
    for place in _picture_folders(root):
        if any((place / person).is_dir() for person in people):
            return place
    raise InvalidArgument(
        f"{root} holds no pictures of LFW's people.",
        "It needs NAME/NAME_0001.jpg, itself or in a folder named "
        f"{', '.join(_FOLDERS[:-1])} or {_FOLDERS[-1]}. {_ADVICE}",
    )


def _read(file: Path, folds: bool) -> _Listed:
    head, *lines = read_lines(file) or [""]
    fold_count, count = _counts(file, head, folds)
    if len(lines) != fold_count * 2 * count:
        raise InvalidArgument(
            f"{file} lists {len(lines):,} pairs where its first line promises "
            f"{fold_count * 2 * count:,}."
        )
    fold_of_pair, place_in_fold = np.divmod(np.arange(len(lines)), 2 * count)
    same = place_in_fold < count
    pairs = PairList(file)
    homes: dict[str, int] = {}  # the fold of each person
    for line, text in enumerate(lines, 2):
        fold = int(fold_of_pair[line - 2])
        pair = _pair(file, line, text, bool(same[line - 2]))
        pairs.add(line, *pair)
        for person, _ in pair:
            if homes.setdefault(person, fold) != fold:
                raise wrong(
                    file,
                    line,
                    f"{person} is in fold {fold + 1} and in fold {homes[person] + 1}.",
                    "The folds of LFW have no people in common.",
                )
    return _Listed(pairs, same, fold_of_pair if folds else None)


def _counts(file: Path, head: str, folds: bool) -> tuple[int, int]:
    """Number of folds, and of pairs of each kind in a fold."""
    fields = head.split()
    numbers = [int(field) for field in fields if field.isdecimal()]
    if len(numbers) != len(fields) or len(fields) != 1 + folds or min(numbers) < 1:
        form = "the number of folds and of pairs of each kind" if folds else "the number of pairs"
        raise wrong(file, 1, f"{head!r} should be {form}.")
    return (numbers[0], numbers[1]) if folds else (1, numbers[0])


def _pair(file: Path, line: int, text: str, same: bool) -> tuple[tuple[str, int], tuple[str, int]]:
    match text.split():
        case [person, i, j] if same and i.isdecimal() and j.isdecimal():
            return (person, int(i)), (person, int(j))
        case [one, i, two, j] if not same and i.isdecimal() and j.isdecimal() and one != two:
            return (one, int(i)), (two, int(j))
    form = "one person and two numbers" if same else "two people, a number after each"
    raise wrong(file, line, f"{text!r} should be {form}.")
