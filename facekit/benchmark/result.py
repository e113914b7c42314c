"""What a benchmark found, as a table, as plots, as a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from facekit.benchmark.protocol import Protocol

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame


@dataclass(frozen=True, eq=False)
class Outcome:
    """One pipeline with one metric over a protocol's pairs.

    Attributes
    ----------
    model, detector, metric : str
    aligned, flip : bool
    fingerprint : str
        Of the pipeline.
    distances : numpy.ndarray
        ``float64 (P,)``; NaN where a picture of the pair has no embedding.
    figures : mapping
        The row of the table: plain numbers, texts and None, by the names that
        ``docs/benchmarks.md`` explains.
    groups : mapping
        The same for each group of people; empty without groups.
    """

    model: str
    detector: str
    aligned: bool
    flip: bool
    metric: str
    fingerprint: str
    distances: np.ndarray
    figures: Mapping[str, Any]
    groups: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class BenchmarkResult:
    """All outcomes over one protocol.

    Attributes
    ----------
    protocol : Protocol
    outcomes : sequence of Outcome
        The best accuracy first.
    failures : mapping
        Detector -> pictures without an embedding, each ``(place in the protocol, reason)``.
    skipped : sequence of mapping
        Models that could not run: ``name`` and ``reason``.
    about : mapping
        Date, versions, processor, CPUs, and how the run was asked for.
    """

    protocol: Protocol
    outcomes: Sequence[Outcome]
    failures: Mapping[str, Sequence[tuple[int, str]]]
    skipped: Sequence[Mapping[str, str]]
    about: Mapping[str, Any]

    def table(self) -> DataFrame:
        """One row for each pipeline and metric, the best accuracy first."""
        from pandas import DataFrame

        return DataFrame([dict(outcome.figures) for outcome in self.outcomes])

    def to_dict(self) -> dict[str, Any]:
        """What ``report.json`` holds, without the curves: ready for JSON."""
        from facekit.benchmark.report import as_json

        made = as_json.data(self)
        for row in made["rows"]:
            del row["roc"]
        return made

    def plot(self, kind: str = "roc") -> Figure:
        """A figure of matplotlib: see ``facekit.benchmark.report.plots.KINDS``."""
        from facekit.benchmark.report import plots

        return plots.draw(self, kind)

    def save(self, folder: str | Path) -> list[Path]:
        """Write ``report.html``, ``report.md``, ``report.json``, ``table.csv`` and the plots."""
        from facekit.benchmark import report

        return report.save(self, Path(folder))
