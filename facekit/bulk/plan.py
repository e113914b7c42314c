"""Which photo belongs to which shard: written down once, so that every run has the same shards."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from facekit.bulk.files import in_place
from facekit.bulk.listing import Listed
from facekit.errors import BulkError, InvalidArgument
from facekit.gallery.records import Origin

FOLDER = "_plan"  # readers of a folder of Parquet files pass over names that begin like this
_FILE = "plan.json"
_VERSION = 1
_BATCH, _SHARD = 32, 1000  # photos


@dataclass(frozen=True)
class Recipe:
    """What the rows of all shards depend on, but for the photos.

    Attributes
    ----------
    origin : Origin
        The pipeline, as galleries know it.
    pipeline : mapping
        Arguments of ``FaceKit``, JSON values.
    batch_size : int
        Photos that go through the networks together. The last bits of a vector depend on it.
    photos_per_shard : int
    """

    origin: Origin
    pipeline: Mapping[str, Any]
    batch_size: int
    photos_per_shard: int


class Shard(NamedTuple):
    """A part of the collection that becomes one file.

    Attributes
    ----------
    number : int
        From 0.
    lines : tuple of str
        Its photos as the plan has them.
    """

    number: int
    lines: tuple[str, ...]

    def photos(self) -> list[Listed]:
        """Its photos, in the order of their rows."""
        return [Listed(*json.loads(line)) for line in self.lines]


class Plan:
    """The plan in a folder of shards.

    ``plan.json`` holds the recipe and names the lists of photos: one list for each run that
    found new ones. Lists are never changed, and a shard is a piece of one list.

    Parameters
    ----------
    out : Path
        Folder of the shards.
    recipe : Recipe
        Used when there is no plan yet.
    lists : list of dict
        ``file``, ``photos`` and ``input`` of each list.
    """

    def __init__(self, out: Path, recipe: Recipe, lists: list[dict[str, Any]]) -> None:
        self.folder = out / FOLDER
        self.recipe = recipe
        self._lists = lists

    @property
    def photos(self) -> int:
        """Photos of all shards."""
        return sum(entry["photos"] for entry in self._lists)

    def extend(self, listed: Iterable[Listed], named: str) -> int:
        """Make shards of the photos that have none yet; how many photos.

        A path that was listed before, in this run or another, is passed over.
        """
        name = f"photos-{len(self._lists) + 1:04}.jsonl"
        count = 0
        with _seen() as is_new, in_place(self.folder / name) as aside:
            for line in self._lines():
                is_new(json.loads(line)[0])
            with aside.open("w", encoding="ascii") as file:
                for photo in listed:
                    if is_new(photo.path):
                        file.write(json.dumps(photo) + "\n")
                        count += 1
        if count:
            self._lists.append({"file": name, "photos": count, "input": named})
            self._write()
        else:
            (self.folder / name).unlink()
        return count

    def shards(self) -> Iterator[Shard]:
        """All shards, done or not."""
        number = 0
        for entry in self._lists:
            with (self.folder / entry["file"]).open(encoding="ascii") as file:
                while lines := tuple(islice(file, self.recipe.photos_per_shard)):
                    yield Shard(number, lines)
                    number += 1

    def _lines(self) -> Iterator[str]:
        for shard in self.shards():
            yield from shard.lines

    def _write(self) -> None:
        content = {"version": _VERSION, **asdict(self.recipe), "lists": self._lists}
        with in_place(self.folder / _FILE) as aside:
            aside.write_text(json.dumps(content, indent=1), "utf-8")


def opened(
    out: Path,
    origin: Origin,
    pipeline: Mapping[str, Any],
    batch_size: int | None,
    photos_per_shard: int | None,
) -> Plan:
    """The plan of a folder, or a new one, which comes into being with its first photos.

    Raises
    ------
    BulkError
        When the folder's plan was made for another pipeline, or cannot be read.
    InvalidArgument
        When its batches or shards have another size than asked for.
    """
    wanted = Recipe(origin, _as_json(pipeline), batch_size or _BATCH, photos_per_shard or _SHARD)
    file = out / FOLDER / _FILE
    try:
        content = json.loads(file.read_text("utf-8"))
        if content.pop("version") != _VERSION:
            raise BulkError(f"A later version of facekit wrote {file}.", "Update facekit.")
        lists = content.pop("lists")
        found = Recipe(origin=Origin(**content.pop("origin")), **content)
    except FileNotFoundError:
        return Plan(out, wanted, [])
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise BulkError(
            f"{file} cannot be read ({error}).", "Restore it, or begin in another folder."
        ) from error
    _compare(out, found, wanted)
    for name, given in (("batch_size", batch_size), ("photos_per_shard", photos_per_shard)):
        have = getattr(found, name)
        if given not in (None, have):
            raise InvalidArgument(
                f"{out} was begun with {name} {have}, not {given}.",
                "Leave that option out, or begin in another folder.",
            )
    return Plan(out, found, lists)


def _compare(out: Path, found: Recipe, wanted: Recipe) -> None:
    """Raise BulkError unless the pipelines give the same rows."""
    remedy = "Use the settings that it was begun with, or another folder."
    for name, have in found.pipeline.items():
        want = wanted.pipeline.get(name)
        if have != want:
            raise BulkError(f"{out} was begun with {name} {have!r}, not {want!r}.", remedy)
    if found.origin.fingerprint != wanted.origin.fingerprint:
        raise BulkError(
            f"{out} holds vectors of another {found.origin.model} with {found.origin.detector} "
            f"({found.origin.fingerprint}) than today's ({wanted.origin.fingerprint}).",
            "Use the weights and the version of facekit that it was begun with, or another folder.",
        )


def _as_json(value: Mapping[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(value))


@contextmanager
def _seen() -> Iterator[Callable[[str], bool]]:
    """A function that says whether a path comes for the first time.

    The paths go to a database on disk that nobody else sees: ten million in a set would take
    two gigabytes.
    """
    with closing(sqlite3.connect("", isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = OFF")
        db.execute("PRAGMA synchronous = OFF")
        db.execute("CREATE TABLE seen (path BLOB PRIMARY KEY) WITHOUT ROWID")
        db.execute("BEGIN")

        def is_new(path: str) -> bool:
            name = os.fsencode(path)
            return db.execute("INSERT OR IGNORE INTO seen VALUES (?)", (name,)).rowcount == 1

        try:
            yield is_new
        except sqlite3.Error as error:
            raise BulkError(
                f"Temporary files cannot be written ({error}).",
                "Name a folder with more room in the environment variable SQLITE_TMPDIR.",
            ) from error
