"""Detectors: pictures -> detections. One file a kind of decoder."""

from __future__ import annotations

import importlib
from typing import Any

from facekit.checks import check_flag
from facekit.detectors.base import Detector
from facekit.errors import InvalidArgument
from facekit.zoo.specs import DetectorSpec

# kind of a spec -> module and class of its decoder, imported when one is built
KINDS = {
    "blazeface": ("facekit.detectors.blazeface", "BlazeFace"),
    "centerface": ("facekit.detectors.centerface", "CenterFace"),
    "deepface": ("facekit.detectors.deepface_bridge", "DeepFaceDetector"),
    "dlib_hog": ("facekit.detectors.dlib_detectors", "DlibHog"),
    "dlib_mmod": ("facekit.detectors.dlib_detectors", "DlibMmod"),
    "haar": ("facekit.detectors.haar", "Haar"),
    "mediapipe": ("facekit.detectors.mediapipe_detector", "MediaPipe"),
    "mtcnn": ("facekit.detectors.mtcnn", "MTCNN"),
    "retinaface": ("facekit.detectors.retinaface", "RetinaFace"),
    "retinaface_r50": ("facekit.detectors.retinaface_r50", "RetinaFaceR50"),
    "scrfd": ("facekit.detectors.scrfd", "SCRFD"),
    "skip": ("facekit.detectors.skip", "Skip"),
    "ssd": ("facekit.detectors.ssd", "SSD"),
    "ultraface": ("facekit.detectors.ultraface", "UltraFace"),
    "yolo_pose": ("facekit.detectors.yolo_face", "YoloPose"),
    "yolo_v5_face": ("facekit.detectors.yolo_face", "YoloV5Face"),
    "yolo_v8_face": ("facekit.detectors.yolo_face", "YoloV8Face"),
    "yunet": ("facekit.detectors.yunet", "YuNet"),
}


def build(spec: DetectorSpec, /, **options: Any) -> Detector:
    """The detector of a spec.

    Parameters
    ----------
    spec : DetectorSpec
    **options
        Arguments of the decoder that replace the spec's. For a detector of boxes also
        ``points``: whether MTCNN's output network adds the five points (it does).

    Raises
    ------
    InvalidArgument
        For an option that the decoder does not have, or a value it refuses.
    """
    module, name = KINDS[spec.kind]
    decoder = getattr(importlib.import_module(module), name)
    boxes_only = not spec.landmarks and spec.kind != "skip"
    known = (*decoder.OPTIONS, "points") if boxes_only else decoder.OPTIONS
    for option in options:
        if option not in known:
            raise InvalidArgument(
                f"Detector {spec.name!r} has no option {option!r}.",
                f"Known: {', '.join(known) or 'none'}.",
            )
    arguments = {**spec.options, **options}
    points = arguments.pop("points", True)
    check_flag("points", points)
    try:
        detector = decoder(spec, **arguments)
    except TypeError as error:
        raise InvalidArgument(
            f"Detector {spec.name!r} cannot use {options!r} ({error}).",
            "Give numbers, as its documentation says.",
        ) from error
    if not (boxes_only and points):
        return detector
    from facekit.detectors.points import WithPoints

    return WithPoints(detector)


__all__ = ["KINDS", "Detector", "build"]
