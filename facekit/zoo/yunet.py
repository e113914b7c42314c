"""YuNet (Wu et al. 2023): small, fast, five landmarks."""

from facekit.zoo.registries import detectors
from facekit.zoo.specs import DetectorSpec

_SOURCE = "https://github.com/ShiqiYu/libfacedetection.train"

for name, weights in (("yunet", "yunet-n"), ("yunet_s", "yunet-s")):
    detectors.register(
        DetectorSpec(
            name=name,
            kind="yunet",
            weights=(weights,),
            options={"threshold": 0.6, "nms_threshold": 0.3},
            source=_SOURCE,
        )
    )
