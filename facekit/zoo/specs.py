"""What a model is: a frozen description. Importing this costs microseconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from facekit.errors import InvalidArgument

Point = tuple[float, float]
_EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class DetectorSpec:
    """A face detector.

    Attributes
    ----------
    name : str
    kind : str
        Which decoder runs it; a key of ``facekit.detectors.KINDS``.
    weights : tuple of str
        Keys of the weight manifest, in the order in which the decoder wants them.
    options : mapping
        Default arguments of the decoder.
    landmarks : bool
        Whether it gives five points.
    input_size : tuple of int or None
        Height and width that the network wants; None for one that takes any size.
    resize : str
        How a picture gets a fixed size: ``fit`` (aspect ratio kept, black below or to
        the right, grey for YOLO) or ``stretch``.
    color, mean, scale, layout
        How the tensor is filled; see ``RecognizerSpec``.
    requires : tuple of str
        Packages beyond facekit's own that it runs on, by the name that is imported.
    licence, commercial : str, bool or None
        Terms of a detector that needs no weight file; otherwise those of its weights count.
    source, note : str
        Where it comes from; anything a user should know.
    """

    name: str
    kind: str
    weights: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)
    landmarks: bool = True
    input_size: tuple[int, int] | None = None
    resize: str = "fit"
    color: str = "bgr"
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    scale: float = 1.0
    layout: str = "NCHW"
    requires: tuple[str, ...] = ()
    licence: str = ""
    commercial: bool | None = None
    aliases: tuple[str, ...] = ()
    source: str = ""
    note: str = ""


@dataclass(frozen=True)
class RecognizerSpec:
    """A network that turns an aligned face into a vector.

    Attributes
    ----------
    name : str
    weights : tuple of str
        Key of the weight manifest (one network).
    input_size : tuple of int
        Height and width of the crop in pixels.
    dimension : int
        Length of the embedding.
    color : str
        ``rgb`` or ``bgr``: channel order that the graph wants.
    mean, scale : tuple of float, float or tuple of float
        The tensor is ``(pixel - mean) * scale``, in the graph's channel order; one
        scale for all channels or one each.
    standardize : bool
        Each crop by its own mean and deviation instead (FaceNet's prewhiten).
    crop : str
        How the training code cut faces out, a key of ``facekit.recognizers.crops.CROPS``:
        ``points`` (five points fitted onto the template by a similarity), ``affine``
        (the same, free to shear), ``box`` (the box with a margin, stretched),
        ``square`` (the same, of a square) or ``level_eyes`` (the box turned until the
        eyes are level, letterboxed with black).
    template : tuple of points, optional
        Where the five landmarks lie in the crop (x, y in pixels): right eye, left
        eye, nose, right and left mouth corner of the person.
    margin : float
        For ``box`` and ``square``: how much wider and higher than the box the crop is,
        as a fraction of the box's mean side.
    box_scale, box_centre : float, tuple of float
        For faces without landmarks or with ``align=False``: height of the crop as a
        multiple of the detected box's longer side, and where the box's centre lies in
        the crop, as fractions of width and height. Medians over the aligned crops of
        LFW View 1 DevTrain with MTCNN and YuNet.
    interpolation : str
        ``linear``, ``cubic`` or ``area``: how the crop is resampled.
    centre : tuple of float, optional
        Mean embedding, which is subtracted from what the network gives. Only where the
        authors' own evaluation does that, and it wins on LFW View 1.
    unit : bool
        Whether the model's own code brings the network's output to unit length.
    flip : bool
        Whether the mirror image's embedding is added by default.
    published_thresholds : mapping
        Metric -> threshold given by the authors; used, and marked "not
        calibrated", as long as nothing was fitted.
    published_lfw : float or None
        Published LFW accuracy in percent.
    """

    name: str
    weights: tuple[str, ...]
    input_size: tuple[int, int]
    dimension: int
    color: str
    mean: tuple[float, float, float]
    scale: float | tuple[float, float, float]
    template: tuple[Point, Point, Point, Point, Point] | None = None
    crop: str = "points"
    margin: float = 0.0
    standardize: bool = False
    box_scale: float = 1.0
    box_centre: Point = (0.5, 0.5)
    interpolation: str = "linear"
    layout: str = "NCHW"
    centre: tuple[float, ...] | None = None
    unit: bool = False
    flip: bool = False
    kind: str = "aligned"
    published_thresholds: Mapping[str, float] = field(default_factory=lambda: _EMPTY)
    published_lfw: float | None = None
    aliases: tuple[str, ...] = ()
    source: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if self.crop in ("points", "affine") and self.template is None:
            raise InvalidArgument(
                f"The spec of {self.name} has no template.",
                "Say where the five points lie in the crop, or choose another crop.",
            )
        if self.centre is not None and len(self.centre) != self.dimension:
            raise InvalidArgument(
                f"The centre of {self.name} has {len(self.centre)} numbers, "
                f"but its embeddings {self.dimension}."
            )
