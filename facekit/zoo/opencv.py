"""OpenCV's recognizer and its older detectors."""

from facekit.zoo.registries import recognizers
from facekit.zoo.specs import RecognizerSpec
from facekit.zoo.templates import ARCFACE_INPUT

recognizers.register(
    RecognizerSpec(
        name="SFace",
        weights=("sface",),
        dimension=128,
        scale=1.0,  # FaceRecognizerSF.feature: RGB as it is, the graph scales
        published_thresholds={"cosine": 0.637, "euclidean_l2": 1.128},  # sface.py: similarity 0.363
        published_lfw=99.40,
        source="https://github.com/opencv/opencv_zoo",
        **{**ARCFACE_INPUT, "mean": (0.0, 0.0, 0.0)},
    )
)
