"""The contact sheet of photos that show the same."""

from __future__ import annotations

from math import floor
from typing import Any

from facekit.sheet.page import Picture, Section, Sheet

_MOST = 1500  # photos on a page: some 20 MB


def sheet(result: dict[str, Any], title: str) -> Sheet:
    """A page of what ``facekit.dedupe`` found; groups beyond 1,500 photos are only counted."""
    sections: list[Section] = []
    left = _MOST
    for group in result["groups"]:
        rows = [group["best"], *group["others"]]
        shown = rows[: max(left, 0)]
        left -= len(rows)
        if not shown:
            break
        name = group["best"]["identity"].replace("\\", "/").rpartition("/")[2]
        about = f"{len(rows)} photos, {size(group['bytes'])} in the lesser ones"
        pictures = [_picture(row, best=row is group["best"]) for row in shown]
        sections.append(Section(name, about, pictures, len(rows) - len(shown)))
    counts = result["counts"]
    more = len(result["groups"]) - len(sections)
    return Sheet(
        "facekit dedupe",
        title,
        {
            "groups": f"{counts['groups']:,}",
            "lesser copies": f"{counts['duplicates']:,}",
            "taken by them": size(counts["bytes"]),
            "photos": f"{counts['photos']:,}",
            "unreadable": f"{len(result['unusable']):,}",
        },
        "The best photo of each group comes first: most pixels, then most bytes. Hover for its "
        "path, click to open it." + (f" {more:,} more groups are not shown." if more else ""),
        sections,
        whole_photos=True,
    )


def size(count: int) -> str:
    """Bytes for people."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count} bytes"


def _picture(row: dict[str, Any], *, best: bool) -> Picture:
    name = row["identity"].replace("\\", "/").rpartition("/")[2]
    same = (
        "same bytes"
        if row["same_bytes"]
        else f"likeness {floor(row['likeness'] * 1000) / 1000:.3f}"
    )
    lines = (
        name,
        f"{row['width']}x{row['height']} · {size(row['bytes'])}",
        *(() if best else (same,)),
    )
    return Picture(row["identity"], None, "best" if best else "", lines)
