"""Made-up faces that a small network learns in seconds, and a recipe for it."""

from __future__ import annotations

import numpy as np

from facekit.training.faces import cut, shards

TEACHERS = {"Colour": 12, "Stripes": 8}  # name -> length of its embeddings
SIDE = cut.SIDE + 2 * cut.MARGIN


def picture(person: int, rng: np.random.Generator) -> np.ndarray:
    """A person is a colour with stripes of some width and direction."""
    own = np.random.default_rng(person)
    colour = own.integers(60, 200, 3)
    turn, width = own.uniform(0, np.pi), own.uniform(6, 20)
    y, x = np.mgrid[:SIDE, :SIDE] + rng.normal(scale=3, size=(2, 1, 1))
    stripes = 40 * np.sin((x * np.cos(turn) + y * np.sin(turn)) * 2 * np.pi / width)
    drawn = colour + stripes[..., None] + rng.normal(scale=12, size=(SIDE, SIDE, 3))
    return np.clip(drawn, 0, 255).astype(np.uint8)


def prepare(folder, *, train=10, held_out=6, unknown=4, each=5, seed=0):
    """Write a prepared folder: people 0 .. of each split, and some whom nobody knows."""
    rng = np.random.default_rng(seed)
    faces, crops, people = [], [], []
    for person in range(train + held_out + unknown):
        split = "validation" if train <= person < train + held_out else "train"
        name = f"P{person:02}" if person < train + held_out else ""
        for _ in range(each if name else 1):
            key = f"{len(faces):05}"
            faces.append(shards.Kept(key, split, name, f"{key}.jpg", ""))
            crops.append(cut.encoded(picture(person, rng)))
            people.append(person)
    shards.write(folder, faces, crops, "shards")
    (folder / "teachers").mkdir(parents=True)
    for name, length in TEACHERS.items():
        directions = np.random.default_rng(length).normal(size=(max(people) + 1, length))
        vectors = directions[people] + 0.1 * rng.normal(size=(len(people), length))
        np.save(folder / "teachers" / f"{name}.npy", vectors.astype(np.float16))
    return folder


def recipe(data, out, **changes):
    """Plain values of a recipe that is over in a few seconds."""
    return {
        "data": [str(data)],
        "out": str(out),
        "network": {"kind": "convnext", "dims": [8, 16, 24], "depths": [1, 1, 1], "head": 32},
        "teachers": {"Colour": 1.0, "Stripes": 0.5},
        "identity": {"loss": "arcface", "weight": 0.02, "photos": 2, "scale": 16},
        "optimizer": "muon",
        "epochs": 6,
        "batch": 8,
        "warmup": 4,
        "device": "cpu",
        "threads": 1,
        "validate_every": 15,
        "save_every": 4,
        **changes,
    }
