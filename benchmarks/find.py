"""The gallery against the bare matrix product, deepface's loop and a cold `verify`.

    python benchmarks/find.py --photos FOLDER [--count 1000000] [--rounds 7] [--parts ...]

FOLDER is one of photos whose sub-folders are people (LFW's); it is indexed at the first run.
A gallery of --count made-up embeddings is written into --work. Their distribution is that of
the photos' embeddings: each person's centre is drawn from a normal distribution with the mean
and covariance of the people's centres, each face around it with the covariance within people,
5 faces a person.

All figures are ratios of times, or of bytes, taken in turn in one run; medians of --rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from facekit import FaceKit, distance
from facekit.gallery import packing
from facekit.gallery.finding import default_place
from facekit.gallery.index import person_of, refresh
from facekit.gallery.pipelines import origin_of
from facekit.gallery.records import Entry, NewFace, Origin
from facekit.gallery.store.folder import FolderGallery, is_gallery
from facekit.gallery.store.state import state_of

FACES_A_PERSON = 5
LOOP_ROWS = 5000  # of deepface's loop, whose time grows in proportion
ADDED = 20
AT_ONCE = 20_000
LEAN = ("float16", "int16")
PAUSE = 0.3  # seconds in which the threads of the BLAS call before stop waiting for more


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def in_turn(rounds: int, *works: Callable[[], object]) -> list[float]:
    """Median seconds of some calls that are made in turn, after one that does not count."""
    for work in works:
        work()
    taken = [[seconds(work) for work in works if not time.sleep(PAUSE)] for _ in range(rounds)]
    return [statistics.median(times) for times in zip(*taken, strict=True)]


def indexed(folder: Path) -> tuple[FolderGallery, np.ndarray, list[str | None], list[str]]:
    """The photos' gallery, and its vectors, people and paths."""
    kit = FaceKit()
    kit.probes([])
    origin = origin_of(kit)
    gallery = FolderGallery.create(default_place(kit, os.fspath(folder), origin), origin)
    refresh(kit, gallery, folder, lambda done, total: print(f"\r{done}/{total}", end=""))
    faces = list(gallery.faces())
    vectors = np.stack([vector for _, vector in faces])
    return gallery, vectors, [face.person for face, _ in faces], [face.path for face, _ in faces]


