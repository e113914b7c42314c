"""Recognizers and RetinaFace detectors that yakhyo trained, as uniface offers them."""

from facekit.zoo.registries import detectors, recognizers
from facekit.zoo.specs import DetectorSpec, RecognizerSpec
from facekit.zoo.templates import ARCFACE_INPUT

for name, weights, lfw in (
    ("MobileFace-V1-0.25", "mobileface-v1-025", 98.76),
    ("MobileFace-V2", "mobileface-v2", 99.55),
    ("MobileFace-V3-Small", "mobileface-v3-small", 99.30),
    ("MobileFace-V3-Large", "mobileface-v3-large", 99.53),
    ("SphereFace-20", "sphereface-20", 99.67),
    ("SphereFace-36", "sphereface-36", 99.72),
):
    recognizers.register(
        RecognizerSpec(
            name=name,
            weights=(weights,),
            dimension=512,
            scale=1 / 127.5,
            published_lfw=lfw,
            source="https://github.com/yakhyo/face-recognition",
            note="Trained on MS1MV2; published figure with the mirror image appended.",
            **ARCFACE_INPUT,
        )
    )

for name, weights in (
    ("retinaface_mnet_025", "retinaface-mv1-025"),
    ("retinaface_mnet_050", "retinaface-mv1-050"),
    ("retinaface_mnet_v1", "retinaface-mv1"),
    ("retinaface_mnet_v2", "retinaface-mv2"),
    ("retinaface_r18", "retinaface-r18"),
    ("retinaface_r34", "retinaface-r34"),
):
    detectors.register(
        DetectorSpec(
            name=name,
            kind="retinaface",
            weights=(weights,),
            mean=(104.0, 117.0, 123.0),
            options={"threshold": 0.5, "nms_threshold": 0.4},
            source="https://github.com/yakhyo/retinaface-pytorch",
        )
    )
