"""YOLO networks for faces, by akanametov (v8, v11, v12), derronqi (v8) and deepcam-cn (v5)."""

from facekit.zoo.registries import detectors
from facekit.zoo.specs import DetectorSpec

# Kind -> its project, and the thresholds that its own code, or deepface's, uses.
_FORMS = {
    "yolo_pose": ("https://github.com/akanametov/yolo-face", 0.25, 0.7),
    "yolo_v8_face": ("https://github.com/derronqi/yolov8-face", 0.5, 0.45),
    "yolo_v5_face": ("https://github.com/deepcam-cn/yolov5-face", 0.6, 0.5),
}


def _register(name: str, kind: str, weights: str, *, landmarks: bool = True) -> None:
    source, threshold, nms_threshold = _FORMS[kind]
    detectors.register(
        DetectorSpec(
            name=name,
            kind=kind,
            weights=(weights,),
            landmarks=landmarks,
            input_size=(640, 640),
            color="rgb",
            scale=1 / 255,
            options={"threshold": threshold, "nms_threshold": nms_threshold},
            source=source,
        )
    )


for _size in "nml":
    _register(f"yolov8{_size}", "yolo_pose", f"yolov8{_size}-face")
for _version in ("v11", "v12"):
    for _size in "nsml":
        _register(
            f"yolo{_version}{_size}",
            "yolo_pose",
            f"yolo{_version}{_size}-face",
            landmarks=False,
        )
_register("yolov8n_derronqi", "yolo_v8_face", "yolov8n-face-dfl")
_register("yolov8_lite_s", "yolo_v8_face", "yolov8-lite-s")
for _size in "nsm":
    _register(f"yolov5{_size}", "yolo_v5_face", f"yolov5{_size}-face")