def synthetic(
    vectors: np.ndarray, people: list[str | None], count: int, seed: int = 0
) -> Iterator[np.ndarray]:
    """Embeddings with the distribution of real ones, in groups of ``(AT_ONCE, D)``."""
    exact = vectors.astype(np.float64)
    owner = np.unique(np.array(people, str), return_inverse=True)[1]
    sizes = np.bincount(owner)
    centres = np.zeros((len(sizes), exact.shape[1]))
    np.add.at(centres, owner, exact)
    centres /= sizes[:, None]
    several = sizes[owner] > 1
    # A mean of n faces is closer to them than the person's true centre: n - 1 in the divisor.
    free = (sizes[sizes > 1] - 1).sum()
    around = exact[several] - centres[owner[several]]
    within = np.linalg.cholesky(around.T @ around / free + 1e-9 * np.eye(exact.shape[1]))
    between = np.linalg.cholesky(np.cov(centres.T) + 1e-9 * np.eye(exact.shape[1]))
    rng = np.random.default_rng(seed)
    for start in range(0, count, AT_ONCE):
        size = min(AT_ONCE, count - start)
        drawn = rng.normal(size=(-(-size // FACES_A_PERSON), exact.shape[1])) @ between.T
        mine = np.repeat(drawn, FACES_A_PERSON, axis=0)[:size] + centres.mean(0)
        yield (mine + rng.normal(size=mine.shape) @ within.T).astype(np.float32)


def filled(place: Path, groups: Iterator[np.ndarray], dimension: int, dtype: str) -> None:
    """A gallery of made-up embeddings, unless it is there."""
    if is_gallery(place):
        return
    with FolderGallery.create(place, Origin("made-up", "-", "0" * 12, dimension), dtype) as made:
        number = 0
        for rows in groups:
            faces = [
                NewFace(v, f"person {(number + i) // FACES_A_PERSON}") for i, v in enumerate(rows)
            ]
            made.add([Entry(None, faces)])
            number += len(rows)


def speed(place: Path, queries: np.ndarray, rounds: int) -> None:
    """Search against the bare products and deepface's loop."""
    with FolderGallery(place) as gallery:
        with gallery._db.reading() as db:
            matrix, _ = gallery._view(state_of(db))
        count = len(matrix)
        one, many = queries[:1], queries[:64]
        out, outs = np.empty(count, np.float32), np.empty((64, count), np.float32)
        whole, bare = in_turn(
            rounds,
            lambda: gallery.search(one, 10),
            lambda: np.dot(matrix, one[0], out=out),
        )
        print(f"{count:,} x {matrix.shape[1]}, top 10, one query: {1000 * whole:.1f} ms")
        print(f"  against one matrix-vector product ({1000 * bare:.1f} ms): {whole / bare:.2f} x")
        loop = seconds(lambda: deepface_loop(matrix[:LOOP_ROWS], one[0])) * count / LOOP_ROWS
        print(
            f"  deepface's loop ({loop:.0f} s, from {LOOP_ROWS} rows): {loop / whole:.0f} x as long"
        )
        whole, bare = in_turn(
            rounds,
            lambda: gallery.search(many, 10),
            lambda: np.dot(many, matrix.T, out=outs),
        )
        print(
            f"  64 queries: {1000 * whole:.0f} ms; the bare product {1000 * bare:.0f} ms: "
            f"{whole / bare:.2f} x"
        )


def deepface_loop(rows: np.ndarray, query: np.ndarray) -> list[float]:
    """What deepface does for each query: a data frame's rows one by one."""
    import pandas as pd

    frame = pd.DataFrame({"embedding": [row.tolist() for row in rows]})
    wanted = query.tolist()
    gaps = []
    for _, instance in frame.iterrows():
        a, b = np.array(instance["embedding"]), np.array(wanted)
        gaps.append(1 - np.dot(a, b) / (np.linalg.norm(a) * np.linalg.norm(b)))
    return gaps


FRESH = """
import json, resource, sys, time
import numpy as np
from facekit.gallery import topk
from facekit.gallery.store.folder import FolderGallery
place, matrix = sys.argv[1:3]
query = np.array(json.loads(sys.argv[3]), np.float32)
peak = lambda: int([l for l in open("/proc/self/status") if "VmHWM" in l][0].split()[1]) * 1024
before = peak()
start = time.perf_counter()
gallery = FolderGallery(place)
opened = time.perf_counter()
gallery.search(query[None], 10)
first = time.perf_counter()
gallery.search(np.repeat(query[None], 64, 0) + np.arange(64)[:, None] * 1e-3, 10)
after = peak()
buffer = bytearray(1 << 24)
begin = time.perf_counter()
with open(matrix, "rb", buffering=0) as file:
    while file.readinto(buffer):
        pass
print(json.dumps([opened - start, first - start, time.perf_counter() - begin, after - before]))
"""


def opening(place: Path, query: np.ndarray, rounds: int) -> None:
    """A fresh process: opening, the first answer, memory."""
    matrix = next(iter(place.glob("vectors-*")))
    command = [sys.executable, "-c", FRESH, str(place), str(matrix), json.dumps(query.tolist())]
    runs = [
        json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
        for _ in range(rounds)
    ]
    opened, first, read, memory = (statistics.median(v) for v in zip(*runs, strict=True))
    with FolderGallery(place) as gallery:
        info = gallery.info()
    size = info["faces"] * len(packing.packed(query[None], info["dtype"]).tobytes())
    print(
        f"opening, {info['dtype']}: {1000 * opened:.1f} ms; with the first answer "
        f"{1000 * first:.0f} ms"
    )
    print(f"  reading the matrix from the page cache {1000 * read:.0f} ms: {first / read:.2f} x")
    print(f"  memory of one and of 64 queries: {memory / size:.3f} x the matrix")


def adding(place: Path, small: Path, rows: np.ndarray) -> None:
    """One face into a large and a small gallery; they are taken out again."""
    for where in (small, place):
        with FolderGallery(where) as gallery:
            count = gallery.info()["faces"]
            times = []
            for i in range(ADDED):
                entry = [Entry(None, [NewFace(rows[i], "added")])]
                times.append(seconds(lambda entry=entry: gallery.add(entry)))
            print(
                f"adding one face to {count:,}: {1000 * statistics.median(times):.1f} ms, "
                f"at most {1000 * max(times):.1f} ms"
            )
            gallery.forget("added")


def half(place: Path, vectors: np.ndarray, dtype: str) -> None:
    """Whether a gallery of half the size gives the same first hit on real embeddings."""
    filled(place, iter([vectors]), vectors.shape[1], dtype)
    with FolderGallery(place) as gallery:
        same = 0
        for start in range(0, len(vectors), 500):
            some = vectors[start : start + 500]
            gaps = distance.pairwise(some, vectors)
            gaps[np.arange(len(some)), start + np.arange(len(some))] = np.inf
            wanted = gaps.argmin(1) + 1
            for i, hits in enumerate(gallery.search(some, 3)):
                first = next(h.face.id for h in hits if h.face.id != start + i + 1)
                same += first == wanted[i]
        print(f"{dtype}: the same closest other face for {same} of {len(vectors)} real embeddings")


def approximate(place: Path, queries: np.ndarray, recall: float, rounds: int) -> None:
    """The index against the exact search, on queries that took no part in choosing it."""
    with FolderGallery(place) as gallery:
        taken = seconds(lambda: gallery.make_index(recall))
        info = gallery.info()
        if info["index"] is None:
            print(f"index of recall {recall:.2%}: none is twice as fast as the exact search")
            return
        for k in (10, 100):
            exact = gallery.search(queries, k)
            singly = [gallery.search(query[None], k, recall=recall) for query in queries]
            quick = [hits for (hits,) in singly]
            both = [
                len({hit.face.id for hit in a} & {hit.face.id for hit in b}) / k
                for a, b in zip(exact, quick, strict=True)
            ]
            print(
                f"top {k} by {info['index']}: measured recall {singly[0].recall:.2%}; "
                f"{statistics.mean(both):.2%} on {len(queries)} new queries"
            )
        size = (place / "approximate.index").stat().st_size
        print(f"  made in {taken:.0f} s; {size / info['bytes']:.3f} of the gallery's bytes")
        for count in (1, 4, 64):
            some = queries[:count]
            whole, short = in_turn(
                rounds,
                lambda some=some: gallery.search(some, 10),
                lambda some=some: gallery.search(some, 10, recall=recall),
            )
            print(
                f"  {count} queries: {1000 * short:.1f} ms, exactly {1000 * whole:.1f} ms: "
                f"{whole / short:.1f} x as fast"
            )


def rank_one(gallery: FolderGallery, kit: FaceKit) -> None:
    """Whether the closest face of another photo is the same person's; one face a photo.

    A photo in which no face was found counts as wrong.
    """
    first: dict[str, np.ndarray] = {}
    for face, vector in gallery.faces():
        if face.path is not None:
            first.setdefault(face.path, vector)
    photos = [photo.path for photo in gallery.photos()]
    owner = dict(
        zip(photos, np.unique([person_of(p) for p in photos], return_inverse=True)[1], strict=True)
    )
    counts = np.bincount(list(owner.values()))
    asked = [path for path in photos if counts[owner[path]] > 1]
    paths = list(first)
    people = np.array([owner[path] for path in paths])
    vectors = np.stack([first[path] for path in paths])
    probes = np.flatnonzero(counts[people] > 1)
    right = 0
    for start in range(0, len(probes), 500):
        some = probes[start : start + 500]
        gaps = distance.pairwise(vectors[some], vectors)
        gaps[np.arange(len(some)), some] = np.inf
        right += int((people[gaps.argmin(1)] == people[some]).sum())
    print(
        f"rank 1, leave one out, {kit.model_name} with {kit.detector_backend}: "
        f"{right} of {len(asked)} photos ({right / len(asked):.2%}) of {(counts > 1).sum():,} "
        f"people, among {len(photos):,} photos of {len(counts):,}; no face in "
        f"{len(asked) - len(probes)} of them"
    )


def whole_process(folder: Path, rounds: int) -> None:
    """`facekit find` on the indexed folder against `facekit verify`, each a fresh process."""
    photos = sorted(folder.rglob("*.jpg"))[:2]
    run = [sys.executable, "-m", "facekit"]
    quiet = {"stdout": subprocess.DEVNULL, "check": True}
    find, verify = in_turn(
        rounds,
        lambda: subprocess.run([*run, "find", photos[0], folder, "--json"], **quiet),
        lambda: subprocess.run([*run, "verify", *photos, "--json"], **quiet),
    )
    print(f"find, whole process: {find:.2f} s; verify {verify:.2f} s: {find / verify:.2f} x")


def main() -> None:
    parts = ("speed", "opening", "adding", "half", "index", "rank", "process")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", required=True, type=Path, help="folder of photos")
    parser.add_argument("--work", required=True, type=Path, help="folder for made-up galleries")
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--recall", type=float, default=0.99, help="of the index")
    parser.add_argument("--parts", default=",".join(parts), help="which figures")
    arguments = parser.parse_args()
    wanted = arguments.parts.split(",")
    gallery, vectors, people, _ = indexed(arguments.photos)
    count, dimension = arguments.count, vectors.shape[1]
    large = arguments.work / f"large-{count}"
    queries = next(synthetic(vectors, people, 1000, seed=1))
    if {"speed", "opening", "adding", "index"} & set(wanted):
        filled(large, synthetic(vectors, people, count), dimension, "float32")
    if "speed" in wanted:
        speed(large, queries, arguments.rounds)
    if "opening" in wanted:
        opening(large, queries[0], arguments.rounds)
        for dtype in LEAN:
            lean = arguments.work / f"{dtype}-{count}"
            filled(lean, synthetic(vectors, people, count), dimension, dtype)
            opening(lean, queries[0], arguments.rounds)
    if "adding" in wanted:
        small = arguments.work / "small"
        filled(small, synthetic(vectors, people, 1000), dimension, "float32")
        adding(large, small, queries)
    if "index" in wanted:
        approximate(large, queries[:300], arguments.recall, arguments.rounds)
    if "half" in wanted:
        for dtype in LEAN:
            half(arguments.work / f"real-{dtype}-{len(vectors)}", vectors, dtype)
    if "rank" in wanted:
        rank_one(gallery, FaceKit())
    if "process" in wanted:
        whole_process(arguments.photos, arguments.rounds)
    print(
        f"peak memory of this run {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB"
    )


if __name__ == "__main__":
    main()
