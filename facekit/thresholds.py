"""Where the line between "same" and "different" lies, and how sure that is.

Every threshold states the data it was fitted on, when, and its error rate. They
lie in ``weights/thresholds.json``, written by ``benchmarks/fit_thresholds.py``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from numbers import Real
from typing import Any

from facekit.errors import InvalidArgument
from facekit.zoo.specs import RecognizerSpec

FARS = (1e-2, 1e-3, 1e-4)
DEFAULT_FAR = 1e-3


@dataclass(frozen=True)
class Threshold:
    """A decision rule: same person where ``distance <= value``.

    Attributes
    ----------
    value : float or None
        None when the model has no threshold for this metric at all.
    source : mapping
        Provenance; ``calibrated`` says whether it was fitted for this pipeline.
    logistic : tuple of float or None
        Slope and intercept of the confidence curve over the distance.
    """

    value: float | None
    source: Mapping[str, Any]
    logistic: tuple[float, float] | None = None

    def confidence(self, distance: float) -> float | None:
        """Probability in percent that two photos show one person.

        For a pair of which, before looking, either is equally likely; None where
        the pipeline was not calibrated.
        """
        if self.logistic is None:
            return None
        slope, intercept = self.logistic
        exponent = min(max(slope * distance + intercept, -700.0), 700.0)
        return 100 / (1 + math.exp(-exponent))


@cache
def load() -> list[dict[str, Any]]:
    """All fitted entries, one for each pipeline and metric."""
    from importlib.resources import files

    text = files("facekit.weights").joinpath("thresholds.json").read_text("utf-8")
    return json.loads(text)["fitted"]


def lookup(
    spec: RecognizerSpec,
    detector: str,
    metric: str,
    *,
    far: float = DEFAULT_FAR,
    flip: bool = False,
    fingerprint: str | None = None,
) -> Threshold:
    """The threshold of a pipeline.

    Parameters
    ----------
    spec : RecognizerSpec
    detector : str
        Name of the detector; thresholds of another detector are used when this one
        was not fitted, and the source says so.
    metric : str
    far : float
        False acceptance rate that the threshold was fitted for: 0.01, 0.001 or 0.0001.
    flip : bool
        Whether mirror images are averaged in.
    fingerprint : str, optional
        Of the pipeline in use. When it is not the one that was fitted (other detector
        options, alignment, cropping or scaling) the value still stands but is marked
        "not calibrated".

    Raises
    ------
    InvalidArgument
        For a ``far`` that was not fitted.
    """
    number = isinstance(far, Real)
    rate = next((f for f in FARS if number and math.isclose(f, far, rel_tol=1e-6)), None)
    if rate is None:
        raise InvalidArgument(
            f"far is {far!r}.", f"Thresholds are fitted for {', '.join(f'{f:g}' for f in FARS)}."
        )
    mine = [e for e in load() if e["model"] == spec.name and e["metric"] == metric]
    if not mine:
        return _published(spec, metric)
    # The nearest pipeline: the same treatment of mirror images, then the same detector.
    entry = max(mine, key=lambda e: (e["flip"] == flip, e["detector"] == detector))
    calibrated = (entry["flip"], entry["detector"]) == (flip, detector) and fingerprint in (
        None,
        entry["fingerprint"],
    )
    fitted = entry["far"][f"{rate:g}"]
    source = {
        "calibrated": calibrated,
        "far": rate,
        "tar": fitted["tar"],
        "checked": fitted["checked"],
        "data": entry["data"],
        "date": entry["date"],
        "fitted_with": {k: entry[k] for k in ("detector", "flip", "fingerprint")},
    }
    if not calibrated:
        source["note"] = "not calibrated: fitted with another pipeline than the one in use"
    logistic = entry["logistic"]
    return Threshold(fitted["threshold"], source, (logistic["slope"], logistic["intercept"]))


def _published(spec: RecognizerSpec, metric: str) -> Threshold:
    published = dict(spec.published_thresholds)
    # On vectors of unit length the three angles' metrics are functions of each other.
    cosine = published.get("cosine")
    if cosine is not None:
        published.setdefault("euclidean_l2", math.sqrt(2 * cosine))
        published.setdefault("angular", math.acos(1 - cosine) / math.pi)
    note = "not calibrated: the threshold that the authors publish"
    if metric not in published:
        note = "not calibrated: no threshold is known for this model and metric"
    source = {"calibrated": False, "far": None, "data": spec.source, "note": note}
    return Threshold(published.get(metric), source)
