"""RetinaFace (Deng et al. 2019): the large network and the small one."""

from facekit.zoo.registries import detectors
from facekit.zoo.specs import DetectorSpec

detectors.register(
    DetectorSpec(
        name="retinaface",
        kind="retinaface_r50",
        weights=("retinaface-r50",),
        color="rgb",
        layout="NHWC",
        options={"threshold": 0.9, "nms_threshold": 0.4},  # retina-face's
        source="https://github.com/serengil/retinaface",
        note="ResNet-50. Pictures are not enlarged, as retina-face does.",
    )
)
detectors.register(
    DetectorSpec(
        name="retinaface_mobilenet",
        aliases=("mobilenet0.25_Final",),
        kind="retinaface",
        weights=("retinaface-mobilenet",),
        mean=(104.0, 117.0, 123.0),
        options={"threshold": 0.5, "nms_threshold": 0.4},
        source="https://github.com/biubug6/Pytorch_Retinaface",
        note="MobileNet 0.25.",
    )
)
