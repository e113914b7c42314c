"""The prepared faces that a run learns from, and what the teachers say of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from facekit.errors import TrainingError
from facekit.image_fetch import user_path
from facekit.training.augment import plain
from facekit.training.faces import cut, shards


class Collection:
    """Faces of one split of several prepared folders.

    Parameters
    ----------
    folders : sequence of str
        Made by ``facekit dataset prepare``.
    split : str
        train, validation or test.
    teachers : sequence of str
        Whose vectors are wanted.
    share : float
        Of the faces, evenly over all; for runs that ask what less data would do.

    Attributes
    ----------
    crops : list of bytes
        JPEGs of 144x144 pixels.
    people : numpy.ndarray
        ``int64 (N,)``: number of the person, -1 where nobody knows.
    names : list of str
        Of the people.
    targets : dict of str to numpy.ndarray
        ``float32 (N, D)`` a teacher.
    """

    def __init__(
        self, folders: Sequence[str], split: str, teachers: Sequence[str] = (), share: float = 1.0
    ) -> None:
        self.crops: list[bytes] = []
        persons: list[str] = []
        targets: dict[str, list[np.ndarray]] = {name: [] for name in teachers}
        for named in folders:
            folder = user_path(named)
            table = shards.table(folder)
            rows = [row for row, face in enumerate(table) if face.split == split]
            rows = [row for i, row in enumerate(rows) if int(i * share) != int((i + 1) * share)]
            self.crops += shards.crops(folder, [table[row] for row in rows])
            persons += [table[row].person for row in rows]
            for name, kept in targets.items():
                kept.append(shards.vectors(folder, name, len(table))[rows])
        if not self.crops:
            raise TrainingError(f"No face for {split} is in {', '.join(map(str, folders))}.")
        self.names = sorted(set(persons) - {""})
        numbers = {name: number for number, name in enumerate(self.names)}
        self.people = np.array([numbers.get(person, -1) for person in persons], np.int64)
        self.targets = {
            name: np.concatenate(kept).astype(np.float32) for name, kept in targets.items()
        }

    def __len__(self) -> int:
        return len(self.crops)

    def picture(self, row: int) -> np.ndarray:
        """The kept picture, ``uint8 (144, 144, 3)`` BGR."""
        picture = cut.decoded(self.crops[row])
        side = cut.SIDE + 2 * cut.MARGIN
        if picture.shape != (side, side, 3):
            raise TrainingError(
                f"A prepared face has {picture.shape[1]}x{picture.shape[0]} pixels, "
                f"not {side}x{side}.",
                "Prepare the faces with --crop aligned.",
            )
        return picture

    def plain(self, rows: Iterable[int]) -> np.ndarray:
        """The crops of some faces as a recognizer sees them, ``uint8 (N, 112, 112, 3)`` BGR."""
        return np.stack([plain(self.picture(row)) for row in rows])

    def keep(self, rows: np.ndarray) -> None:
        """Drop all other faces."""
        self.crops = [self.crops[row] for row in rows]
        self.people = self.people[rows]
        self.targets = {name: vectors[rows] for name, vectors in self.targets.items()}


def few_of_each(people: np.ndarray, most: int) -> np.ndarray:
    """Rows of known people, at most so many of each, the first ones."""
    seen: dict[int, int] = {}
    rows = []
    for row, person in enumerate(people.tolist()):
        if person >= 0 and seen.setdefault(person, 0) < most:
            seen[person] += 1
            rows.append(row)
    return np.array(rows, np.int64)
