"""verify, represent, extract_faces: deepface's names, parameters and keys over FaceKit.

Each takes one input or many. For one, an error is raised; for many, an item that
fails becomes ``{"source": ..., "error": ...}`` and the rest goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from facekit import distance, images, thresholds, zoo
from facekit.checks import is_numbers
from facekit.errors import FaceKitError, InvalidArgument, UnknownName
from facekit.pipeline import DEFAULT_FACE_RULE
from facekit.types import Embedding, Face, Result
from facekit.verb_arguments import kit_of, one_side

COLORS = ("rgb", "bgr", "gray")


def verify(
    img1_path: Any,
    img2_path: Any,
    model_name: str = zoo.DEFAULT_RECOGNIZER,
    detector_backend: str = zoo.DEFAULT_DETECTOR,
    distance_metric: str = "cosine",
    enforce_detection: bool = True,
    align: bool = True,
    expand_percentage: float = 0,
    normalization: str | None = None,
    silent: bool = False,
    threshold: float | None = None,
    anti_spoofing: bool = False,
    *,
    far: float = thresholds.DEFAULT_FAR,
    faces: str = DEFAULT_FACE_RULE,
    flip: bool | None = None,
    detector_options: dict[str, Any] | None = None,
) -> Any:
    """Whether two pictures show the same person.

    Parameters
    ----------
    img1_path, img2_path : image source, embedding, or list of these
        Path, URL, base64, bytes, file object, BGR array, PIL image, or a precomputed
        embedding (list of numbers, 1-D array, one item of ``represent``). Two lists
        of the same length are compared pair by pair.
    model_name, detector_backend : str
        See ``facekit models``.
    distance_metric : str
        cosine, euclidean, euclidean_l2 or angular.
    enforce_detection : bool
        A picture without a face is an error. With False it is compared whole, and
        ``verified`` is then False unless ``threshold`` is given.
    align : bool
        Align by the five points.
    expand_percentage : float
        Widen the crops by this many percent.
    normalization : str, optional
        base, raw, Facenet, Facenet2018, VGGFace, VGGFace2 or ArcFace, in place of
        the scaling that the network was trained with.
    silent : bool
        Accepted for deepface's sake; facekit prints nothing.
    threshold : float, optional
        Own threshold on the distance.
    anti_spoofing : bool
        Not available yet.
    far : float
        False acceptance rate of the fitted threshold: 0.01, 0.001 or 0.0001, or one
        that your own calibration states.
    faces : str
        Which of several faces is compared: ``prominent`` (the largest, with a
        preference for the centre), ``largest``, ``most_confident``, ``center``, or
        ``closest`` for the closest pair of all, as deepface does.
    flip : bool, optional
        Add the mirror image's embedding.
    detector_options : dict, optional
        Arguments of the detector, such as ``{"min_face_size": 40}``.

    Returns
    -------
    dict or list of dict
        ``verified``, ``distance``, ``threshold``, ``confidence`` (0..100: how likely
        the two are one person, if both were equally likely before), ``model``,
        ``detector_backend``, ``similarity_metric``, ``facial_areas`` {img1, img2},
        ``face_confidence`` {img1, img2}, ``threshold_source`` (data, date and error
        rate behind the threshold), ``fingerprint``, ``warnings``, ``time`` (s).

    Raises
    ------
    FaceKitError
        One sentence on what is wrong and what to do; see ``facekit.errors``.
    """
    del silent
    closest = faces == "closest"
    kit = kit_of(
        anti_spoofing,
        model_name=model_name,
        detector_backend=detector_backend,
        align=align,
        expand_percentage=expand_percentage,
        normalization=normalization,
        enforce_detection=enforce_detection,
        faces=DEFAULT_FACE_RULE if closest else faces,
        flip=flip,
        detector_options=detector_options,
    )
    options: dict[str, Any] = {
        "distance_metric": distance_metric,
        "threshold": threshold,
        "far": far,
        "closest": closest,
    }
    first, second = _is_batch(img1_path), _is_batch(img2_path)
    if not first and not second:
        return kit.verify(one_side(img1_path), one_side(img2_path), **options).to_dict()
    if not (first and second) or len(img1_path) != len(img2_path):
        raise InvalidArgument(
            "img1_path and img2_path must be two single inputs or two lists of the same length."
        )
    pairs = [(one_side(a), one_side(b)) for a, b in zip(img1_path, img2_path, strict=True)]
    return [
        {"source": [images.describe(a), images.describe(b)], "error": str(result)}
        if isinstance(result, FaceKitError)
        else result.to_dict()
        for (a, b), result in zip(pairs, kit.verify_many(pairs, **options), strict=True)
    ]


def represent(
    img_path: Any,
    model_name: str = zoo.DEFAULT_RECOGNIZER,
    enforce_detection: bool = True,
    detector_backend: str = zoo.DEFAULT_DETECTOR,
    align: bool = True,
    expand_percentage: float = 0,
    normalization: str | None = None,
    anti_spoofing: bool = False,
    max_faces: int | None = None,
    l2_normalize: bool = False,
    *,
    faces: str = DEFAULT_FACE_RULE,
    flip: bool | None = None,
    detector_options: dict[str, Any] | None = None,
    stream: bool = False,
) -> Any:
    """Faces as vectors.

    Parameters
    ----------
    img_path : image source, or list, directory or glob pattern of them
    max_faces : int, optional
        Keep only so many faces of a picture, after the rule in ``faces``.
    l2_normalize : bool
        Scale every embedding to unit length.
    faces : str
        Order of a picture's faces: ``prominent``, ``largest``, ``most_confident`` or
        ``center`` first.
    stream : bool
        Give an iterator instead of a list, for more pictures than fit in memory.

    The others are those of ``verify``.

    Returns
    -------
    list of dict, or list of such lists for many pictures
        ``embedding`` (list of D floats), ``facial_area``, ``face_confidence``,
        ``model``, ``fingerprint``. With ``stream``, an iterator of one dict a picture:
        ``source`` and ``faces`` (that list of dict) or ``error``.
    """
    kit = kit_of(
        anti_spoofing,
        model_name=model_name,
        detector_backend=detector_backend,
        align=align,
        expand_percentage=expand_percentage,
        normalization=normalization,
        enforce_detection=enforce_detection,
        faces=faces,
        max_faces=max_faces,
        flip=flip,
        detector_options=detector_options,
    )

    def row(face: Embedding) -> dict[str, Any]:
        made = face.to_dict()
        if l2_normalize:
            made["embedding"] = distance.l2_normalize(face.vector.astype(np.float64)).tolist()
        return made | {"model": kit.model_name, "fingerprint": face.fingerprint}

    return _rows(kit.stream(img_path, "embed"), row, images.is_many(img_path), stream)


def extract_faces(
    img_path: Any,
    detector_backend: str = zoo.DEFAULT_DETECTOR,
    enforce_detection: bool = True,
    align: bool = True,
    expand_percentage: float = 0,
    grayscale: bool = False,
    color_face: str = "rgb",
    normalize_face: bool = True,
    anti_spoofing: bool = False,
    *,
    max_faces: int | None = None,
    faces: str = DEFAULT_FACE_RULE,
    detector_options: dict[str, Any] | None = None,
    stream: bool = False,
) -> Any:
    """Faces as pictures.

    Parameters
    ----------
    img_path : image source, or list, directory or glob pattern of them
    align : bool
        Turn the face so that the eyes are level.
    expand_percentage : float
        Widen the box by this many percent; what lies outside the picture is black.
    grayscale : bool
        The same as ``color_face="gray"``, as in deepface.
    color_face : str
        ``rgb``, ``bgr`` or ``gray``.
    normalize_face : bool
        Pixels as float32 in 0..1 instead of uint8.

    The others are those of ``represent``.

    Returns
    -------
    list of dict, or list of such lists for many pictures
        ``face`` (array (h, w, 3), or (h, w) for gray), ``facial_area``, ``confidence``;
        with ``stream`` as in ``represent``.
    """
    if color_face not in COLORS:
        raise UnknownName("color_face", color_face, COLORS)
    color = "gray" if grayscale else color_face
    kit = kit_of(
        anti_spoofing,
        detector_backend=detector_backend,
        align=align,
        expand_percentage=expand_percentage,
        enforce_detection=enforce_detection,
        faces=faces,
        max_faces=max_faces,
        detector_options=detector_options,
    )

    def row(face: Face) -> dict[str, Any]:
        return {
            "face": _colored(face.crop, color, normalize_face),
            "facial_area": face.detection.facial_area(),
            "confidence": face.detection.score,
        }

    return _rows(kit.stream(img_path, "extract"), row, images.is_many(img_path), stream)


def _colored(crop: np.ndarray, color: str, normalize: bool) -> np.ndarray:
    import cv2

    if color == "gray":
        crop = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)
    elif color == "rgb":
        crop = np.ascontiguousarray(crop[:, :, ::-1])
    return crop.astype(np.float32) / 255 if normalize else crop


def _rows(
    results: Iterator[Result], row: Callable[[Any], dict[str, Any]], many: bool, stream: bool
) -> Any:
    if not (many or stream):
        (result,) = results
        if result.error is not None:
            raise result.error
        return [row(face) for face in result.faces]
    made = (_item(result, row) for result in results)
    return made if stream else [item.get("faces", item) for item in made]


def _item(result: Result, row: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    if result.error is not None:
        return {"source": result.source, "error": str(result.error)}
    return {"source": result.source, "faces": [row(face) for face in result.faces]}


def _is_batch(side: Any) -> bool:
    """A list of sides, as opposed to a list of numbers, which is an embedding."""
    if isinstance(side, np.ndarray):
        return side.ndim == 4
    return isinstance(side, (list, tuple)) and not is_numbers(side)
