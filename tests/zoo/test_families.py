"""A family only has to lie in the zoo; what a spec says fits what runs it."""

import subprocess
import sys

from facekit import detectors, recognizers, store, zoo
from facekit.recognizers.crops import CROPS

NEW_FAMILY = """
from facekit.zoo.registries import recognizers
from facekit.zoo.specs import RecognizerSpec
from facekit.zoo.templates import ARCFACE_INPUT

recognizers.register(
    RecognizerSpec(name="Newest", weights=("sface",), dimension=7, scale=1.0, **ARCFACE_INPUT)
)
"""
# A package's path is known before its code runs, so a folder can join the zoo's.
ASK = """
import importlib.util, sys
spec = importlib.util.find_spec("facekit.zoo")
spec.submodule_search_locations.append(sys.argv[1])
module = importlib.util.module_from_spec(spec)
sys.modules["facekit.zoo"] = module
spec.loader.exec_module(module)
print(module.recognizers.get("newest").dimension)
"""


def test_a_family_that_lies_in_the_zoo_is_found(tmp_path):
    (tmp_path / "newest.py").write_text(NEW_FAMILY)
    command = [sys.executable, "-c", ASK, str(tmp_path)]
    made = subprocess.run(command, capture_output=True, text=True, check=True)
    assert made.stdout == "7\n"


def test_every_spec_names_what_exists():
    for spec in (*zoo.recognizers, *zoo.detectors):
        assert all(store.get(key).key == key for key in spec.weights)
        assert spec.layout in ("NCHW", "NHWC")
        assert spec.color in ("rgb", "bgr")
    for spec in zoo.recognizers:
        assert spec.kind in recognizers.KINDS
        assert spec.crop in CROPS
    for spec in zoo.detectors:
        assert spec.kind in detectors.KINDS
        assert spec.resize in ("fit", "stretch")
        assert set(spec.options) <= set(detectors.build(spec).settings)


def test_every_model_of_the_field_is_there():
    wanted = """VGG-Face Facenet Facenet512 OpenFace DeepFace DeepID ArcFace GhostFaceNet SFace Dlib
    Buffalo_L Buffalo_S antelopev2 ArcFace-MobileFaceNet AdaFace EdgeFace Facenet-PyTorch
    Facenet-PyTorch-CASIA ConvFaceNet foamliu_mobilefacenet arcface_mobilefacenet_y1"""
    assert all(name in zoo.recognizers for name in wanted.split())
    wanted = """mtcnn yunet yunet_s retinaface retinaface_mobilenet scrfd_500m scrfd_2.5g scrfd_10g
    ultraface centerface yolov8n yolov8m yolov8l yolov11n yolov11s yolov11m yolov11l yolov12n
    yolov12s yolov12m yolov12l ssd opencv dlib dlib_mmod mediapipe blazeface fastmtcnn skip"""
    assert all(name in zoo.detectors for name in wanted.split())
