"""Prepared faces as text for people."""

from __future__ import annotations

from typing import Any

from facekit.cli.text.layout import counted, table

_SHOWN = 20  # reasons


def prepared(value: dict[str, Any]) -> str:
    """What ``facekit dataset prepare`` left in a folder, what it dropped, and why."""
    pictures = counted(value["pictures"], "picture")
    lines = [f"{counted(value['faces'], 'face')} of {pictures} in {value['out']}"]
    people = _people(value["people"])
    if value["people"]:
        people += f", {value['photos_per_person']:.1f} photos each on average"
    if value["unknown"]:
        people += f"; {counted(value['unknown'], 'face')} of unknown people"
    splits = [(name, split["faces"], split["people"]) for name, split in value["splits"].items()]
    lines += [people, "", table(splits, ("split", "faces", "people"))]
    if value["dropped"]:
        rows = [(count, reason) for reason, count in value["dropped"].items()]
        lines += ["", table(rows[:_SHOWN], ("dropped", "why"))]
        if len(rows) > _SHOWN:
            lines.append(f"... and {len(rows) - _SHOWN} more reasons")
        lines.append("dropped.csv has the reason of each picture")
    if value["excluded"]:
        lines += ["", *_left_out(value["excluded"])]
    return "\n".join(lines)


def _left_out(excluded: dict[str, Any]) -> list[str]:
    lines = []
    for how in ("name", "face"):
        people, photos = _people(excluded[how]["people"]), excluded[how]["pictures"]
        lines.append(f"left out by {how}: {people}, {counted(photos, 'photo')}")
    lines[-1] += f" (alike from a cosine of {excluded['threshold']:.4f})"
    return lines


def _people(count: int) -> str:
    return counted(count, "person") if count == 1 else f"{count:,} people"
