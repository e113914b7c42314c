"""Vectors of many pictures by many pipelines: each picture decoded once, each face found once
by each detector, each crop cut once for all recognizers that want the same."""

from __future__ import annotations

import hashlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from facekit import images
from facekit.benchmark.cache import Cache, Content, content_of
from facekit.benchmark.protocol import Protocol
from facekit.detectors.skip import whole_picture
from facekit.errors import FaceKitError
from facekit.fingerprint import detector_fingerprint
from facekit.parallel import in_chunks
from facekit.pipeline import DEFAULT_FACE_RULE, FACE_RULES, FaceKit
from facekit.runtime import cpu_count
from facekit.types import Detection

_PICTURES_A_CHUNK = 16
NO_FACE = "no face was found"

Face = tuple[Detection | None, str]  # or None and why


@dataclass(frozen=True)
class Pipeline:
    """A detector and a recognizer, and whether faces are aligned and mirror images added."""

    model: str
    detector: str
    align: bool = True
    flip: bool = False


@dataclass(frozen=True, eq=False)
class Embedded:
    """Vectors of a protocol's pictures.

    Attributes
    ----------
    vectors : numpy.ndarray
        ``float32 (N, D)`` in the order of the protocol's pictures; NaN where there is none.
    missed : list of tuple
        Place, name and reason of each picture without a vector.
    seconds : dict
        CPU seconds a picture of ``decode``, ``detect``, ``align`` and ``embed``, over all runs
        that the cache remembers; a step that was never run is None.
    """

    vectors: np.ndarray
    missed: list[tuple[int, str, str]]
    seconds: dict[str, float | None]


