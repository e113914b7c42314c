"""YuNet (Wu et al. 2023): small, fast, five landmarks."""

from facekit.zoo.registries import detectors
from facekit.zoo.specs import DetectorSpec

_SOURCE = "https://github.com/ShiqiYu/libfacedetection.train"

detectors.register(DetectorSpec(name="yunet", kind="yunet", weights=("yunet-n",), source=_SOURCE))
detectors.register(DetectorSpec(name="yunet_s", kind="yunet", weights=("yunet-s",), source=_SOURCE))
