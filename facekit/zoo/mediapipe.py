"""MediaPipe's BlazeFace (Bazarevsky et al. 2019), as ONNX and through MediaPipe itself."""

from facekit.zoo.registries import detectors
from facekit.zoo.specs import DetectorSpec

_SOURCE = "https://github.com/google-ai-edge/mediapipe"

detectors.register(
    DetectorSpec(
        name="blazeface",
        kind="blazeface",
        weights=("blazeface",),
        input_size=(128, 128),
        color="rgb",
        mean=(127.5, 127.5, 127.5),
        scale=1 / 127.5,
        layout="NHWC",
        options={"threshold": 0.5, "nms_threshold": 0.3},
        source=_SOURCE,
        note="For faces near the camera; mouth corners are estimated.",
    )
)
detectors.register(
    DetectorSpec(
        name="mediapipe",
        kind="mediapipe",
        weights=("mediapipe-blazeface",),
        landmarks=False,
        requires=("mediapipe",),
        source=_SOURCE,
        note="The same network run by MediaPipe.",
    )
)
