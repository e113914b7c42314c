"""FaceKit: configured once, then pictures -> faces -> crops -> embeddings."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from facekit import (
    checks,
    detectors,
    distance,
    geometry,
    images,
    recognizers,
    thresholds,
    verdict,
    zoo,
)
from facekit.detectors.skip import whole_picture
from facekit.errors import (
    FaceKitError,
    FaceNotFound,
    InvalidArgument,
    UnknownName,
    WeightsUnavailable,
)
from facekit.fingerprint import fingerprint
from facekit.parallel import in_chunks
from facekit.recognizers import normalization as norm
from facekit.runtime import cpu_count
from facekit.types import Detection, Embedding, Face, Result, VerifyResult


def _from_centre(face: Detection, shape: tuple[int, ...]) -> float:
    """Squared distance between the face's and the picture's centre, in pixels."""
    x1, y1, x2, y2 = (float(v) for v in face.box)
    return ((x1 + x2 - shape[1]) / 2) ** 2 + ((y1 + y2 - shape[0]) / 2) ** 2


# Which of several faces comes first: rule -> sort key.
FACE_RULES: dict[str, Callable[[Detection, tuple[int, ...]], float]] = {
    # Size, less for faces off the centre: the rule of FaceNet's and InsightFace's
    # LFW scripts. A passer-by at the edge may be larger than the person portrayed.
    "prominent": lambda face, shape: 2 * _from_centre(face, shape) - face.area,
    "largest": lambda face, _: -face.area,
    "most_confident": lambda face, _: -face.score,
    "center": _from_centre,
}
DEFAULT_FACE_RULE = "prominent"

# Picture and face -> what a caller wants to know of the pixels.
Look = Callable[[np.ndarray, Detection], Any]


class FaceKit:
    """A face pipeline: one detector, one recognizer, one set of choices.

    Parameters are stored as given and checked here; networks are opened at the
    first picture. An object may be shared by any number of threads.

    Parameters
    ----------
    model_name : str
        Recognizer; see ``facekit models``.
    detector_backend : str
        Detector, or ``skip`` when the pictures are faces already.
    align : bool
        Fit the face's five points onto the network's template. With False the box
        alone decides, which costs accuracy.
    expand_percentage : float
        Widen what a crop shows by this many percent.
    normalization : str, optional
        One of deepface's names (base, raw, Facenet, Facenet2018, VGGFace,
        VGGFace2, ArcFace). By default each network gets the scaling that it was
        trained with.
    enforce_detection : bool
        A picture without a face is an error; with False it is embedded whole, and
        its detection has score 0.
    faces : str
        Which face of several comes first, and is therefore compared: ``prominent``
        (the largest, with a preference for the centre: area minus twice the squared
        distance between the centres), ``largest``, ``most_confident`` or ``center``.
    max_faces : int, optional
        Keep only so many of each picture, after that rule.
    flip : bool, optional
        Add the embedding of the mirror image: more accurate, twice the embedding
        time. By default what the model's spec says.
    threads : int, optional
        CPUs to use; by default those that this process may use.
    batch_size : int
        Pictures that a worker handles together.
    detector_options : mapping, optional
        Arguments of the detector, such as ``{"min_face_size": 40}``.

    Raises
    ------
    UnknownName, InvalidArgument
        For a name that does not exist or a value out of range.
    """

    def __init__(
        self,
        model_name: str = zoo.DEFAULT_RECOGNIZER,
        detector_backend: str = zoo.DEFAULT_DETECTOR,
        *,
        align: bool = True,
        expand_percentage: float = 0,
        normalization: str | None = None,
        enforce_detection: bool = True,
        faces: str = DEFAULT_FACE_RULE,
        max_faces: int | None = None,
        flip: bool | None = None,
        threads: int | None = None,
        batch_size: int = 32,
        detector_options: Mapping[str, Any] | None = None,
    ) -> None:
        norm.check(normalization)
        if faces not in FACE_RULES:
            raise UnknownName("rule for faces", faces, FACE_RULES)
        for name, value in (("align", align), ("enforce_detection", enforce_detection)):
            checks.check_flag(name, value)
        if flip is not None:
            checks.check_flag("flip", flip)
        checks.check_number("expand_percentage", expand_percentage, 0)
        checks.check_count("batch_size", batch_size)
        for name, count in (("max_faces", max_faces), ("threads", threads)):
            if count is not None:
                checks.check_count(name, count)
        if not isinstance(detector_options, (Mapping, type(None))):
            raise InvalidArgument(
                f"detector_options is {detector_options!r}.",
                "It must be a dictionary, such as {'min_face_size': 40}.",
            )
        self.recognizer = recognizers.build(zoo.recognizers.get(model_name))
        self.detector = detectors.build(
            zoo.detectors.get(detector_backend), **dict(detector_options or {})
        )
        self.align = align
        self.expand_percentage = expand_percentage
        self.normalization = normalization
        self.enforce_detection = enforce_detection
        self.faces = faces
        self.max_faces = max_faces
        self.flip = self.recognizer.spec.flip if flip is None else flip
        self.threads = threads or cpu_count()
        self.batch_size = batch_size
        self.detector_options = dict(detector_options or {})
        self._at_hand: set[str] = set()  # weights whose files were found or fetched

    @property
    def model_name(self) -> str:
        """The recognizer's name as the registry spells it."""
        return self.recognizer.spec.name

    @property
    def detector_backend(self) -> str:
        """The detector's name as the registry spells it."""
        return self.detector.spec.name

    @cached_property
    def fingerprint(self) -> str:
        """Identity of everything that a vector depends on, 12 hexadecimal digits.

        Weights (by hash), the spec's numbers, the detector's settings and the
        choices made here; two objects with the same fingerprint give the same
        vectors.
        """
        expand = float(self.expand_percentage)
        choices = {
            "align": bool(self.align),
            # 10 and 10.0 are the same choice.
            "expand_percentage": int(expand) if expand.is_integer() else expand,
            "normalization": self.normalization,
            "flip": bool(self.flip),
        }
        return fingerprint(self.recognizer, self.detector, choices)

    # -- batches -----------------------------------------------------------------

    def detect(self, sources: Any) -> list[Result]:
        """Detections of every picture; see ``stream``."""
        return list(self.stream(sources, "detect"))

    def extract(self, sources: Any) -> list[Result]:
        """Faces of every picture, cut out upright at their own size; see ``stream``."""
        return list(self.stream(sources, "extract"))

    def embed(self, sources: Any) -> list[Result]:
        """Embeddings of every picture's faces; see ``stream``."""
        return list(self.stream(sources, "embed"))

    def stream(
        self, sources: Any, stage: str = "embed", look: Look | None = None
    ) -> Iterator[Result]:
        """One result a picture, in order, without holding more than a few batches.

        Parameters
        ----------
        sources : image source or iterable of them
            Anything that ``facekit.images`` takes: also a directory, a glob
            pattern, or a generator of more pictures than fit in memory.
        stage : str
            ``detect``, ``extract`` or ``embed``: what ``Result.faces`` holds,
            Detection, Face or Embedding.
        look : callable, optional
            ``(picture, detection) -> anything``, called for each face that is embedded, in
            the thread that has the picture's pixels; what it gives is ``Embedding.seen``.
            Results hold no pixels, so this saves decoding the picture a second time.

        Yields
        ------
        Result
            A picture that cannot be used carries its error; the rest goes on.

        Raises
        ------
        WeightsUnavailable
            When a network's weights are missing.
        """
        finish: dict[str, Callable[[list[Any], int], list[Result]]] = {
            "detect": self._detections,
            "extract": self._crops,
            "embed": partial(self._embeddings, look=look),
        }
        if stage not in finish:
            raise UnknownName("stage", stage, finish)

        self.have_weights(embedding=stage == "embed")
        return in_chunks(finish[stage], images.expand(sources), self.batch_size, self.threads)

    def have_weights(self, *, embedding: bool = True) -> None:
        """Fetch what is missing before workers start: once, and with one error for all of it.

        Parameters
        ----------
        embedding : bool
            Also the recognizer's.

        Raises
        ------
        WeightsUnavailable
            When weights are missing and cannot be fetched.
        """
        from facekit.store import ensure

        needed = [*self.detector.spec.weights, *(self.recognizer.spec.weights if embedding else ())]
        missing = []
        for key in needed:
            if key in self._at_hand:
                continue
            try:
                ensure(key)
                self._at_hand.add(key)
            except WeightsUnavailable as error:
                missing.append(error)
        if missing[1:]:
            raise WeightsUnavailable(" ".join(map(str, missing)))
        if missing:
            raise missing[0]

    def _found(
        self, sources: Sequence[Any], threads: int
    ) -> Iterator[tuple[str, np.ndarray | None, list[Detection], FaceKitError | None]]:
        """Name, pixels, detections and error of each picture."""
        for group in images.load_groups(sources):
            good = [picture for _, picture in group if isinstance(picture, np.ndarray)]
            found = iter(self.detector.detect(good, threads))
            for name, picture in group:
                if isinstance(picture, FaceKitError):
                    yield name, None, [], picture
                    continue
                faces = sorted(
                    next(found), key=lambda face: FACE_RULES[self.faces](face, picture.shape)
                )
                if not faces and self.enforce_detection:
                    yield name, picture, [], FaceNotFound(name)
                    continue
                faces = faces or [whole_picture(picture)]
                yield name, picture, faces[: self.max_faces], None

    def _detections(self, sources: Sequence[Any], threads: int) -> list[Result]:
        return [
            Result(name, faces, error) for name, _, faces, error in self._found(sources, threads)
        ]

    def _crops(self, sources: Sequence[Any], threads: int) -> list[Result]:
        results = []
        for name, picture, faces, error in self._found(sources, threads):
            made = [Face(face, self._upright(picture, face), name) for face in faces]
            results.append(Result(name, made, error))
        return results

    def _upright(self, picture: np.ndarray | None, face: Detection) -> np.ndarray:
        assert picture is not None
        x1, y1, x2, y2 = face.raw_box
        grow = self.expand_percentage / 200
        margin = np.array([(x2 - x1) * grow, (y2 - y1) * grow])
        box = np.concatenate([face.raw_box[:2] - margin, face.raw_box[2:] + margin])
        size = (max(1, round(float(box[3] - box[1]))), max(1, round(float(box[2] - box[0]))))
        transform = geometry.upright(box, face.landmarks if self.align else None)
        return geometry.warp(picture, transform, size)

    def _embeddings(
        self, sources: Sequence[Any], threads: int, look: Look | None = None
    ) -> list[Result]:
        results: list[Result] = []
        crops: list[np.ndarray] = []
        owners: list[tuple[Result, Detection, Any]] = []
        expand = self.expand_percentage / 100
        for name, picture, faces, error in self._found(sources, threads):
            results.append(Result(name, [], error))
            for face in faces:
                assert picture is not None
                crops.append(self.recognizer.crop(picture, face, align=self.align, expand=expand))
                owners.append((results[-1], face, look(picture, face) if look else None))
        if crops:
            vectors = self.recognizer.embed(
                np.stack(crops),
                flip=self.flip,
                normalization=self.normalization,
                threads=threads,
            )
            for (result, face, seen), vector in zip(owners, vectors, strict=True):
                result.faces.append(Embedding(vector, face, result.source, self.fingerprint, seen))
        return results

    # -- verdicts ------------------------------------------------------------------

    def threshold(self, metric: str = "cosine", far: float = thresholds.DEFAULT_FAR):
        """The fitted threshold of this pipeline; see ``facekit.thresholds.lookup``."""
        return thresholds.lookup(
            self.recognizer.spec,
            self.detector_backend,
            metric,
            far=far,
            flip=self.flip,
            fingerprint=self.fingerprint,
        )

    def verify(
        self,
        img1: Any,
        img2: Any,
        *,
        distance_metric: str = "cosine",
        threshold: float | None = None,
        far: float = thresholds.DEFAULT_FAR,
        closest: bool = False,
    ) -> VerifyResult:
        """Whether two pictures show the same person.

        Parameters
        ----------
        img1, img2 : image source or embedding
            A precomputed embedding is an ``Embedding``, a 1-D array or a list of numbers.
        distance_metric : str
            cosine, euclidean, euclidean_l2 or angular.
        threshold : float, optional
            Own threshold; by default the fitted one at ``far``.
        far : float
            False acceptance rate of the fitted threshold: 0.01, 0.001 or 0.0001, or one that
            your own calibration states.
        closest : bool
            With several faces in a picture, compare all and take the closest pair
            (deepface's rule) instead of the first face of each (``faces``). It
            accepts strangers more often than ``far`` says.

        Raises
        ------
        ImageError, FaceNotFound
            When a picture cannot be used.
        InvalidArgument
            For an embedding of another length or pipeline, or when no threshold is
            known and none was given.
        """
        (result,) = self.verify_many(
            [(img1, img2)],
            distance_metric=distance_metric,
            threshold=threshold,
            far=far,
            closest=closest,
        )
        if isinstance(result, FaceKitError):
            raise result
        return result

    def verify_many(
        self,
        pairs: Sequence[tuple[Any, Any]],
        *,
        distance_metric: str = "cosine",
        threshold: float | None = None,
        far: float = thresholds.DEFAULT_FAR,
        closest: bool = False,
    ) -> list[VerifyResult | FaceKitError]:
        """``verify`` for many pairs in one batch; a pair that fails carries its error.

        A path that occurs in several pairs is embedded once.
        """
        start = time.perf_counter()
        distance.check(distance_metric)
        self.have_weights(embedding=True)
        if threshold is not None:
            checks.check_number("threshold", threshold, 0)
        fitted = self.fitted_threshold(distance_metric, far, given=threshold is not None)
        rule = verdict.Rule(
            model=self.model_name,
            detector=self.detector_backend,
            metric=distance_metric,
            given=threshold,
            fitted=fitted,
            faces="closest" if closest else self.faces,
            fingerprint=self.fingerprint,
        )
        sides = self.probes([side for pair in pairs for side in pair])
        return [
            one.error or two.error or verdict.judge(one, two, rule, start)
            for one, two in zip(sides[::2], sides[1::2], strict=True)
        ]

    def fitted_threshold(self, metric: str, far: float, *, given: bool) -> thresholds.Threshold:
        """The fitted threshold; where the caller gave one, at least its confidence curve.

        Raises
        ------
        InvalidArgument
            When none is known and none was given.
        """
        try:
            fitted = self.threshold(metric, far)
        except InvalidArgument:
            # A user's calibration that cannot state this rate. The given threshold needs none.
            if not given:
                raise
            fitted = thresholds.Threshold(None, {})
        if fitted.value is None and not given:
            raise InvalidArgument(
                f"{self.model_name} has no threshold for {metric}.",
                "Pass threshold=..., or choose another distance_metric.",
            )
        return fitted

    def probes(self, sides: Sequence[Any]) -> list[Result]:
        """Embeddings of what is compared: each item one picture, embedded once a path, or a vector.

        An item that cannot be used carries its error.

        Raises
        ------
        WeightsUnavailable
            When a network's weights are missing.
        """
        self.have_weights(embedding=True)
        made: dict[Any, Result] = {}
        keys = [side if isinstance(side, (str, Path)) else (i,) for i, side in enumerate(sides)]
        pictures = {}
        for key, side in zip(keys, sides, strict=True):
            vector = checks.as_vector(side)
            if vector is None:
                pictures[key] = side
                continue
            try:
                made[key] = self._given(side, vector)
            except InvalidArgument as error:
                made[key] = Result("embedding", error=error)
        # Wrapped one by one: a side is one picture, never a directory of them.
        for key, result in zip(pictures, self._each(list(pictures.values())), strict=True):
            made[key] = result
        return [made[key] for key in keys]

    def _each(self, sources: Sequence[Any]) -> Iterator[Result]:
        return in_chunks(self._embeddings, sources, self.batch_size, self.threads)

    def _given(self, side: Any, vector: np.ndarray) -> Result:
        if vector.shape != (self.recognizer.spec.dimension,):
            raise InvalidArgument(
                f"An embedding of {self.model_name} has {self.recognizer.spec.dimension} "
                f"numbers, not {vector.size}.",
                "Compare embeddings of the same model only.",
            )
        if not np.isfinite(vector).all():
            raise InvalidArgument("An embedding holds NaN or infinity.", "Compute it again.")
        if isinstance(side, Embedding) and side.fingerprint != self.fingerprint:
            raise InvalidArgument(
                f"An embedding comes from another pipeline ({side.fingerprint}) than this one "
                f"({self.fingerprint}).",
                "Embed both pictures with the same settings.",
            )
        return Result("embedding", [Embedding(vector, None, "embedding", self.fingerprint)])
