"""Writers that are killed at random, beside readers: nothing stored is lost, doubled or torn.

    python benchmarks/gallery_crash.py [--seconds 60] [--kills 50] [--writers 2] [--readers 8]

Each writer adds photos of one to three faces, reports those that ``add`` has returned for,
and now and then forgets the person of the photo before; one after the other is killed with
SIGKILL at a random moment and replaced. Vectors follow from the photo's name, so readers,
which search all the time, and the count at the end can tell a wrong byte. It ends with exit
code 1 and a line a fault, or with counts.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from pathlib import Path

import numpy as np

from facekit import distance
from facekit.gallery.records import Entry, NewFace, Origin, Photo
from facekit.gallery.store import folder as store
from facekit.gallery.store.folder import FolderGallery

ORIGIN = Origin("Net", "finder", "0123456789ab", 128)
FORGET_EVERY = 7


def vectors(path: str) -> np.ndarray:
    """The faces of a photo, ``float32 (1..3, 128)``."""
    rng = np.random.default_rng(zlib.crc32(path.encode()))
    return rng.normal(size=(1 + rng.integers(3), 128)).astype(np.float32)


def write(place: str, name: str) -> None:
    """Add photos and report each, until killed."""
    store._LEAST_HOLES = 30  # so that compaction, too, is met by kills
    gallery = FolderGallery.create(place, ORIGIN)
    before = ""
    for number in range(sys.maxsize):
        path = f"{name}-{number}"
        faces = [NewFace(v, path, tags=[str(i)]) for i, v in enumerate(vectors(path))]
        gallery.add([Entry(Photo(path), faces)])
        print("added", path, flush=True)
        if number % FORGET_EVERY == FORGET_EVERY - 1:
            print("forgetting", before, flush=True)
            left = gallery.forget(before).left
            print("forgotten" if not left else "traces", before, flush=True)
        before = path


def read(place: str, seed: str) -> None:
    """Search and check every hit, until the input ends; then report."""
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    rng = np.random.default_rng(int(seed))
    gallery = FolderGallery.create(place, ORIGIN)
    searches = hits = 0
    while not ended.is_set():
        queries = rng.normal(size=(2, 128)).astype(np.float32)
        for query, found in zip(queries, gallery.search(queries, 20), strict=True):
            gaps = [hit.distance for hit in found]
            assert gaps == sorted(gaps), "hits are out of order"
            assert len({hit.face.id for hit in found}) == len(found), "a face twice"
            for hit in found:
                mine = vectors(hit.face.path)[int(hit.face.tags[0])]
                assert hit.face.person == hit.face.path, "a face of another photo"
                assert hit.distance == distance.distance(mine, query), "a torn vector"
            hits += len(found)
        searches += 1
    print(searches, hits)


class Writer:
    """A writer's process, and what it has reported."""

    def __init__(self, place: str, name: str) -> None:
        command = [sys.executable, __file__, "--role", "write", place, name]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.lines: list[str] = []
        self.thread = threading.Thread(target=self._listen)
        self.thread.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.endswith("\n"):  # what the kill cut off was not reported
                self.lines.append(line.strip())

    def kill(self) -> None:
        """End it without warning."""
        self.process.kill()
        self.process.wait()
        self.thread.join()


def check(place: str, lines: list[str]) -> list[str]:
    """What is wrong with a gallery after the writers' reports."""
    added = {line.split()[1] for line in lines if line.startswith("added ")}
    unsure = {line.split()[1] for line in lines if line.startswith("forgetting ")}
    gone = {line.split()[1] for line in lines if line.startswith("forgotten ")}
    faults = [line for line in lines if line.startswith("traces ")]
    found: dict[str, list[tuple[str, np.ndarray]]] = {}
    with FolderGallery(place) as gallery:
        for face, vector in gallery.faces():
            found.setdefault(face.path, []).append((face.tags[0], vector))
        paths = [photo.path for photo in gallery.photos()]
    faults += [f"{path} is lost" for path in added - unsure - set(found)]
    faults += [f"{path} was forgotten and is there" for path in gone & set(paths)]
    if len(paths) != len(set(paths)) or set(paths) != set(found):
        faults.append("photos and faces do not agree")
    for path, faces in found.items():
        expected = vectors(path)
        right = [tag for tag, _ in faces] == [str(i) for i in range(len(expected))]
        if not (right and np.array_equal(np.stack([v for _, v in faces]), expected)):
            faults.append(f"{path} has {len(faces)} faces instead of {len(expected)}, or others")
    return faults


def run(arguments: argparse.Namespace, place: str) -> list[str]:
    """Faults of one run; prints what was done."""
    rng = random.Random(arguments.seed)
    FolderGallery.create(place, ORIGIN).close()
    readers = [
        subprocess.Popen(
            [sys.executable, __file__, "--role", "read", place, str(i)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for i in range(arguments.readers)
    ]
    writers = [Writer(place, f"w{i}-0") for i in range(arguments.writers)]
    lines: list[str] = []
    start, kills = time.monotonic(), 0
    while kills < arguments.kills or time.monotonic() - start < arguments.seconds:
        at = kills % len(writers)
        while len(writers[at].lines) < 3 and writers[at].process.poll() is None:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 2 * arguments.seconds / max(1, arguments.kills)))
        writers[at].kill()
        lines += writers[at].lines
        kills += 1
        writers[at] = Writer(place, f"w{at}-{kills}")
    for writer in writers:
        writer.kill()
        lines += writer.lines
    faults = []
    searches = hits = 0
    for reader in readers:
        said, _ = reader.communicate("")
        if reader.returncode:
            faults.append("a reader found a fault")
        else:
            searches, hits = (
                x + int(y) for x, y in zip((searches, hits), said.split(), strict=True)
            )
    faults += check(place, lines)
    added = sum(line.startswith("added") for line in lines)
    forgotten = sum(line.startswith("forgotten") for line in lines)
    print(
        f"{time.monotonic() - start:.0f} s: {kills} kills, {added} photos added, {forgotten} "
        f"forgotten, {searches} searches with {hits} hits; {len(faults)} faults"
    )
    return faults


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--writers", type=int, default=2)
    parser.add_argument("--readers", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--role", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.role:
        role, place, name = arguments.role
        {"write": write, "read": read}[role](place, name)
        return
    with tempfile.TemporaryDirectory() as folder:
        faults = run(arguments, os.fspath(Path(folder) / "gallery"))
    print(*faults, sep="\n", end="")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
