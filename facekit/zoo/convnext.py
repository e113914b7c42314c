"""facekit's own ConvNeXt (2026): it learnt from two published networks and ships in the wheel."""

from facekit.zoo.registries import recognizers
from facekit.zoo.specs import RecognizerSpec
from facekit.zoo.templates import ARCFACE_INPUT

recognizers.register(
    RecognizerSpec(
        name="ConvNeXt",
        weights=("convnext",),
        # What it says for each of its teachers, of length 1 and 0.5.
        dimension=256,
        scale=1 / 127.5,
        flip=True,
        note="Learnt from MobileFaceNet-Foamliu and Dlib, see weights/convnext.md.",
        **ARCFACE_INPUT,
    )
)
