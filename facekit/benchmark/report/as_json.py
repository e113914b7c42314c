"""A result as plain data: what ``report.json`` holds."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from facekit.benchmark import published
from facekit.benchmark.protocol import Protocol
from facekit.benchmark.report import curves, limits, names
from facekit.benchmark.result import BenchmarkResult, Outcome
from facekit.benchmark.verification import roc


def text(result: BenchmarkResult) -> str:
    """Strict JSON: what is not a finite number is null."""
    return (
        json.dumps(data(result), ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"
    )


def data(result: BenchmarkResult) -> dict[str, Any]:
    """Everything but the distances; ROC curves thinned to 200 points."""
    called = names.short_names(result.protocol.pictures)
    return _plain(
        {
            "about": result.about,
            "protocol": protocol(result.protocol),
            "cannot_be_stated": limits.sentences(result),
            "rows": [_row(outcome, result.protocol.same) for outcome in result.outcomes],
            "failures": {
                detector: [{"picture": called[place], "reason": reason} for place, reason in failed]
                for detector, failed in result.failures.items()
            },
            "skipped": result.skipped,
            "published": _published(result.protocol.name),
        }
    )


def protocol(asked: Protocol) -> dict[str, Any]:
    """A protocol's name, note and counts; None for what it does not know."""
    same = np.asarray(asked.same, bool)
    folds, people, groups = asked.folds, asked.people, asked.groups
    return {
        "name": asked.name,
        "note": asked.note,
        "pictures": len(asked.pictures),
        "pairs": asked.pairs,
        "pairs_of_one_person": np.count_nonzero(same),
        "pairs_of_strangers": np.count_nonzero(~same),
        "folds": None if folds is None else len(np.unique(folds)),
        "people": None if people is None else len(set(people)),
        "groups": None if groups is None else dict(sorted(Counter(groups).items())),
    }


def _row(outcome: Outcome, same: np.ndarray) -> dict[str, Any]:
    row = {**outcome.figures, "groups": outcome.groups}
    if same.any() and not same.all():
        curve = curves.thinned(roc(outcome.distances, same))
        row["roc"] = {name: _short(values) for name, values in curve._asdict().items()}
    return row


def _short(values: np.ndarray) -> list[float]:
    """Six digits: a curve is to be drawn, not to be decided by."""
    return [float(f"{value:.6g}") for value in values]


def _published(name: str) -> dict[str, Any] | None:
    if not published.stand_beside(name):
        return None
    return {
        "source": published.SOURCE,
        "date": published.DATE,
        "note": published.NOTE,
        "rows": published.rows(),
    }


def _plain(value: Any) -> Any:
    """Python's own types only."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (np.ndarray, np.generic)):
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    return str(value)
