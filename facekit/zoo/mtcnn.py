"""MTCNN (Zhang et al. 2016), the weights that the ``mtcnn`` package ships."""

from facekit.zoo.registries import detectors
from facekit.zoo.specs import DetectorSpec

detectors.register(
    DetectorSpec(
        name="mtcnn",
        kind="mtcnn",
        weights=("mtcnn-pnet", "mtcnn-rnet", "mtcnn-onet"),
        source="https://github.com/ipazc/mtcnn",
    )
)
