"""OpenCV's recognizer and its older detectors."""

from facekit.zoo.registries import detectors, recognizers
from facekit.zoo.specs import DetectorSpec, RecognizerSpec
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
detectors.register(
    DetectorSpec(
        name="opencv",
        aliases=("haar",),
        kind="haar",
        weights=("haar-frontalface",),
        landmarks=False,
        source="https://github.com/opencv/opencv",
        note="Viola and Jones; OpenCV 4, or opencv-contrib-python from 5.1 on.",
    )
)
detectors.register(
    DetectorSpec(
        name="ssd",
        kind="ssd",
        weights=("res10-ssd",),
        landmarks=False,
        input_size=(300, 300),
        resize="stretch",
        mean=(104.0, 177.0, 123.0),
        options={"threshold": 0.5, "nms_threshold": 0.45},
        source="https://github.com/opencv/opencv/tree/4.x/samples/dnn/face_detector",
        note="ResNet-10 SSD; converted from Caffe, so that any OpenCV will do.",
    )
)
