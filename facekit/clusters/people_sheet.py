"""The contact sheet of the people of a collection."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from facekit.sheet.page import Picture, Section, Sheet

_MOST = 6000  # faces on a page: some 20 MB


def sheet(result: dict[str, Any], title: str) -> Sheet:
    """A page of what ``facekit.cluster`` found."""
    groups = result["groups"]
    counts = result["counts"]
    nobody = [face for face in result["nobody"] if not face["poor"]]
    sizes = [len(group["members"]) for group in groups]
    most = _share([*sizes, len(nobody)])
    sections = [
        Section(
            group["folder"],
            _about(group),
            list(map(_picture, _some(group["members"], most))),
            max(len(group["members"]) - most, 0),
        )
        for group in groups
    ]
    if nobody:
        about = f"{len(nobody):,} faces that resemble no other closely enough"
        shown = list(map(_picture, nobody[:most]))
        sections.append(Section("Nobody", about, shown, max(len(nobody) - most, 0)))
    return Sheet(
        "facekit cluster",
        title,
        {
            "people": f"{len(groups):,}",
            "faces of them": f"{sum(sizes):,}",
            "faces of nobody": f"{len(result['nobody']):,}",
            "photos": f"{counts['photos']:,}",
            "photos without a face": f"{counts['photos_without_face']:,}",
        },
        "Each group's most typical face comes first, the least certain ones last: look there for "
        "strangers. Hover for a photo's path, click to open it. "
        f"{result['model']} with {result['detector_backend']}; faces of one person are within "
        f"{result['threshold']:.4f} on average.",
        sections,
    )


def _about(group: dict[str, Any]) -> str:
    parts = [f"{group['photos']:,} photos", f"spread {group['spread']:.3f}"]
    known = group["people"]
    if known:
        parts.append(", ".join(f"{one['person']} {one['faces']}" for one in known[:5]))
    return " · ".join(parts)


def _picture(face: dict[str, Any]) -> Picture:
    area = face["facial_area"]
    box = None
    if area["w"]:
        x, y = area["x"], area["y"]
        box = (x, y, x + area["w"], y + area["h"])
    return Picture(face["identity"], box, "small" if face["poor"] else "")


def _share(sizes: list[int]) -> int:
    """The most faces of one group, so that the page holds no more than it should."""
    left, groups = _MOST, len(sizes)
    for size in sorted(sizes):
        if size * groups > left:
            return max(left // groups, 1)
        left, groups = left - size, groups - 1
    return max(sizes, default=1)


def _some(members: list[dict[str, Any]], most: int) -> Iterator[dict[str, Any]]:
    """The most typical faces, and at the end the least certain ones."""
    if len(members) <= most:
        return iter(members)
    last = most // 4
    return iter([*members[: most - last], *members[len(members) - last :]])
