"""MobileFaceNet (Chen et al. 2018) trained with the ArcFace loss on CASIA-WebFace."""

from facekit.zoo.registries import recognizers
from facekit.zoo.specs import RecognizerSpec

recognizers.register(
    RecognizerSpec(
        name="ArcFace-MobileFaceNet",
        weights=("mobilefacenet-068",),
        input_size=(112, 96),
        dimension=128,
        color="rgb",
        mean=(127.5, 127.5, 127.5),
        scale=1 / 128,
        # The 112x96 template of SphereFace, on which the network was trained.
        template=(
            (30.2946, 51.6963),
            (65.5318, 51.5014),
            (48.0252, 71.7366),
            (33.5493, 92.3655),
            (62.7299, 92.2041),
        ),
        box_scale=1.04,
        box_centre=(0.50, 0.58),
        interpolation="area",
        flip=True,
        published_lfw=99.3,
        source="https://github.com/Xiaoccer/MobileFaceNet_Pytorch",
    )
)
