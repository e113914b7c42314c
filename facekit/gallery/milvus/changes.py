"""What adding, moving and removing photos, and naming people, change in a gallery's rows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timezone
from typing import Any

import numpy as np

from facekit.errors import InvalidArgument, UnknownName
from facekit.gallery import accepted
from facekit.gallery.milvus import rows
from facekit.gallery.milvus.server import Server
from facekit.gallery.milvus.turns import Change, Turn, View
from facekit.gallery.records import Entry, Person, PhotoChange

_TEXTS = 500  # of one expression
_VECTORS = 1000  # rows with vectors of one answer


def added(
    server: Server, turn: Turn, entries: Sequence[Entry], vectors: np.ndarray
) -> tuple[Change, list[list[int]], int]:
    """New photos and faces in place of older ones: the change, the faces' numbers, the last."""
    paths = [entry.photo.path for entry in entries if entry.photo is not None]
    change, _ = removed(server, turn.view, paths)
    number = turn.state.highest
    ids = []
    at = 0
    for entry in entries:
        if entry.photo is not None:
            change.records.append(rows.photo_row(entry.photo))
        mine = []
        for face in entry.faces:
            number += 1
            mine.append(number)
            change.faces.append(rows.face_row(number, face, entry.photo, vectors[at]))
            at += 1
            if face.thumbnail is not None:
                change.records += rows.thumbnail_rows(number, face.thumbnail)
        ids.append(mine)
    return change, ids, number


def removed(server: Server, view: View, paths: Sequence[str]) -> tuple[Change, int]:
    """Photos and their faces go: the change, and how many faces that are."""
    change = Change()
    faces = []
    for texts in parts(paths):
        photos = photos_at(server, view, texts)
        change.gone["records"] += [row["row"] for row in photos]
        some = view.condition("faces", f"path in {texts}")
        faces += list(server.select(view.collection("faces"), some, ["face"]))
    drop_faces(server, view, change, faces)
    return change, len(faces)


def without(server: Server, view: View, numbers: Sequence[int]) -> tuple[Change, int]:
    """Faces go, and photos without another one: the change, and how many faces that are."""
    place = view.collection("faces")
    faces: list[dict[str, Any]] = []
    unique = list(dict.fromkeys(numbers))
    for start in range(0, len(unique), _TEXTS):
        some = view.condition("faces", f"face in {unique[start : start + _TEXTS]}")
        faces += server.select(place, some, ["face", "path"])
    gone = {row["face"] for row in faces}
    change = Change()
    drop_faces(server, view, change, faces)
    paths = sorted({row["path"] for row in faces if row["path"]})
    for texts in parts([rows.decoded(path) or "" for path in paths]):
        others = server.select(place, view.condition("faces", f"path in {texts}"), ["face", "path"])
        kept = {row["path"] for row in others if row["face"] not in gone}
        photos = photos_at(server, view, texts)
        change.gone["records"] += [row["row"] for row in photos if row["key"] not in kept]
    return change, len(faces)


