"""What ``facekit export`` made, as text for people."""

from __future__ import annotations

from typing import Any

from facekit.cli.text.layout import size, wrapped


def exported(value: dict[str, Any]) -> str:
    """The file, what was compared, and what to do next."""
    name = value["model_name"]
    teachers = ", ".join(f"{teacher} {weight:g}" for teacher, weight in value["teachers"].items())
    lines = [
        f"{value['path']} ({size(value['size'])}, {value['precision']}, "
        f"{value['dimension']} numbers a face).",
        f"Weights of the teachers: {teachers}.",
        f"Step {value['step']:,}; held-out people: accuracy {value['accuracy']:.4f}, "
        f"TAR at FAR 1e-3 {value['tar']:.4f}.",
        f"Against the trained network on {value['faces']} faces and {value['random']} random "
        f"pictures: {value['deviation']:.1e} apart at most.",
    ]
    if value["registered"]:
        lines.append(f"Every command knows it as {name} while {value['registered']} is there.")
    lines.append(f"Use it: facekit verify A.jpg B.jpg --model_name {name}")
    if value["calibration"] is None:
        lines.append(
            "It has no thresholds yet. Fit them on pictures of your own: "
            f"facekit calibrate --model_name {name} --people FOLDER --save"
        )
        return "\n".join(wrapped(*lines))
    from facekit.cli.text.measures import calibration

    return "\n".join([*wrapped(*lines), "", calibration(value["calibration"])])
