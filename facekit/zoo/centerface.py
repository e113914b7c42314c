"""CenterFace (Xu et al. 2019): a heat map of face centres."""

from facekit.zoo.registries import detectors
from facekit.zoo.specs import DetectorSpec

detectors.register(
    DetectorSpec(
        name="centerface",
        kind="centerface",
        weights=("centerface",),
        color="rgb",
        options={"threshold": 0.35, "nms_threshold": 0.3},
        source="https://github.com/Star-Clouds/CenterFace",
    )
)
