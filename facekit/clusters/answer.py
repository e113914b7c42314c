"""Groups as JSON values, and as folders of photos."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from facekit.clusters.grouping import Faces, Group
from facekit.gallery.finding import folder_of, identity
from facekit.placing import MOVE


def rows(found: Faces, groups: Sequence[Group], db_path: str) -> dict[str, Any]:
    """``groups`` and ``nobody``, as ``facekit.cluster`` gives them."""
    made = []
    folder = folder_of(db_path)
    digits = max(3, len(str(len(groups))))
    for number, group in enumerate(groups, 1):
        members = [
            {**_face(found, place, folder), "distance": float(gap)}
            for place, gap in zip(group.members.tolist(), group.gaps, strict=True)
        ]
        names = Counter(found.faces[place].person for place in group.members.tolist())
        made.append(
            {
                "id": number,
                "folder": f"person-{number:0{digits}}",
                "photos": group.photos,
                "faces": len(members),
                "spread": group.spread,
                "people": [
                    {"person": name, "faces": count}
                    for name, count in names.most_common()
                    if name is not None
                ],
                "representative": members[0],
                "members": members,
            }
        )
    named = {place for group in groups for place in group.members.tolist()}
    rest = [place for place in range(len(found.faces)) if place not in named]
    return {"groups": made, "nobody": [_face(found, place, folder) for place in rest]}


def _face(found: Faces, place: int, folder: str | None) -> dict[str, Any]:
    face = found.faces[place]
    return {
        "identity": identity(face, folder),
        "facial_area": face.facial_area(),
        "face_confidence": face.detection.score if face.detection else None,
        "poor": not bool(found.good[place]),
    }


def wanted(groups: Sequence[dict[str, Any]], action: str, link: str) -> list[tuple[str, str, str]]:
    """Photo, path below the target folder, and action, for ``facekit.placing.plan``.

    A photo of several people lies in the folder of each. When photos are moved, it goes to
    the person whose face is the largest in it, and the other folders get ``link``.
    """
    largest: dict[str, tuple[int, int]] = {}  # photo -> area of its largest face, minus the group
    for group in groups:
        for member in group["members"]:
            size = (_area(member), -group["id"])
            largest[member["identity"]] = max(size, largest.get(member["identity"], size))
    made = []
    for group in groups:
        for photo in sorted({member["identity"] for member in group["members"]}):
            home = -largest[photo][1] == group["id"]
            how = action if action != MOVE or home else link
            name = photo.replace("\\", "/").rpartition("/")[2]
            made.append((photo, f"{group['folder']}/{name}", how))
    return made


def _area(member: dict[str, Any]) -> int:
    area = member["facial_area"]
    return (area["w"] or 0) * (area["h"] or 0)
