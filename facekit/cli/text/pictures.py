"""Verdicts, embeddings and faces of pictures, as text for people."""

from __future__ import annotations

from typing import Any

from facekit.cli.text.layout import percent, wrapped


def verdict(result: dict[str, Any]) -> str:
    """The verdict of ``verify`` in a few lines."""
    same = "Same person" if result["verified"] else "Different people"
    lines = [
        f"{same}: {result['similarity_metric']} distance {result['distance']:.4f}, "
        f"threshold {result['threshold']:.4f}."
    ]
    if result["confidence"] is not None:
        lines.append(f"Probability that they are one person: {percent(result['confidence'])}.")
    lines.append(f"Model {result['model']}, detector {result['detector_backend']}.")
    source = result["threshold_source"]
    if source.get("given"):
        lines.append("Threshold as given.")
    elif source["far"] is not None:
        yours = f"your calibration of {source['date']}, " if source.get("user") else ""
        lines.append(
            f"Threshold: 1 of {round(1 / source['far']):,} pairs of strangers is taken for one "
            f"person ({yours}{source['data']})."
        )
        if interval := source.get("threshold_interval"):
            low, high = interval
            lines.append(f"With other people it would lie between {low:.4f} and {high:.4f} (95 %).")
    if source.get("note"):
        lines.append(f"Threshold {source['note']}.")
    lines += [f"Note: {warning}" for warning in result["warnings"]]
    return "\n".join(wrapped(*lines))


def embeddings(value: Any) -> str:
    """Vectors, shortened."""

    def line(face: dict[str, Any]) -> str:
        vector = face["embedding"]
        head = ", ".join(f"{v:.4f}" for v in vector[:4])
        return f"{_place(face, 'face_confidence')}: [{head}, ...] {len(vector)} numbers"

    return _faces(value, line)


def places(value: Any) -> str:
    """Where faces are, and the files that they were written to."""

    def line(face: dict[str, Any]) -> str:
        return _place(face, "confidence") + (f" -> {face['file']}" if "file" in face else "")

    return _faces(value, line)


def _place(face: dict[str, Any], score: str) -> str:
    area = face["facial_area"]
    return f"face {area['w']}x{area['h']} at {area['x']},{area['y']} (score {face[score]:.3f})"


def _faces(value: Any, line: Any) -> str:
    if isinstance(value, dict):
        if "error" in value:
            return str(value["error"])
        return "\n".join([value["source"], *(f"  {line(face)}" for face in value["faces"])])
    return "\n".join(line(face) for face in value)
