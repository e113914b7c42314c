"""Where the line between "same" and "different" lies, and how sure that is.

Every threshold states the data it was fitted on, when, and its error rate. The shipped
ones lie in ``weights/thresholds.json``, written by ``benchmarks/fit_thresholds.py``; a
user's own, which go before them, in the cache directory.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from numbers import Real
from typing import Any

from facekit import saved_thresholds
from facekit.errors import InvalidArgument
from facekit.zoo.specs import RecognizerSpec

FARS = (1e-2, 1e-3, 1e-4)
DEFAULT_FAR = 1e-3
LEAST_ACCEPTED = 3  # pairs of strangers; see `can_state`


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
def shipped() -> list[dict[str, Any]]:
    """The fitted entries that come with facekit."""
    from importlib.resources import files

    text = files("facekit.weights").joinpath("thresholds.json").read_text("utf-8")
    return json.loads(text)["fitted"]


def load() -> list[dict[str, Any]]:
    """All fitted entries, one for each pipeline and metric: the user's own, then the shipped.

    The user's own have ``user`` set. ``facekit.calibration`` writes both kinds.

    Raises
    ------
    InvalidArgument
        When the file of the user's own is damaged.
    """
    return [*saved_thresholds.load(), *shipped()]


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

    Entries of exactly this pipeline go first, the user's own before the shipped one; of
    these the first that states the ``far``, and the curve of the first. Where there is none,
    the nearest shipped entry lends its threshold, and only where nothing is shipped for the
    model a user's own.

    Parameters
    ----------
    spec : RecognizerSpec
    detector : str
        Name of the detector; thresholds of another detector are used when this one
        was not fitted, and the source says so.
    metric : str
    far : float
        False acceptance rate that the threshold was fitted for: 0.01, 0.001 or 0.0001,
        or another that the user's own calibration of this pipeline states.
    flip : bool
        Whether mirror images are averaged in.
    fingerprint : str, optional
        Of the pipeline in use. When it is not the one that was fitted (other detector
        options, alignment, cropping or scaling) the value still stands but is marked
        "not calibrated".

    Raises
    ------
    InvalidArgument
        For a ``far`` that was not fitted, or that the user's pairs were too few for; and
        when the file of the user's own thresholds is damaged.
    """
    mine = [e for e in load() if e["model"] == spec.name and e["metric"] == metric]
    exact = [
        e
        for e in mine
        if (e["flip"], e["detector"]) == (flip, detector)
        and fingerprint in (None, e["fingerprint"])
    ]
    candidates = exact or _nearest(mine, detector, flip)
    rate = _rate(far, candidates)
    if not candidates:
        return _published(spec, metric)
    stating = [e for e in candidates if _column(e, rate) is not None]
    if not stating:
        raise InvalidArgument(*_too_few(candidates[0], rate))
    entry = stating[0]
    fitted: dict[str, Any] = entry["far"][_column(entry, rate)]
    source: dict[str, Any] = {
        "calibrated": bool(exact),
        "far": rate,
        "tar": fitted["tar"],
        "checked": fitted["checked"],
        "data": entry["data"],
        "date": entry["date"],
        "fitted_with": {k: entry[k] for k in ("detector", "flip", "fingerprint")},
    }
    # What entries of earlier versions lack.
    source |= {key: entry[key] for key in ("user", "pairs") if key in entry}
    source |= {key: fitted[key] for key in ("threshold_interval", "far_interval") if key in fitted}
    if not exact:
        source["note"] = "not calibrated: fitted with another pipeline than the one in use"
    elif entry is not candidates[0]:
        why = _too_few(candidates[0], rate)[0]
        source["note"] = f"is the shipped one, the confidence is yours: {why[0].lower()}{why[1:-1]}"
    # The curve knows no rate: it stays the same whichever entry states the threshold.
    logistic = candidates[0]["logistic"]
    return Threshold(fitted["threshold"], source, (logistic["slope"], logistic["intercept"]))


def can_state(far: float, strangers: int) -> bool:
    """Whether so many pairs of strangers can state a false acceptance rate.

    It must accept at least 3 of them: where none of n is accepted, rates up to 3 / n are
    possible at a confidence of 95 % (the rule of three), so smaller ones are guesses.
    """
    return far * strangers >= LEAST_ACCEPTED - 1e-9


def smallest_far(strangers: int) -> float:
    """The smallest rate, rounded up to two digits, that so many pairs of strangers can state."""
    least = LEAST_ACCEPTED / strangers
    digit = 10.0 ** (math.floor(math.log10(least)) - 1)
    return float(f"{math.ceil(least / digit - 1e-6) * digit:.2g}")


def _nearest(entries: Sequence[dict[str, Any]], detector: str, flip: bool) -> list[dict[str, Any]]:
    """The shipped entry with the same treatment of mirror images, then the same detector."""
    lenders = [e for e in entries if not e.get("user")] or entries
    near = max(lenders, key=lambda e: (e["flip"] == flip, e["detector"] == detector), default=None)
    return [] if near is None else [near]


def _column(entry: Mapping[str, Any], far: float) -> str | None:
    """The name under which an entry states a rate, or None."""
    return next((key for key in entry["far"] if math.isclose(float(key), far, rel_tol=1e-6)), None)


def _rate(far: float, entries: Sequence[Mapping[str, Any]]) -> float:
    """The fitted rate that is meant; one that nobody fits is refused."""
    known = sorted({*FARS, *(float(key) for e in entries for key in e["far"])}, reverse=True)
    number = isinstance(far, Real)
    rate = next((f for f in known if number and math.isclose(f, far, rel_tol=1e-6)), None)
    if rate is None:
        raise InvalidArgument(
            f"far is {far!r}.", f"Thresholds are fitted for {', '.join(f'{f:g}' for f in known)}."
        )
    return rate


def _too_few(entry: Mapping[str, Any], far: float) -> tuple[str, str]:
    """Why a user's own entry does not state a rate, and what can be done."""
    strangers = int(entry["pairs"]["strangers"])
    stated = ", ".join(entry["far"])
    if can_state(far, strangers):
        cause = f"Your calibration ({entry['data']}) was not asked for FAR {far:g}."
    else:
        cause = (
            f"Your calibration was fitted on {strangers:,} pairs of strangers: FAR {far:g} "
            f"cannot be stated, the smallest is {smallest_far(strangers):g}."
        )
    return cause, f"Use far={stated}, or calibrate for {far:g} on enough pairs of strangers."


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
