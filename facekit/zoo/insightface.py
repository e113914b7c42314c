"""InsightFace's packs and its detectors: weights for research only."""

from facekit.zoo.registries import detectors, recognizers
from facekit.zoo.specs import DetectorSpec, RecognizerSpec
from facekit.zoo.templates import ARCFACE_INPUT

_SOURCE = "https://github.com/deepinsight/insightface"

for name, weights, lfw, note in (
    ("Buffalo_L", "w600k-r50", 99.83, "ResNet-50, trained on WebFace600K."),
    ("Buffalo_S", "w600k-mbf", 99.70, "MobileFaceNet, trained on WebFace600K."),
    ("antelopev2", "glintr100", None, "ResNet-100, trained on Glint360K."),
):
    recognizers.register(
        RecognizerSpec(
            name=name,
            weights=(weights,),
            dimension=512,
            scale=1 / 127.5,
            published_lfw=lfw,
            source=_SOURCE,
            note=note,
            **ARCFACE_INPUT,
        )
    )

recognizers.register(
    RecognizerSpec(
        name="MobileFaceNet-Y1",
        aliases=("arcface_mobilefacenet_y1",),
        weights=("arcface-mobilefacenet-y1",),
        dimension=128,
        scale=1.0,
        published_lfw=99.47,
        source=_SOURCE,
        note="The scaling is in the graph.",
        **{**ARCFACE_INPUT, "mean": (0.0, 0.0, 0.0)},
    )
)

for name, weights in (
    ("scrfd_500m", "scrfd-500m"),
    ("scrfd_2.5g", "scrfd-2.5g"),
    ("scrfd_10g", "scrfd-10g"),
):
    detectors.register(
        DetectorSpec(
            name=name,
            aliases=("scrfd",) if name == "scrfd_10g" else (),
            kind="scrfd",
            weights=(weights,),
            color="rgb",
            mean=(127.5, 127.5, 127.5),
            scale=1 / 128,
            options={"threshold": 0.5, "nms_threshold": 0.4},
            source=_SOURCE,
        )
    )
