"""facenet-pytorch's InceptionResnetV1 (timesler), from FaceNet's 2018 networks."""

from facekit.zoo.registries import recognizers
from facekit.zoo.specs import RecognizerSpec

for name, weights, lfw, note in (
    ("Facenet-PyTorch", "facenet-pytorch-vggface2", 99.65, "Trained on VGGFace2."),
    ("Facenet-PyTorch-CASIA", "facenet-pytorch-casia", 99.05, "Trained on CASIA-WebFace."),
):
    recognizers.register(
        RecognizerSpec(
            name=name,
            weights=(weights,),
            input_size=(160, 160),
            dimension=512,
            color="rgb",
            mean=(127.5, 127.5, 127.5),
            scale=1 / 128,  # fixed_image_standardization
            # examples/lfw_evaluate.ipynb: MTCNN(image_size=160, margin=14); there the margin is
            # a share of the crop, 14 / (160 - 14) of the box.
            crop="box",
            margin=0.096,
            interpolation="area",
            published_lfw=lfw,
            source="https://github.com/timesler/facenet-pytorch",
            note=note,
        )
    )
