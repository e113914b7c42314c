"""MTCNN (Zhang et al. 2016), the weights that the ``mtcnn`` package ships."""

from facekit.zoo.registries import detectors
from facekit.zoo.specs import DetectorSpec

detectors.register(
    DetectorSpec(
        name="mtcnn",
        aliases=("fastmtcnn",),
        kind="mtcnn",
        weights=("mtcnn-pnet", "mtcnn-rnet", "mtcnn-onet"),
        note="fastmtcnn is the same: pictures are searched in batches.",
        source="https://github.com/ipazc/mtcnn",
    )
)
