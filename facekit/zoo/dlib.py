"""dlib: the ResNet-29 (Davis King 2017), trained on 3 million faces of 7,485 people; detectors."""

from facekit.zoo.registries import detectors, recognizers
from facekit.zoo.specs import DetectorSpec, RecognizerSpec

recognizers.register(
    RecognizerSpec(
        name="Dlib",
        weights=("dlib-resnet-v1",),
        input_size=(150, 150),
        dimension=128,
        color="rgb",
        # dlib's input_rgb_image_sized<150>; the same numbers are in the .dat.
        mean=(122.782, 117.001, 104.298),
        scale=1 / 256,
        # dlib's 5-point chip with padding 0.25, in the landmarks of five-point detectors.
        template=(
            (45.98, 44.56),
            (104.02, 44.56),
            (75.0, 78.25),
            (49.48, 103.54),
            (100.52, 103.54),
        ),
        box_scale=0.90,
        box_centre=(0.50, 0.43),
        interpolation="area",  # dlib cuts its chips from a pyramid too
        flip=True,
        # dlib.net/face_recognition.py.html: same person below a Euclidean distance of 0.6.
        published_thresholds={"euclidean": 0.6},
        published_lfw=99.38,
        source="http://dlib.net/face_recognition.py.html",
    )
)
detectors.register(
    DetectorSpec(
        name="dlib",
        aliases=("dlib_hog",),
        kind="dlib_hog",
        landmarks=False,
        options={"threshold": 0.65},
        requires=("dlib",),
        licence="BSL-1.0",
        commercial=True,
        source="http://dlib.net/face_detector.py.html",
        note="Histograms of gradients; the model is in the package.",
    )
)
detectors.register(
    DetectorSpec(
        name="dlib_mmod",
        kind="dlib_mmod",
        weights=("dlib-mmod",),
        landmarks=False,
        requires=("dlib",),
        source="http://dlib.net/cnn_face_detector.py.html",
        note="Half a second a small picture on a CPU.",
    )
)
