"""How alike strangers of one group look to a recognizer: for whom its threshold is worse.

    python benchmarks/groups.py --data UTKFACE --models A,B [--limit 60] [--out groups.json]

UTKFACE is the folder with UTKFace's pictures, AGE_GENDER_RACE_TIME.jpg.chip.jpg (anywhere below
it). Each picture is taken for another person, which is so by and large: the data set names
nobody, and some people are in it more than once. Pictures that share their time or their bytes
are one, and the first is kept. What is left of one person twice raises the rates of its group, so
small differences mean nothing.

Of each age band of each gender of each race at most ``--limit`` pictures take part, always the
same ones, so that groups of one kind differ in nothing else. For each group: the mean
cosine of its strangers, and the part of them that the threshold which ``verify`` uses (FAR 1e-3 on
LFW) takes for one person, with a 95 % interval from drawing pictures with replacement. "times all"
compares it with the same over all pairs of pictures, whatever their groups. Memory: 16 bytes for
each pair.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facekit import zoo
from facekit.distance import pairwise
from facekit.pipeline import FaceKit
from facekit.threshold_fit import resample
from facekit.thresholds import can_state

GENDERS = ("male", "female")
RACES = ("White", "Black", "Asian", "Indian", "Others")  # the data set's words and order
AGES = ((0, "0-9"), (10, "10-17"), (18, "18-39"), (40, "40-59"), (60, "60+"))
MINORS = ("0-9", "10-17")
ALL, ADULT = "all", "18+"
RESAMPLES = 200


@dataclass(frozen=True)
class Picture:
    """A file and what its name says."""

    path: Path
    race: str
    gender: str
    age: str

    @property
    def groups(self) -> Iterator[tuple[str, str]]:
        """Kind and name of every group that it is in."""
        yield "", ALL
        yield "race", self.race
        yield "gender", self.gender
        yield "age", self.age
        yield "race and gender", f"{self.race}, {self.gender}"
        if self.age not in MINORS:
            yield "race of adults", f"{self.race}, {ADULT}"


def pictures(folder: Path, limit: int) -> list[Picture]:
    """At most ``limit`` of each race, gender and age band; the same in every run.

    The order is that of their names' hashes, which knows nothing of age or of when a picture
    was taken. Files of other names, of which the data set has some, are left out.
    """
    seen: set[str | bytes] = set()
    cells: Counter[tuple[str, str, str]] = Counter()
    chosen = []
    files = sorted(folder.rglob("*.jpg"), key=lambda file: digest(file.name.encode()))
    for file in files:
        try:
            years, gender, race, time = file.name.split(".")[0].split("_")
            age = next(name for start, name in reversed(AGES) if int(years) >= start)
            picture = Picture(file, RACES[int(race)], GENDERS[int(gender)], age)
        except (ValueError, IndexError, StopIteration):
            continue
        cell = (picture.race, picture.gender, picture.age)
        if cells[cell] == limit or time in seen:
            continue
        content = digest(file.read_bytes())
        if content not in seen:
            seen |= {time, content}
            cells[cell] += 1
            chosen.append(picture)
    return chosen


def digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def measured(kit: FaceKit, chosen: list[Picture]) -> dict:
    """Figures of one pipeline: of all pairs, then of each group's."""
    found = [
        (picture, result.faces[0].vector)
        for picture, result in zip(chosen, kit.stream([p.path for p in chosen]), strict=True)
        if result.faces
    ]
    threshold = kit.threshold("cosine")
    if threshold.value is None:
        raise SystemExit(f"{kit.model_name} has no threshold for cosine.")
    distances = pairwise(*[np.stack([vector for _, vector in found])] * 2)
    groups: dict[tuple[str, str], list[int]] = {}
    for place, (picture, _) in enumerate(found):
        for group in picture.groups:
            groups.setdefault(group, []).append(place)
    rows = [
        {"kind": kind, "group": name, **figures(distances[np.ix_(some, some)], threshold.value)}
        for (kind, name), some in sorted(groups.items(), key=lambda item: order(*item[0]))
        if len(some) > 1
    ]
    for row in rows:
        row["times_all"] = row["accepted"] / rows[0]["accepted"] if rows[0]["accepted"] else None
    return {
        "model": kit.model_name,
        "detector": kit.detector_backend,
        "flip": kit.flip,
        "fingerprint": kit.fingerprint,
        "threshold": threshold.value,
        "calibrated": threshold.source["calibrated"],
        "pictures": len(found),
        "without_a_face": len(chosen) - len(found),
        "groups": rows,
    }


