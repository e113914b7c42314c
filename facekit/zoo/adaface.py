"""AdaFace (Kim et al. 2022): the only family here that was trained on BGR."""

from facekit.zoo.registries import recognizers
from facekit.zoo.specs import RecognizerSpec
from facekit.zoo.templates import ARCFACE_INPUT

for name, weights, lfw, note in (
    ("AdaFace", "adaface-ir101", 99.82, "IR-101, trained on WebFace12M."),
    ("AdaFace-IR18", "adaface-ir18", 99.53, "IR-18, trained on WebFace4M."),
):
    recognizers.register(
        RecognizerSpec(
            name=name,
            weights=(weights,),
            dimension=512,
            scale=1 / 127.5,
            published_lfw=lfw,
            source="https://github.com/mk-minchul/AdaFace",
            note=note,
            **{**ARCFACE_INPUT, "color": "bgr"},
        )
    )
