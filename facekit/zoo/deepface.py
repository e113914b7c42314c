"""The networks that deepface wraps, each with the preprocessing of its own training code.

deepface feeds all of them the box, its eyes made level, letterboxed, BGR in 0..1.
"""

from facekit.zoo.registries import recognizers
from facekit.zoo.specs import RecognizerSpec
from facekit.zoo.templates import ARCFACE_INPUT

recognizers.register(
    RecognizerSpec(
        name="VGG-Face",
        weights=("vgg-face",),
        input_size=(224, 224),
        dimension=4096,
        # The .h5 was copied from the matconvnet network, whose pictures are RGB, less the
        # mean of its own faces.
        color="rgb",
        mean=(129.1863, 104.7624, 93.5940),
        scale=1.0,
        # faceCrop of the reference code: a square of the box's mean side, 10 % larger.
        crop="square",
        margin=0.1,
        interpolation="area",
        layout="NHWC",
        unit=True,
        published_lfw=98.95,
        source="https://www.robots.ox.ac.uk/~vgg/software/vgg_face/",
        note="Channel order inferred from the conversion's code.",
    )
)

# align_dataset_mtcnn.py adds 32 pixels to MTCNN's box for LFW, whose boxes have a mean
# side of 107 pixels (median of 600 pictures of View 1 DevTrain).
_FACENET_MARGIN = 0.30

recognizers.register(
    RecognizerSpec(
        name="Facenet",
        weights=("facenet",),
        input_size=(160, 160),
        dimension=128,
        color="rgb",
        mean=(0.0, 0.0, 0.0),
        scale=1.0,
        standardize=True,  # facenet.prewhiten; the 2017 networks had nothing else
        crop="box",
        margin=_FACENET_MARGIN,
        interpolation="area",
        layout="NHWC",
        published_lfw=99.2,
        source="https://github.com/davidsandberg/facenet",
        note="Network 20170512-110547, trained on MS-Celeb-1M.",
    )
)
recognizers.register(
    RecognizerSpec(
        name="Facenet512",
        weights=("facenet512",),
        input_size=(160, 160),
        dimension=512,
        color="rgb",
        mean=(127.5, 127.5, 127.5),  # --use_fixed_image_standardization
        scale=1 / 128,
        crop="box",
        margin=_FACENET_MARGIN,
        interpolation="area",
        layout="NHWC",
        published_lfw=99.65,
        source="https://github.com/davidsandberg/facenet",
        note="Network 20180402-114759, trained on VGGFace2.",
    )
)
recognizers.register(
    RecognizerSpec(
        name="OpenFace",
        weights=("openface",),
        input_size=(96, 96),
        dimension=128,
        color="rgb",
        mean=(0.0, 0.0, 0.0),
        scale=1 / 255,
        # align_dlib.py warps the outer eye corners and the nose's base by an affine map onto
        # its 68-point template; these are that template's eye centres, nose tip and mouth
        # corners, which is what five-point detectors give.
        crop="affine",
        template=(
            (26.628, 16.059),
            (67.790, 15.264),
            (47.241, 40.522),
            (29.483, 61.618),
            (66.760, 60.878),
        ),
        box_scale=0.77,
        box_centre=(0.49, 0.31),
        interpolation="area",
        layout="NHWC",
        published_lfw=92.92,
        source="https://github.com/cmusatyalab/openface",
        note="nn4.small2.v1.",
    )
)
recognizers.register(
    RecognizerSpec(
        name="DeepFace",
        weights=("deepface",),
        input_size=(152, 152),
        dimension=4096,
        color="rgb",
        mean=(0.0, 0.0, 0.0),
        scale=1 / 255,
        crop="level_eyes",  # letterboxed, as tf.image.resize_image_with_pad does
        interpolation="area",
        layout="NHWC",
        source="https://github.com/swghosh/DeepFace",
        note="Trained on 2D-aligned VGGFace2; how that was aligned is not published.",
    )
)
recognizers.register(
    RecognizerSpec(
        name="DeepID",
        weights=("deepid",),
        input_size=(55, 47),
        dimension=160,
        color="rgb",
        mean=(127.5, 127.5, 127.5),
        scale=1 / 127.5,
        # The middle half of the aligned YouTube Faces, whose pictures show a Viola-Jones box
        # 2.2 times enlarged, as LFW's do: on LFW 1.17 times the mean side of MTCNN's box.
        crop="square",
        margin=0.17,
        interpolation="area",
        layout="NHWC",
        source="https://github.com/Ruoyiran/DeepID",
    )
)
recognizers.register(
    RecognizerSpec(
        name="ArcFace",
        weights=("arcface-r34",),
        dimension=512,
        scale=1 / 128,
        layout="NHWC",
        published_lfw=99.47,
        source="https://github.com/leondgarse/Keras_insightface",
        note="ResNet-34, trained on CASIA-WebFace.",
        **ARCFACE_INPUT,
    )
)
recognizers.register(
    RecognizerSpec(
        name="GhostFaceNet",
        weights=("ghostfacenet",),
        dimension=512,
        scale=1 / 128,
        layout="NHWC",
        published_lfw=99.73,
        source="https://github.com/HamadYA/GhostFaceNets",
        note="W1.3 S1, trained on MS1MV3.",
        **ARCFACE_INPUT,
    )
)