class Embeddings:
    """A protocol's pictures through several pipelines; what the cache knows is not done again.

    Parameters
    ----------
    protocol : Protocol
    pipelines : sequence of Pipeline
    cache : Cache
    threads : int, optional
        CPUs to use; by default those that this process may use.

    Raises
    ------
    UnknownName, WeightsUnavailable, MissingDependency
        When a pipeline cannot run.
    """

    def __init__(
        self,
        protocol: Protocol,
        pipelines: Sequence[Pipeline],
        cache: Cache,
        threads: int | None = None,
    ) -> None:
        self.protocol = protocol
        self._cache = cache
        self._threads = threads or cpu_count()
        self._contents = [_content(source) for source in protocol.pictures]
        points = protocol.points
        self._branches = {
            pipeline: _Branch(pipeline, points) for pipeline in dict.fromkeys(pipelines)
        }

    def missing(self) -> int:
        """Number of pictures that some pipeline has still to see."""
        return sum(1 for _ in self._work())

    def make(self, advance: Callable[[int], Any] = lambda _: None, *, bar: bool = False) -> None:
        """Compute what is missing, keeping it as it comes.

        Parameters
        ----------
        advance : callable
            Called with the number of pictures done since its last call.
        bar : bool
            Show a bar with the time left on stderr.
        """
        work = list(self._work())
        if bar and work:
            from tqdm import tqdm

            with tqdm(total=len(work), unit=" pictures", smoothing=0.1) as shown:
                self._make(work, shown.update)
        else:
            self._make(work, advance)

    def _make(self, work: list[_Item], advance: Callable[[int], Any]) -> None:
        # A chunk comes back whole, and is kept before the next one is looked at.
        for made in in_chunks(self._chunk, work, _PICTURES_A_CHUNK, self._threads):
            self._save(made)
            advance(len(made))

    def __getitem__(self, pipeline: Pipeline) -> Embedded:
        """What one pipeline gave; call ``make`` first."""
        branch = self._branches[pipeline]
        known = [
            self._cache.vectors(part, (c for c, _ in self._contents if c)) for part in branch.parts
        ]
        vectors = np.full((len(self._contents), branch.dimension), np.nan, np.float32)
        missed = []
        for i, (content, trouble) in enumerate(self._contents):
            found = [side[content] for side in known] if content else [(None, trouble)]
            reason = next((why for vector, why in found if vector is None), None)
            if reason is None:
                vectors[i] = sum(vector for vector, _ in found if vector is not None)
            else:
                missed.append((i, images.describe(self.protocol.pictures[i]), reason))
        return Embedded(vectors, missed, self._seconds(branch))

    def _seconds(self, branch: _Branch) -> dict[str, float | None]:
        embedding = [self._cache.cost(f"embed {part}") for part in branch.parts]
        return {
            "decode": self._cache.cost("decode"),
            "detect": self._cache.cost(f"detect {branch.face_key}"),
            "align": self._cache.cost(branch.align_key),
            "embed": sum(embedding) if None not in embedding else None,  # type: ignore[arg-type]
        }

    # -- work ----------------------------------------------------------------------

    def _work(self) -> Iterator[_Item]:
        """Pictures with what is missing of each."""
        parts = {part: branch for branch in self._branches.values() for part in branch.parts}
        known = {part: self._cache.known(part) for part in parts}
        readable = [content for content, _ in self._contents if content]
        faces = {
            branch.face_key: self._cache.faces(branch.face_key, readable)
            for branch in self._branches.values()
        }
        seen: set[Content] = set()
        for source, (content, _) in zip(self.protocol.pictures, self._contents, strict=True):
            if content is None or content in seen:
                continue
            seen.add(content)
            todo = [part for part in parts if content not in known[part]]
            if todo:
                mine = {key: some[content] for key, some in faces.items() if content in some}
                yield _Item(source, content, {part: parts[part] for part in todo}, mine)

    def _chunk(self, items: list[_Item], threads: int) -> list[list[_Made]]:
        # One CPU a chunk even when there is only one chunk, so that CPU time is all of it.
        del threads
        clock = _Clock()
        made = [_Made(item.content) for item in items]
        made[0].clock = clock  # the whole chunk's
        waiting = iter(zip(items, made, strict=True))
        groups = images.load_groups(item.source for item in items)
        while True:
            with clock("decode", 0):
                group = next(groups, None)
            if group is None:
                return [made]
            clock.count("decode", len(group))
            pictures = []
            for _, picture in group:
                item, one = next(waiting)
                if isinstance(picture, FaceKitError):
                    one.vectors = {part: (None, str(picture)) for part in item.parts}
                else:
                    pictures.append((item, one, picture))
            self._group(pictures, clock)

    def _group(self, pictures: list[tuple[_Item, _Made, np.ndarray]], clock: _Clock) -> None:
        branches: dict[str, list[_Branch]] = defaultdict(list)
        for branch in {id(b): b for item, _, _ in pictures for b in item.parts.values()}.values():
            branches[branch.face_key].append(branch)
        for key, some in branches.items():
            wanted = [
                (item, mine, picture)
                for item, mine, picture in pictures
                if any(branch.face_key == key for branch in item.parts.values())
            ]
            self._find(key, some[0], wanted, clock)
            crops: dict[tuple, np.ndarray] = {}
            for branch in some:
                self._embed(branch, wanted, crops, clock)

    def _find(
        self,
        key: str,
        branch: _Branch,
        pictures: list[tuple[_Item, _Made, np.ndarray]],
        clock: _Clock,
    ) -> None:
        new = [entry for entry in pictures if key not in entry[0].faces]
        if not new:
            return
        with clock(f"detect {key}", len(new)):
            found = branch.find([picture for _, _, picture in new])
        for (item, made, _), face in zip(new, found, strict=True):
            item.faces[key] = made.faces[key] = face

    def _embed(
        self,
        branch: _Branch,
        pictures: list[tuple[_Item, _Made, np.ndarray]],
        crops: dict[tuple, np.ndarray],
        clock: _Clock,
    ) -> None:
        for part, mirrored in branch.parts.items():
            cut: list[np.ndarray] = []
            owners = []
            for item, made, picture in pictures:
                if part not in item.parts:
                    continue
                face, why = item.faces[branch.face_key]
                if face is None:
                    made.vectors[part] = (None, why)
                    continue
                owners.append(made)
                name = (item.content, branch.crop_key)
                if name not in crops:
                    with clock(branch.align_key, 1):
                        crops[name] = branch.crop(picture, face)
                cut.append(crops[name])
            if not owners:
                continue
            stack = np.stack(cut)
            with clock(f"embed {part}", len(owners)):
                vectors = branch.embed(stack[:, :, ::-1] if mirrored else stack)
            for made, vector in zip(owners, vectors, strict=True):
                made.vectors[part] = (vector, "")

    def _save(self, made: Sequence[_Made]) -> None:
        with self._cache as cache:
            cache.keep_faces(
                (key, one.content, face, why)
                for one in made
                for key, (face, why) in one.faces.items()
            )
            cache.keep_vectors(
                (part, one.content, vector, why)
                for one in made
                for part, (vector, why) in one.vectors.items()
            )
            for one in made:
                if one.clock is not None:
                    cache.add_costs(one.clock.rows())


