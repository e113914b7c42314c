"""A pipeline as a gallery remembers it, and built again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from facekit.errors import FaceKitError, InvalidArgument
from facekit.gallery.backend import Backend
from facekit.gallery.records import Origin

if TYPE_CHECKING:
    from facekit.pipeline import FaceKit


def origin_of(kit: FaceKit) -> Origin:
    """The pipeline as a gallery remembers it.

    Raises
    ------
    WeightsUnavailable
        When a weight file is missing.
    """
    options = {
        "model_name": kit.model_name,
        "detector_backend": kit.detector_backend,
        "align": bool(kit.align),
        "expand_percentage": float(kit.expand_percentage),
        "normalization": kit.normalization,
        "flip": bool(kit.flip),
        "detector_options": kit.detector_options,
    }
    dimension = kit.recognizer.spec.dimension
    return Origin(kit.model_name, kit.detector_backend, kit.fingerprint, dimension, options)


def pipeline_of(gallery: Backend, **choices: Any) -> FaceKit:
    """The pipeline that made a gallery's vectors, built again.

    Raises
    ------
    InvalidArgument
        When today's models are not those of the gallery: other weights, or other numbers.
    """
    from facekit.pipeline import FaceKit

    origin = gallery.origin
    try:
        kit = FaceKit(**origin.options, **choices)
        kit.probes([])  # fetches weights that are missing
    except FaceKitError as error:
        raise InvalidArgument(
            f"The gallery's pipeline ({origin.model} with {origin.detector}) cannot be built: "
            f"{error}"
        ) from error
    if kit.fingerprint != origin.fingerprint:
        raise InvalidArgument(
            f"The gallery was made by another {origin.model} with {origin.detector} "
            f"({origin.fingerprint}) than today's ({kit.fingerprint}).",
            "Use the version of facekit and the weights that made it, or embed the photos anew.",
        )
    return kit
