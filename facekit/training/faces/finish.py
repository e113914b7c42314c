"""The short part of preparing: people are left out, the others split, and all is written."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np

from facekit.bulk.files import in_place
from facekit.errors import InvalidArgument
from facekit.training.faces import exclusion, parts, shards, splits
from facekit.training.faces.listing import Picture

ABOUT = "prepared.json"


def finish(
    folder: Path,
    settings: Mapping[str, Any],
    files: Sequence[Path],
    doubles: Sequence[tuple[str, str]],
    reference: exclusion.Reference | None,
    excluded_people: Iterable[str],
) -> dict[str, Any]:
    """Leave people out, split the others, write everything and count it.

    Parameters
    ----------
    folder : pathlib.Path
        To write.
    settings : mapping
        Of the run.
    files : sequence of pathlib.Path
        The parts.
    doubles : sequence of (str, str)
        Path and reason of pictures that are in no part.
    reference : Reference, optional
        Whom to leave out by face.
    excluded_people : iterable of str
        Whom to leave out by name.

    Returns
    -------
    dict
        What ``prepared.json`` says.

    Raises
    ------
    InvalidArgument
        When no face is left.
    """
    found = [parts.read(file) for file in files]
    faces = [face for part in found for face in part.faces]
    dropped = [*doubles, *(row for part in found for row in part.dropped)]
    if not faces:
        ((reason, times),) = Counter(reason for _, reason in dropped).most_common(1)
        raise InvalidArgument(
            f"No picture shows a face that can be kept (of {times:,}: {reason}).",
            "Name other pictures, another detector_backend or a smaller min_face.",
        )
    vectors = {
        name: np.concatenate([part.vectors[name] for part in found if part.faces])
        for name in settings["teachers"]
    }
    del found  # it has the vectors a second time
    people = [face.person for face in faces]
    keep = np.ones(len(faces), bool)
    excluded: dict[str, Any] = {}
    if reference is not None:
        named = exclusion.by_name(people, excluded_people)
        of_name = np.array([person in named for person in people])
        of_face = exclusion.by_face(people, next(iter(vectors.values())), reference) & ~of_name
        keep = ~(of_name | of_face)
        excluded, gone = _left_out(faces, of_name, of_face)
        excluded["threshold"] = round(reference.threshold, 4)
        dropped += gone
    if not keep.any():
        raise InvalidArgument(
            f"All {len(faces):,} faces show somebody to leave out.",
            "Name other pictures than those of the people to exclude.",
        )
    rows = np.flatnonzero(keep)
    people = [people[row] for row in rows]
    names = splits.split(people, (settings["validation"], settings["test"]))
    splits.check_apart(people, names)
    kept = [
        shards.Kept(f"{row:07}", name, faces[row].person, faces[row].path, "")
        for row, name in zip(rows, names, strict=True)
    ]
    for name, rows_of in vectors.items():
        shards.write_vectors(folder, name, rows_of[rows])
    crops = (crop for file in files for crop in parts.read(file, crops=True).crops)
    shards.write(folder, kept, compress(crops, keep), settings["layout"])
    shards.write_rows(folder / "dropped.csv", [("path", "reason"), *dropped])
    about = {"settings": dict(settings), **_counts(kept, dropped, excluded)}
    with in_place(folder / ABOUT) as aside:
        text = json.dumps(about, indent=1, ensure_ascii=False)
        aside.write_text(text, "utf-8", "surrogateescape")
    return about


def _left_out(
    faces: list[Picture], of_name: np.ndarray, of_face: np.ndarray
) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """How many people and pictures are left out, and which pictures."""
    counts: dict[str, Any] = {}
    dropped = []
    for how, rows in (("name", of_name), ("face", of_face)):
        gone = list(compress(faces, rows))
        counts[how] = {
            "pictures": len(gone),
            "people": len({face.person for face in gone if face.person}),
        }
        dropped += [(face.path, f"somebody to leave out, by {how}") for face in gone]
    return counts, dropped


def _counts(
    kept: Sequence[shards.Kept],
    dropped: Sequence[tuple[str, str]],
    excluded: Mapping[str, Any],
) -> dict[str, Any]:
    people = Counter(face.person for face in kept if face.person)
    reasons = Counter(reason for _, reason in dropped)
    return {
        "pictures": len(kept) + len(dropped),
        "faces": len(kept),
        "people": len(people),
        "photos_per_person": round(sum(people.values()) / len(people), 2) if people else None,
        "unknown": sum(not face.person for face in kept),
        "splits": {
            name: {
                "faces": sum(face.split == name for face in kept),
                "people": len({face.person for face in kept if face.split == name} - {""}),
            }
            for name in splits.NAMES
        },
        "dropped": dict(reasons.most_common()),
        "excluded": dict(excluded),
    }
