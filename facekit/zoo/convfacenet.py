"""ConvFaceNet: ConvNeXt-tiny with 128 numbers, trained with triplets on CelebA."""

from facekit.zoo.registries import recognizers
from facekit.zoo.specs import RecognizerSpec

recognizers.register(
    RecognizerSpec(
        name="ConvFaceNet",
        aliases=("conv-facenet",),
        weights=("convfacenet",),
        input_size=(240, 240),
        dimension=128,
        color="rgb",
        mean=(123.675, 116.28, 103.53),  # ImageNet's
        scale=(1 / 58.395, 1 / 57.12, 1 / 57.375),
        crop="level_eyes",
        published_thresholds={"cosine": 0.4},
        published_lfw=95.8,
        source="https://github.com/ahmedbadr97/conv-facenet",
        note="Its LFW figure is on pairs of its own choice.",
    )
)