def order(kind: str, name: str) -> tuple:
    """Kinds as they are here; races, genders and ages as the data set has them."""
    kinds = ["", "race", "gender", "age", "race and gender", "race of adults"]
    words = [*RACES, *GENDERS, *(age for _, age in AGES), ALL, ADULT]
    return kinds.index(kind), *(words.index(word) for word in name.split(", "))


def figures(distances: np.ndarray, threshold: float) -> dict:
    """Of every pair of a group's pictures, from the square of their distances."""
    first, second = np.triu_indices(len(distances), 1)
    pairs = distances[first, second]
    accepted = float((pairs <= threshold).mean())
    # The rate that is asked for says how many of the closest pairs have to be looked at.
    rates = resample(
        pairs, np.stack([first, second]), [max(accepted, 1e-3)], [threshold], RESAMPLES
    )[1][0]
    low, high = np.percentile(rates, (2.5, 97.5)) if len(rates) else (0.0, 1.0)
    return {
        "pictures": len(distances),
        "pairs": len(pairs),
        "mean_cosine": float(1 - pairs.mean()),
        "accepted": accepted,
        "accepted_low": float(low),
        "accepted_high": float(high),
        "enough": can_state(accepted, len(pairs)),
    }


def table(made: list[dict]) -> str:
    """Markdown: a row a group, for each model the share of strangers that it accepts."""
    heads = ["group", "pictures", "pairs"]
    for one in made:
        heads += [f"{one['model']}: mean cosine", "accepted, %", "95 %", "times all"]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    by_name = [{row["group"]: row for row in one["groups"]} for one in made]
    for name, row in by_name[0].items():
        cells = [name, f"{row['pictures']:,}", f"{row['pairs']:,}"]
        for rows in by_name:
            cells += shown(rows[name]) if name in rows else ["", "", "", ""]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def shown(row: dict) -> list[str]:
    times = row["times_all"]
    return [
        f"{row['mean_cosine']:.3f}",
        f"{100 * row['accepted']:.2f}{'' if row['enough'] else ' *'}",
        f"{100 * row['accepted_low']:.2f} to {100 * row['accepted_high']:.2f}",
        "" if times is None else f"{times:.1f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--models", default=zoo.DEFAULT_RECOGNIZER)
    parser.add_argument("--detector", default=zoo.DEFAULT_DETECTOR)
    parser.add_argument("--limit", type=int, default=60, help="of each race, gender and age band")
    parser.add_argument("--out", type=Path, help="file for the figures as JSON")
    arguments = parser.parse_args()
    chosen = pictures(arguments.data, arguments.limit)
    if len(chosen) < 2:
        raise SystemExit(f"{arguments.data} holds no pictures of UTKFace.")
    made = [
        measured(FaceKit(model, arguments.detector), chosen)
        for model in arguments.models.split(",")
    ]
    print(table(made), end="\n\n")
    for one in made:
        print(
            f"{one['model']} with {one['detector']}: accepted are distances up to "
            f"{one['threshold']:.4f}{'' if one['calibrated'] else ' (not calibrated)'}; "
            f"{one['without_a_face']} of {len(chosen):,} pictures without a face are left out."
        )
    if not all(row["enough"] for one in made for row in one["groups"]):
        print("* fewer than three pairs accepted")
    if arguments.out:
        arguments.out.write_text(json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    main()
