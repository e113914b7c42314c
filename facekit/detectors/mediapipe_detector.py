"""MediaPipe's face detector, run by its own package: boxes, no landmarks.

BlazeFace gives the eyes, the tip of the nose, the ears and the middle of the mouth. Mouth
corners cannot be told from its middle, so no five points come from it.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from importlib import import_module
from typing import Any, ClassVar

import numpy as np

from facekit import extras
from facekit.checks import check_fraction
from facekit.detectors.base import Optioned, make_detections
from facekit.errors import MissingDependency
from facekit.types import Detection
from facekit.zoo.specs import DetectorSpec


class MediaPipe(Optioned):
    """BlazeFace through MediaPipe's tasks: within about two metres of the camera.

    Its network sees the whole picture as 128x128 pixels. Boxes are square, of whole
    pixels, and already clipped to the picture.

    Parameters
    ----------
    spec : DetectorSpec
        With the ``.tflite`` file.
    threshold : float
        Smallest score, 0..1.
    nms_threshold : float
        Overlap from which boxes are merged into one, 0..1.
    """

    OPTIONS: ClassVar[tuple[str, ...]] = ("threshold", "nms_threshold")

    def __init__(
        self, spec: DetectorSpec, *, threshold: float = 0.5, nms_threshold: float = 0.3
    ) -> None:
        check_fraction("threshold", threshold)
        check_fraction("nms_threshold", nms_threshold)
        self.spec = spec
        self.threshold = threshold
        self.nms_threshold = nms_threshold
        self._task: Any = None
        self._lock = threading.Lock()  # a task sees one picture at a time

    def detect(
        self,
        images: Sequence[np.ndarray],
        threads: int = 1,  # noqa: ARG002  (MediaPipe chooses its own)
    ) -> list[list[Detection]]:
        """Faces of each picture, highest score first."""
        return [self._one(image) for image in images]

    def _one(self, image: np.ndarray) -> list[Detection]:
        rgb = np.ascontiguousarray(image[..., ::-1])
        with self._lock:
            if self._task is None:
                self._task = self._open()
            mediapipe = extras.load("mediapipe", f"Detector {self.spec.name!r}")
            picture = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=rgb)
            faces = self._task.detect(picture).detections
        boxes = [(f.bounding_box.origin_x, f.bounding_box.origin_y) for f in faces]
        sizes = [(f.bounding_box.width, f.bounding_box.height) for f in faces]
        corner = np.array(boxes, np.float32).reshape(-1, 2)
        corners = np.hstack([corner, corner + np.array(sizes, np.float32).reshape(-1, 2)])
        scores = np.array([face.categories[0].score for face in faces])
        return make_detections(corners, scores, None, *image.shape[:2])

    def _open(self) -> Any:
        user = f"Detector {self.spec.name!r}"
        extras.load("mediapipe", user)
        try:
            tasks = import_module("mediapipe.tasks.python")
            vision = import_module("mediapipe.tasks.python.vision")
        except ImportError as error:
            raise MissingDependency(
                f"{user} needs the tasks of mediapipe, which the installed one does not have "
                f"({error}).",
                'pip install -U "facekit[mediapipe]" brings them.',
            ) from error
        from facekit import store

        options = vision.FaceDetectorOptions(
            base_options=tasks.BaseOptions(
                # The content: MediaPipe cannot open every path on Windows.
                model_asset_buffer=store.ensure(self.spec.weights[0]).read_bytes()
            ),
            min_detection_confidence=self.threshold,
            min_suppression_threshold=self.nms_threshold,
        )
        return vision.FaceDetector.create_from_options(options)
