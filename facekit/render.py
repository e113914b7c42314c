"""Results as text for people; the shell prints JSON to everyone else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def verdict(result: dict[str, Any]) -> str:
    """The verdict of ``verify`` in a few lines."""
    same = "Same person" if result["verified"] else "Different people"
    lines = [
        f"{same}: {result['similarity_metric']} distance {result['distance']:.4f}, "
        f"threshold {result['threshold']:.4f}."
    ]
    if result["confidence"] is not None:
        lines.append(f"Probability that they are one person: {_percent(result['confidence'])}.")
    lines.append(f"Model {result['model']}, detector {result['detector_backend']}.")
    source = result["threshold_source"]
    if source.get("given"):
        lines.append("Threshold as given.")
    elif source["far"] is not None:
        lines.append(
            f"Threshold: 1 of {round(1 / source['far']):,} pairs of strangers is taken for one "
            f"person ({source['data']})."
        )
    if source.get("note"):
        lines.append(f"Threshold {source['note']}.")
    lines += [f"Note: {warning}" for warning in result["warnings"]]
    return "\n".join(lines)


def _percent(value: float) -> str:
    if value < 0.1:
        return "below 0.1 %"
    return "above 99.9 %" if value > 99.9 else f"{value:.1f} %"


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


def table(rows: Sequence[Sequence[Any]], head: Sequence[str]) -> str:
    """Columns padded with spaces; numbers to the right."""
    cells = [list(head), *([_cell(v) for v in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    numeric = [all(isinstance(row[i], (int, float)) for row in rows) for i in range(len(head))]
    lines = [
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ).rstrip()
        for row in cells
    ]
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _size(size: int | None) -> str:
    return f"{size / 1e6:.1f} MB" if size else "-"


_COMMERCIAL = {True: "yes", False: "no", None: "not stated"}


def models(rows: list[dict[str, Any]]) -> str:
    """The table of ``facekit models``."""
    return table(
        [
            (
                row["name"] + (" *" if row["default"] else ""),
                row["task"],
                ", ".join(row["state"]),
                _size(row["size"]),
                "x".join(map(str, row["input"])) if row["input"] else None,
                row["dimension"] or "-",
                _COMMERCIAL[row["commercial"]],
            )
            for row in rows
        ],
        ("model (* default)", "task", "weights", "size", "input", "dimension", "commercial use"),
    )


def weights(rows: list[dict[str, Any]]) -> str:
    """The table of ``facekit weights list``."""
    return table(
        [
            (
                row["key"],
                row["file"],
                _size(row["size"]),
                row["state"],
                _COMMERCIAL[row["commercial"]],
                row["licence"],
            )
            for row in rows
        ],
        ("name", "file", "size", "state", "commercial use", "licence"),
    )


def actions(rows: list[dict[str, Any]]) -> str:
    """What pull, verify and clean did, one line a file."""
    if not rows:
        return "Nothing to do."
    return "\n".join(_action(row) for row in rows)


def _action(row: dict[str, Any]) -> str:
    if row.get("error"):
        return f"{row['key']}: {row['error']}"
    if "ok" in row:
        return f"{row['key']}: intact ({row['path']})"
    if "bytes" in row:
        return f"{row['path']}: removed, {_size(row['bytes'])}"
    return f"{row['key']}: {row['status']} ({row['path']})"


def path(value: dict[str, Any]) -> str:
    """The bare path."""
    return value["path"]


def versions(value: dict[str, str]) -> str:
    """One line a package."""
    return "\n".join(f"{name} {number}" for name, number in value.items())
