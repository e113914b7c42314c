"""The typed results that every model's output becomes.

Coordinates are pixels of the picture as loaded (after EXIF orientation), x to
the right, y down. Left and right are the person's: the right eye is the one at
the left of the picture. deepface's ``facial_area`` is made here and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from facekit.errors import FaceKitError

LANDMARK_NAMES = ("right_eye", "left_eye", "nose", "mouth_right", "mouth_left")


@dataclass(frozen=True, eq=False)
class Detection:
    """One face in one picture.

    Attributes
    ----------
    box : numpy.ndarray
        ``float32 (4,)``: x1, y1, x2, y2, right and bottom exclusive, inside the picture.
    score : float
        The detector's confidence in 0..1; 0 when the box is the whole picture
        because nothing was detected or asked for.
    landmarks : numpy.ndarray or None
        ``float32 (5, 2)``: right eye, left eye, nose, right and left mouth corner.
    raw_box : numpy.ndarray
        The box before it was clipped to the picture; crops use it.
    """

    box: np.ndarray
    score: float
    landmarks: np.ndarray | None
    raw_box: np.ndarray

    @property
    def area(self) -> float:
        """Area of the clipped box in square pixels."""
        x1, y1, x2, y2 = (float(v) for v in self.box)
        return (x2 - x1) * (y2 - y1)

    def facial_area(self) -> dict[str, Any]:
        """deepface's ``facial_area``: integer x, y, w, h and the points it knows.

        Points are ``[x, y]`` or None where the detector gives none.
        """
        x1, y1, x2, y2 = (round(float(v)) for v in self.box)
        area: dict[str, Any] = {"x": x1, "y": y1, "w": x2 - x1, "h": y2 - y1}
        points = dict.fromkeys(LANDMARK_NAMES)
        if self.landmarks is not None:
            points = {
                name: [round(float(x)), round(float(y))]
                for name, (x, y) in zip(LANDMARK_NAMES, self.landmarks, strict=True)
            }
        area["left_eye"] = points["left_eye"]
        area["right_eye"] = points["right_eye"]
        if self.landmarks is not None:
            area |= {n: points[n] for n in ("nose", "mouth_left", "mouth_right")}
        return area


def facial_area(found: Detection | None) -> dict[str, Any]:
    """deepface's ``facial_area``, also where there is no detection."""
    return found.facial_area() if found is not None else dict(NO_FACIAL_AREA)


def is_blind(found: Detection | None) -> bool:
    """Whether nothing was found, or looked for: the box is the whole picture."""
    return found is not None and found.score == 0


NO_FACIAL_AREA: dict[str, Any] = dict.fromkeys(("x", "y", "w", "h", "left_eye", "right_eye"))


@dataclass(frozen=True, eq=False)
class Face:
    """A detected face with its crop.

    Attributes
    ----------
    detection : Detection
    crop : numpy.ndarray
        ``uint8 (h, w, 3)`` BGR, aligned when alignment was asked for.
    source : str
        Name of the picture it came from.
    """

    detection: Detection
    crop: np.ndarray
    source: str


@dataclass(frozen=True, eq=False)
class Embedding:
    """A face as a vector.

    Attributes
    ----------
    vector : numpy.ndarray
        ``float32 (D,)`` as the network gives it.
    detection : Detection or None
        None for a vector that the caller brought.
    source : str
        Name of the picture it came from.
    fingerprint : str
        Identity of the pipeline that made it; vectors of two different
        fingerprints must not be compared.
    seen : object
        What the caller's ``look`` made of the face while its pixels were at hand; see
        ``FaceKit.stream``.
    """

    vector: np.ndarray
    detection: Detection | None
    source: str
    fingerprint: str
    seen: Any = None

    def to_dict(self) -> dict[str, Any]:
        """deepface's keys: embedding, facial_area, face_confidence."""
        found = self.detection
        return {
            "embedding": [float(v) for v in self.vector],
            "facial_area": facial_area(found),
            "face_confidence": float(found.score) if found else None,
        }


@dataclass(frozen=True, eq=False)
class Result:
    """What became of one picture of a batch.

    Attributes
    ----------
    source : str
        Name of the picture.
    faces : list
        Detections, faces or embeddings, the ones of the chosen rule first.
    error : FaceKitError or None
        Why there is nothing; the other pictures of the batch are not affected.
    """

    source: str
    faces: list[Any] = field(default_factory=list)
    error: FaceKitError | None = None


@dataclass(frozen=True)
class VerifyResult:
    """The verdict on two pictures; ``to_dict`` gives deepface's keys and ours."""

    verified: bool
    distance: float
    threshold: float
    confidence: float | None
    model: str
    detector_backend: str
    similarity_metric: str
    facial_areas: dict[str, dict[str, Any]]
    face_confidence: dict[str, float | None]
    threshold_source: dict[str, Any]
    fingerprint: str
    warnings: tuple[str, ...]
    time: float

    def to_dict(self) -> dict[str, Any]:
        """A plain dictionary, ready for JSON."""
        return {
            "verified": self.verified,
            "distance": self.distance,
            "threshold": self.threshold,
            "confidence": self.confidence,
            "model": self.model,
            "detector_backend": self.detector_backend,
            "similarity_metric": self.similarity_metric,
            "facial_areas": self.facial_areas,
            "face_confidence": self.face_confidence,
            "threshold_source": self.threshold_source,
            "fingerprint": self.fingerprint,
            "warnings": list(self.warnings),
            "time": self.time,
        }
