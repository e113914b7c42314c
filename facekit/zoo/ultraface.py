"""UltraFace (Linzaer): a megabyte, boxes only."""

from facekit.zoo.registries import detectors
from facekit.zoo.specs import DetectorSpec

for name, weights, size in (
    ("ultraface", "ultraface-rfb-320", (240, 320)),
    ("ultraface_640", "ultraface-rfb-640", (480, 640)),
    ("ultraface_slim", "ultraface-slim-320", (240, 320)),
):
    detectors.register(
        DetectorSpec(
            name=name,
            kind="ultraface",
            weights=(weights,),
            landmarks=False,
            input_size=size,
            resize="stretch",
            color="rgb",
            mean=(127.0, 127.0, 127.0),
            scale=1 / 128,
            options={"threshold": 0.7, "nms_threshold": 0.5},
            source="https://github.com/Linzaer/Ultra-Light-Fast-Generic-Face-Detector-1MB",
        )
    )
