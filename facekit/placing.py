"""Photos put into folders: copied, linked or moved, never over another file, whole or not at all.

A plan comes first, which says for every photo where it goes. A run that was killed leaves
whole files only; the same call again goes on where it was. Moves are noted in the target
folder before the first one, since what is moved cannot be planned again.
"""

from __future__ import annotations

import filecmp
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from facekit.errors import InvalidArgument

COPY, HARD, SYMBOLIC, MOVE = "copy", "hard", "sym", "move"
THERE = "there"  # an earlier run has done it
_JOURNAL, _LOCK, _PART = ".facekit-moves.json", ".facekit.lock", ".facekit-part"

Progress = Callable[[int, int], None]  # photos done, photos to do


@dataclass(frozen=True)
class Step:
    """What is done with one photo.

    Attributes
    ----------
    source, target : str
        Absolute paths.
    action : str
        ``copy``, ``hard`` or ``sym`` (links), ``move``, or ``there`` when nothing is left
        to do.
    """

    source: str
    target: str
    action: str


def plan(wanted: Iterable[tuple[str, str, str]], root: str | Path) -> list[Step]:
    """Steps, with a name for each target that no other file has.

    Parameters
    ----------
    wanted : iterable of (str, str, str)
        Photo, path below ``root`` that it should have, and action. A name that another file
        has gets a number: ``a-2.jpg``.
    root : path
    """
    top = Path(root).expanduser().absolute()
    taken: set[str] = set()
    steps = []
    for source, name, action in wanted:
        origin = Path(source).absolute()
        for target in _names(top / name):
            folded = str(target).casefold()  # many file systems take A.jpg for a.jpg
            if folded in taken:
                continue
            if not os.path.lexists(target):
                done = False
            elif action != MOVE and _same(origin, target):
                done = True
            else:
                continue
            taken.add(folded)
            steps.append(Step(str(origin), str(target), THERE if done else action))
            break
    return steps


def check_apart(photos: str, root: str) -> None:
    """Raise InvalidArgument when one folder lies in the other: photos would be found twice."""
    one, other = Path(photos).resolve(), Path(root).expanduser().resolve()
    if one == other or one in other.parents or other in one.parents:
        raise InvalidArgument(
            f"{root} and {photos} lie in each other.",
            "Name a target folder beside the photos, not among them.",
        )


def carry_out(steps: Sequence[Step], root: str | Path, progress: Progress | None = None) -> None:
    """Do what a plan says.

    Raises
    ------
    InvalidArgument
        When a file cannot be written or the folder is in use; what was done so far stays, and
        the same call goes on there.
    """
    top = Path(root).expanduser().absolute()
    todo = [step for step in steps if step.action != THERE]
    with _failing_well(top):
        top.mkdir(parents=True, exist_ok=True)
        with _alone(top):
            if any(step.action == MOVE for step in todo):
                # Links first: they need the photo where it is.
                todo.sort(key=lambda step: step.action == MOVE)
                _note(top, todo)
            _do(todo, progress)
            (top / _JOURNAL).unlink(missing_ok=True)


def place(
    wanted: Iterable[tuple[str, str, str]],
    root: str | Path,
    *,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> list[Step]:
    """Plan it, and unless that is all, do it: the steps."""
    steps = plan(wanted, root)
    if not dry_run:
        carry_out(steps, root, progress)
    return steps


def finish(root: str | Path, progress: Progress | None = None) -> list[Step]:
    """Finish the moves that a killed run began; what they were, or nothing.

    Raises
    ------
    InvalidArgument
        As ``carry_out`` does.
    """
    top = Path(root).expanduser().absolute()
    if not (top / _JOURNAL).is_file():
        return []
    with _failing_well(top), _alone(top):
        try:
            noted = json.loads((top / _JOURNAL).read_text("utf-8"))
            steps = [Step(**one) for one in noted]
        except (ValueError, TypeError) as error:
            raise InvalidArgument(
                f"{top / _JOURNAL} is damaged ({error}).", "Remove it to begin anew."
            ) from error
        _do(steps, progress)
        (top / _JOURNAL).unlink()
    return steps


def _names(target: Path) -> Iterator[Path]:
    yield target
    number = 2
    while True:
        yield target.with_name(f"{target.stem}-{number}{target.suffix}")
        number += 1


def _same(source: Path, target: Path) -> bool:
    """Whether a target is the photo already: the same file, or the same bytes."""
    try:
        return target.samefile(source) or filecmp.cmp(source, target, shallow=False)
    except OSError:
        return False


def _note(top: Path, steps: Sequence[Step]) -> None:
    part = top / f"{_JOURNAL}{_PART}"
    with part.open("w", encoding="utf-8") as file:
        json.dump([asdict(step) for step in steps], file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(top / _JOURNAL)


def _do(steps: Sequence[Step], progress: Progress | None) -> None:
    for done, step in enumerate(steps, 1):
        source, target = Path(step.source), Path(step.target)
        # Where the photo is gone and this is there, a killed run did it.
        if os.path.lexists(source) or not os.path.lexists(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            _ACTIONS[step.action](source, target)
        if progress is not None:
            progress(done, len(steps))


def _copy(source: Path, target: Path) -> None:
    if os.path.lexists(target) and _same(source, target):
        return  # done before the kill
    part = target.with_name(f".{target.name[:200]}{_PART}")
    shutil.copyfile(source, part)
    shutil.copystat(source, part)
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    _publish(part, target)


def _publish(part: Path, target: Path) -> None:
    """Give a file its name, unless another has it."""
    try:
        os.link(part, target)
    except FileExistsError:
        part.unlink()
        raise
    except OSError:  # a file system without hard links
        if os.path.lexists(target):
            raise
        part.rename(target)
    else:
        part.unlink()


def _hard(source: Path, target: Path) -> None:
    if os.path.lexists(target) and _same(source, target):
        return
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:  # another file system, or one without hard links
        _copy(source, target)


def _symbolic(source: Path, target: Path) -> None:
    # Absolute: the folder may be renamed or moved.
    target.symlink_to(source)


def _move(source: Path, target: Path) -> None:
    if not os.path.lexists(target):
        try:
            os.link(source, target)
        except FileExistsError:
            raise
        except OSError:
            _copy(source, target)
    # Only ever after the whole photo is at its new place.
    if not _same(source, target):
        raise FileExistsError(17, "another file has this name", str(target))
    source.unlink()


_ACTIONS = {COPY: _copy, HARD: _hard, SYMBOLIC: _symbolic, MOVE: _move}


@contextmanager
def _alone(top: Path) -> Iterator[None]:
    from filelock import FileLock, Timeout

    try:
        with FileLock(top / _LOCK, timeout=0):
            yield
    except Timeout:
        raise InvalidArgument(
            f"Another run is writing into {top}.", "Wait for it, or name another folder."
        ) from None
    with suppress(OSError):
        (top / _LOCK).unlink()


@contextmanager
def _failing_well(top: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InvalidArgument(
            f"{error.filename or top} cannot be put in place ({error.strerror or error}).",
            "Nothing is lost: mend that, and the same command goes on where it was.",
        ) from error
