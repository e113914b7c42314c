"""EdgeFace (George et al. 2023): small networks for edge devices."""

from facekit.zoo.registries import recognizers
from facekit.zoo.specs import RecognizerSpec
from facekit.zoo.templates import ARCFACE_INPUT

for name, weights, lfw in (
    ("EdgeFace", "edgeface-base", 99.83),
    ("EdgeFace-S", "edgeface-s", 99.78),
    ("EdgeFace-XS", "edgeface-xs", 99.73),
    ("EdgeFace-XXS", "edgeface-xxs", 99.57),
):
    recognizers.register(
        RecognizerSpec(
            name=name,
            weights=(weights,),
            dimension=512,
            scale=1 / 127.5,
            published_lfw=lfw,
            source="https://github.com/otroshi/edgeface",
            **ARCFACE_INPUT,
        )
    )
