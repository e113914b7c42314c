"""The worst errors as pictures: strangers that look alike, one person that does not."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from facekit import images
from facekit.benchmark.report import wording
from facekit.benchmark.result import BenchmarkResult, Outcome
from facekit.errors import FaceKitError

SIDE = 160  # pixels of a thumbnail's longer side
_QUALITY = 82


@dataclass(frozen=True)
class Pair:
    """A pair of pictures as a report shows it.

    Attributes
    ----------
    first, second : int
        Places in the protocol's pictures.
    distance : float
    wrong : bool or None
        Whether the outcome's threshold decides it wrongly; None without a threshold.
    """

    first: int
    second: int
    distance: float
    wrong: bool | None


def nearest_strangers(result: BenchmarkResult, outcome: Outcome, most: int) -> list[Pair]:
    """Pairs of strangers at the smallest distances, the smallest first."""
    return _pairs(result, outcome, ~np.asarray(result.protocol.same, bool), 1, most)


def farthest_of_one(result: BenchmarkResult, outcome: Outcome, most: int) -> list[Pair]:
    """Pairs of one person at the largest distances, the largest first."""
    return _pairs(result, outcome, np.asarray(result.protocol.same, bool), -1, most)


def _pairs(
    result: BenchmarkResult, outcome: Outcome, kind: np.ndarray, sign: int, most: int
) -> list[Pair]:
    distances = np.asarray(outcome.distances, np.float64)
    places = np.flatnonzero(kind & np.isfinite(distances))
    order = np.argsort(sign * distances[places], kind="stable")[:most]
    threshold = wording.known(outcome.figures.get("threshold"))
    same = np.asarray(result.protocol.same, bool)
    return [
        Pair(
            int(result.protocol.first[i]),
            int(result.protocol.second[i]),
            float(distances[i]),
            None if threshold is None else bool((distances[i] <= threshold) != same[i]),
        )
        for i in places[order]
    ]


class Thumbnails:
    """JPEGs as ``data:`` addresses, each made once.

    Parameters
    ----------
    pictures : sequence of image sources
    """

    def __init__(self, pictures: Sequence[Any]) -> None:
        self._pictures = pictures
        self._made: dict[int, str | None] = {}

    def __getitem__(self, place: int) -> str | None:
        """The picture's thumbnail; None when it cannot be read (any more)."""
        if place not in self._made:
            self._made[place] = _thumbnail(self._pictures[place])
        return self._made[place]


def _thumbnail(source: Any) -> str | None:
    try:
        # A report is made of what is at hand: it fetches nothing.
        picture = images.load(source, allow_url=False)
    except FaceKitError:
        return None
    scale = SIDE / max(picture.shape[:2])
    if scale < 1:
        width, height = (max(round(side * scale), 1) for side in picture.shape[1::-1])
        picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    written, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return data_address("image/jpeg", data.tobytes()) if written else None


def data_address(kind: str, content: bytes) -> str:
    """Content as a ``data:`` address of that media type."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def shown_pairs(
    pairs: Sequence[Pair], names: Sequence[str], thumbnails: Thumbnails
) -> list[Mapping[str, Any]]:
    """Pairs as the page's template takes them."""
    return [
        {
            "pictures": [
                {"name": names[place], "address": thumbnails[place]}
                for place in (pair.first, pair.second)
            ],
            "distance": wording.length(pair.distance),
            "wrong": pair.wrong,
        }
        for pair in pairs
    ]