class _Branch:
    """One pipeline, opened; its vector is the sum of its parts (face, mirror image)."""

    def __init__(self, pipeline: Pipeline, points: np.ndarray | None) -> None:
        # The identity of the face's own vector; the mirror image's is kept beside it.
        kit = FaceKit(pipeline.model, pipeline.detector, align=pipeline.align, flip=False)
        kit.have_weights()
        self._kit = kit
        self._points = points
        self.align = pipeline.align
        self.face_key = detector_fingerprint(kit.detector)
        self.identity = kit.fingerprint
        if points is not None:
            mark = hashlib.sha256(np.asarray(points, "<f4").tobytes()).hexdigest()[:12]
            self.face_key, self.identity = f"points {mark}", f"{kit.fingerprint} points {mark}"
        self.parts = {self.identity: False}
        if pipeline.flip:
            self.parts[f"{self.identity} mirrored"] = True
        spec = kit.recognizer.spec
        self.dimension = spec.dimension
        self.crop_key = (
            *(spec.kind, spec.crop, spec.input_size, spec.template, spec.margin),
            *(spec.box_scale, spec.box_centre, spec.interpolation, pipeline.align),
        )

        # Recognizers that want the same crop share it, and what it took.
        mark = hashlib.sha256(repr(self.crop_key).encode()).hexdigest()[:12]
        self.align_key = f"align {self.face_key} {mark}"

    def find(self, pictures: list[np.ndarray]) -> list[Face]:
        if self._points is not None:
            return [(self._given(picture), "") for picture in pictures]
        rule = FACE_RULES[DEFAULT_FACE_RULE]
        found: list[Face] = []
        for picture, faces in zip(pictures, self._kit.detector.detect(pictures, 1), strict=True):
            best = min(faces, key=lambda face: rule(face, picture.shape), default=None)
            found.append((best, "" if best else NO_FACE))
        return found

    def _given(self, picture: np.ndarray) -> Detection:
        whole = whole_picture(picture)
        size = np.array([picture.shape[1], picture.shape[0]], np.float32)
        points = np.asarray(self._points, np.float32) * size
        return Detection(whole.box, 1.0, points, whole.raw_box)

    def crop(self, picture: np.ndarray, face: Detection) -> np.ndarray:
        return self._kit.recognizer.crop(picture, face, align=self.align)

    def embed(self, crops: np.ndarray) -> np.ndarray:
        return self._kit.recognizer.embed(crops, threads=1)


@dataclass(eq=False)
class _Item:
    source: Any
    content: Content
    parts: dict[str, _Branch]
    faces: dict[str, Face]


@dataclass(eq=False)
class _Made:
    content: Content
    faces: dict[str, Face] = field(default_factory=dict)
    vectors: dict[str, tuple[np.ndarray | None, str]] = field(default_factory=dict)
    clock: _Clock | None = None


class _Clock:
    """CPU seconds of this thread by kind of work: other threads and programs don't count."""

    def __init__(self) -> None:
        self._spent: dict[str, list[float]] = defaultdict(lambda: [0, 0.0])

    @contextmanager
    def __call__(self, work: str, pictures: int) -> Iterator[None]:
        start = time.thread_time()
        try:
            yield
        finally:
            spent = self._spent[work]
            spent[0] += pictures
            spent[1] += time.thread_time() - start

    def count(self, work: str, pictures: int) -> None:
        self._spent[work][0] += pictures

    def rows(self) -> Iterator[tuple[str, int, float]]:
        for work, (pictures, seconds) in self._spent.items():
            yield work, int(pictures), seconds


def _content(source: Any) -> tuple[Content | None, str]:
    """A picture's identity, or None and why it cannot be read."""
    try:
        return content_of(source), ""
    except FaceKitError as error:
        return None, str(error)
