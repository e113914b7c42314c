"""How far apart the faces of one person may be on average: the more faces, the less."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from facekit import checks
from facekit.errors import InvalidArgument

if TYPE_CHECKING:
    from facekit.pipeline import FaceKit

# A face has strangers in proportion to the number of faces, so at one threshold the share of
# groups that hold a stranger grows with the collection. Of the rules far = 1e-3 (N0 / n)^p
# this one is within 0.01 of the best B-cubed F on collections of 200 to 6,400 faces of
# LFW's View 1, with Dlib and with ConvNeXt (benchmarks/cluster.py).
_FACES, _POWER = 200, 2 / 3
_LOOSE, _STRICT = 1e-3, 1e-4  # rates that every fitted pipeline states
# Where only one rate is known: what a tenth of the rate takes from the threshold, which is
# 10 to 21 % with the fitted pipelines.
_DECADE = 0.15


@dataclass(frozen=True)
class Limit:
    """The largest mean distance within a group, and where it comes from."""

    value: float
    source: dict[str, Any]


def rate(faces: int) -> float:
    """The false acceptance rate, of one comparison, that suits a collection of so many faces."""
    return _LOOSE * min(1.0, (_FACES / max(faces, 1)) ** _POWER)


def limit_of(kit: FaceKit, faces: int, *, threshold: float | None, far: float | None) -> Limit:
    """The limit for so many faces: the caller's own, or the pipeline's.

    Parameters
    ----------
    kit : FaceKit
    faces : int
    threshold : float, optional
        The limit itself.
    far : float, optional
        A rate that the pipeline's thresholds state, in place of the one that suits the number.

    Raises
    ------
    InvalidArgument
        For numbers out of range, for both at once, or when the pipeline has no threshold.
    """
    if threshold is not None:
        if far is not None:
            raise InvalidArgument("Both threshold and far are given.", "Leave one of them out.")
        checks.check_number("threshold", threshold, 0)
        return Limit(float(threshold), {"given": True})
    if far is not None:
        fitted = kit.fitted_threshold("cosine", far, given=False)
        assert fitted.value is not None
        return Limit(fitted.value, dict(fitted.source))
    return _suited(kit, rate(faces))


def _suited(kit: FaceKit, wanted: float) -> Limit:
    """The threshold at any rate: a straight line over the logarithm of the rate."""
    loose = kit.fitted_threshold("cosine", _LOOSE, given=False)
    strict = kit.fitted_threshold("cosine", _STRICT, given=False)
    assert loose.value is not None
    assert strict.value is not None
    decade = loose.value - strict.value if strict.value < loose.value else _DECADE * loose.value
    value = loose.value - decade * (math.log10(_LOOSE) - math.log10(wanted))
    # The line is not followed below a quarter: no fitted pipeline's distances of one person are.
    return Limit(max(value, loose.value / 4), {**loose.source, "far": wanted, "tar": None})