def drop_faces(
    server: Server, view: View, change: Change, faces: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Let faces and their small pictures go; the pictures' rows."""
    change.gone["faces"] += [row["row"] for row in faces]
    pictures: list[dict[str, Any]] = []
    for numbers in parts([str(row["face"]) for row in faces]):
        some = view.condition("records", f"kind in {_kinds(rows.THUMBNAILS)} and key in {numbers}")
        pictures += server.select(view.collection("records"), some, rows.RECORD, 64)
    change.gone["records"] += [row["row"] for row in pictures]
    return pictures


def photos_at(server: Server, view: View, texts: str) -> list[dict[str, Any]]:
    """The rows of photos of some paths, which are a list in an expression."""
    some = view.condition("records", f"kind in {_kinds(rows.PHOTOS)} and key in {texts}")
    return list(server.select(view.collection("records"), some, rows.RECORD))


def moved(server: Server, view: View, moves: Sequence[PhotoChange]) -> Change:
    """What became of files; faces may get another person."""
    change = Change()
    by_path = {rows.coded(move.old): move for move in moves}
    there: set[str] = set()
    for texts in parts([move.old for move in moves]):
        for row in photos_at(server, view, texts):
            there.add(row["key"])
            change.gone["records"].append(row["row"])
            change.records.append(rows.photo_row(by_path[row["key"]].photo))
        some = view.condition("faces", f"path in {texts}")
        place = view.collection("faces")
        for row in server.select(place, some, rows.WHOLE_FACE, _VECTORS):
            new = _moved_face(row, by_path[row["path"]])
            if new is not None:
                change.gone["faces"].append(row["row"])
                change.faces.append(new)
    taken = [move.photo.path for move in moves if rows.coded(move.old) in there]
    others = [path for path in taken if rows.coded(path) not in by_path]
    for texts in parts(others):
        for row in photos_at(server, view, texts):
            raise InvalidArgument(
                f"There is a photo {rows.decoded(row['key'])} already.", "Remove it first."
            )
    return change


def _moved_face(row: dict[str, Any], move: PhotoChange) -> dict[str, Any] | None:
    """A face of a photo that moved; None where nothing about it is new."""
    new = _copied(row)
    data = json.loads(row["data"])
    if data["content"] != move.photo.content:
        data["content"] = move.photo.content
        new["data"] = json.dumps(data)
    new["path"] = rows.coded(move.photo.path)
    if move.reassign:
        if move.person is not None:
            accepted.name(move.person)
        new["person"] = rows.coded(move.person)
    same = all(new[name] == row[name] for name in ("path", "person", "data"))
    return None if same else new


def _copied(row: dict[str, Any]) -> dict[str, Any]:
    new = {name: row[name] for name in rows.WHOLE_FACE}
    new["tags"] = list(row["tags"])
    new["vector"] = np.array(row["vector"], np.float32)
    return new


def people(server: Server, view: View) -> list[Person]:
    """Everybody, by name."""
    faces: Counter[str] = Counter()
    photos: dict[str, set[str]] = {}
    last: dict[str, str] = {}
    some = view.condition("faces", 'person != ""')
    for row in server.select(view.collection("faces"), some, ["person", "path", "date"]):
        faces[row["person"]] += 1
        last[row["person"]] = max(row["date"], last.get(row["person"], ""))
        paths = photos.setdefault(row["person"], set())
        if row["path"]:
            paths.add(row["path"])
    found = [
        Person(rows.decoded(name) or "", count, len(photos[name]), last[name] or None)
        for name, count in faces.items()
    ]
    return sorted(found, key=lambda person: person.name)


def renamed(server: Server, turn: Turn, old: str, new: str) -> tuple[Change, int]:
    """A person's new name, which nobody has: the change, and how many faces."""
    accepted.name(new)
    names = {person.name for person in people(server, turn.view)}
    known(names, old)
    accepted.free(new, old != new and new in names)
    change = Change()
    count = _given(server, turn, change, old, new)
    _note(turn, change, "rename", new, f"was {old}")
    return change, count


def merged(server: Server, turn: Turn, sources: Sequence[str], into: str) -> tuple[Change, int]:
    """Several people as one: the change, and how many faces changed hands."""
    accepted.name(into)
    names = {person.name for person in people(server, turn.view)}
    others = list(dict.fromkeys(name for name in sources if name != into))
    for name in others:
        known(names, name)
    change = Change()
    count = 0
    for name in others:
        count += _given(server, turn, change, name, into)
        _note(turn, change, "merge", into, f"took in {name}")
    return change, count


def _given(server: Server, turn: Turn, change: Change, old: str, new: str) -> int:
    """Give faces and lines of the log from one person to another."""
    view = turn.view
    some = view.condition("faces", f"person in {rows.listed([old])}")
    count = 0
    for row in server.select(view.collection("faces"), some, rows.WHOLE_FACE, _VECTORS):
        change.gone["faces"].append(row["row"])
        change.faces.append({**_copied(row), "person": rows.coded(new)})
        count += 1
    for row in log_rows(server, view, old):
        change.gone["records"].append(row["row"])
        change.records.append({"kind": "log", "key": rows.coded(new), "data": row["data"]})
    return count


def _note(turn: Turn, change: Change, action: str, person: str, detail: str) -> None:
    """A new line of the log."""
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    order = turn.next_row() + len(change.records)
    change.records.append(rows.log_row(now, action, person, detail, order))


def logged(turn: Turn, lines: Iterable[dict[str, Any]]) -> Change:
    """Lines of another gallery's log at the end of this one's."""
    made = [
        rows.log_row(
            *(line["time"], line["action"], line["person"], line["detail"]), turn.next_row() + i
        )
        for i, line in enumerate(lines)
    ]
    return Change(records=made)


def log_rows(server: Server, view: View, person: str | None = None) -> Iterator[dict[str, Any]]:
    """The rows of the log, or of a person's lines."""
    some = 'kind == "log"'
    if person is not None:
        some += f" and key in {rows.listed([person])}"
    return server.select(view.collection("records"), view.condition("records", some), rows.RECORD)


def known(names: set[str], name: str) -> None:
    if name not in names:
        raise UnknownName("person", name, names)


def _kinds(kinds: Sequence[str]) -> str:
    return json.dumps(list(kinds))


def parts(texts: Sequence[str]) -> Iterator[str]:
    """Lists of texts in expressions, a few at a time."""
    for start in range(0, len(texts), _TEXTS):
        yield rows.listed(texts[start : start + _TEXTS])
