"""Figures as text: rounded so that no figure looks better than it was measured."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from facekit.benchmark.result import Outcome

UNKNOWN = "–"  # noqa: RUF001 (a dash: there is no figure)
# Below so many pairs a second decimal of a percentage is finer than one pair.
_FEW_PAIRS = 1000


def known(value: Any) -> float | None:
    """A finite number, or None for all that is not one."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) else None


def digits(pairs: Any) -> int:
    """Decimals of a percentage of so many pairs."""
    return 2 if (known(pairs) or _FEW_PAIRS) >= _FEW_PAIRS else 1


def at_least(fraction: Any, decimals: int = 2) -> str:
    """A fraction 0..1 in percent, rounded down: for figures of which more is better."""
    return _percent(fraction, decimals, math.floor, 1e-7)


def at_most(fraction: Any, decimals: int = 2) -> str:
    """A fraction 0..1 in percent, rounded up: for rates of errors and standard errors."""
    return _percent(fraction, decimals, math.ceil, -1e-7)


def _percent(fraction: Any, decimals: int, cut: Any, slack: float) -> str:
    value = known(fraction)
    if value is None:
        return UNKNOWN
    # The slack keeps 0.992 from becoming 99.19 for want of an exact double.
    return f"{cut(value * 100 * 10**decimals + slack) / 10**decimals:.{decimals}f}"


def area(value: Any) -> str:
    """An area under a curve, 0..1, four decimals, rounded down."""
    number = known(value)
    return UNKNOWN if number is None else f"{math.floor(number * 1e4 + 1e-7) / 1e4:.4f}"


def length(value: Any) -> str:
    """A distance or threshold."""
    number = known(value)
    if number is None:
        return UNKNOWN
    return f"{number:.4f}" if abs(number) < 10 else f"{number:.2f}"


def amount(value: Any) -> str:
    """Milliseconds or megabytes: one decimal below ten, none above."""
    number = known(value)
    if number is None:
        return UNKNOWN
    return f"{number:.1f}" if number < 9.95 else f"{number:,.0f}"


def count(value: Any) -> str:
    """A whole number."""
    number = known(value)
    return UNKNOWN if number is None else f"{number:,.0f}"


def counted(number: int, one: str, many: str = "") -> str:
    """A number and its noun: "1 pair", "6,000 pairs"."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def accuracy(figures: Mapping[str, Any]) -> str:
    """Accuracy in percent with its standard error, or with its 95 % interval without folds."""
    decimals = digits(figures.get("pairs"))
    value = at_least(figures.get("accuracy"), decimals)
    if known(figures.get("standard_error")) is not None:
        return f"{value} ± {at_most(figures['standard_error'], decimals)} %"
    between = interval(figures)
    return f"{value} % ({between})" if between else f"{value} %"


def interval(figures: Mapping[str, Any]) -> str:
    """The accuracy's 95 % interval in percent: "98.9 to 99.4"; empty where unknown."""
    low, high = known(figures.get("accuracy_low")), known(figures.get("accuracy_high"))
    if low is None or high is None:
        return ""
    decimals = digits(figures.get("pairs"))
    return f"{at_least(low, decimals)} to {at_most(high, decimals)}"


def pipeline(outcome: Outcome, *, model: bool = True, metric: bool = True) -> str:
    """A pipeline in a few words: "Dlib, mtcnn, aligned, flip, cosine"."""
    words = [
        outcome.model if model else "",
        outcome.detector,
        "aligned" if outcome.aligned else "not aligned",
        "flip" if outcome.flip else "",
        outcome.metric if metric else "",
    ]
    return ", ".join(filter(None, words))
