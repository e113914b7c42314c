"""MobileFaceNets (Chen et al. 2018) of two authors, both trained with the ArcFace loss."""

from facekit.zoo.centres import MOBILEFACENET_068
from facekit.zoo.registries import recognizers
from facekit.zoo.specs import RecognizerSpec
from facekit.zoo.templates import ARCFACE_INPUT, SPHEREFACE_112X96

recognizers.register(
    RecognizerSpec(
        name="ArcFace-MobileFaceNet",
        aliases=("mobilefacenet_068",),
        weights=("mobilefacenet-068",),
        input_size=(112, 96),
        dimension=128,
        color="rgb",
        mean=(127.5, 127.5, 127.5),
        scale=1 / 128,
        template=SPHEREFACE_112X96,
        box_scale=1.04,
        box_centre=(0.50, 0.58),
        interpolation="area",
        centre=MOBILEFACENET_068,
        flip=True,
        published_lfw=99.3,
        source="https://github.com/Xiaoccer/MobileFaceNet_Pytorch",
        note="Trained on CASIA-WebFace.",
    )
)
recognizers.register(
    RecognizerSpec(
        name="MobileFaceNet-Foamliu",
        aliases=("foamliu_mobilefacenet",),
        weights=("foamliu-mobilefacenet",),
        dimension=128,
        scale=(1 / 58.395, 1 / 57.12, 1 / 57.375),
        published_lfw=99.48,
        source="https://github.com/foamliu/MobileFaceNet",
        note="Trained on refined MS-Celeb-1M; wants ImageNet's mean and deviation.",
        **{**ARCFACE_INPUT, "mean": (123.675, 116.28, 103.53)},
    )
)
