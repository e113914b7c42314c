"""A benchmark's plots by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from facekit.benchmark.report import (
    plot_groups,
    plot_matrix,
    plot_roc,
    plot_scores,
    plot_speed,
    plot_style,
)
from facekit.benchmark.report.plot_style import Theme
from facekit.benchmark.result import BenchmarkResult
from facekit.errors import UnknownName

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KINDS: dict[str, Callable[[BenchmarkResult, Theme], Figure]] = {
    "roc": plot_roc.draw,
    "scores": plot_scores.draw,
    "speed": plot_speed.draw,
    "matrix": plot_matrix.draw,
    "groups": plot_groups.draw,
}


def draw(result: BenchmarkResult, kind: str = "roc", theme: Theme = plot_style.LIGHT) -> Figure:
    """A figure of matplotlib, drawn by Agg: no window, nothing of pyplot is touched.

    Parameters
    ----------
    result : BenchmarkResult
    kind : str
        ``roc`` (TAR over FAR on a log axis), ``scores`` (histograms of distances with the
        threshold), ``speed`` (accuracy against milliseconds), ``matrix`` (models against
        detectors) or ``groups`` (figures by group of people).
    theme : Theme
        ``plot_style.LIGHT`` or ``plot_style.DARK``.

    Raises
    ------
    UnknownName
        For a kind that does not exist.
    MissingDependency
        When matplotlib is not installed.
    """
    if kind not in KINDS:
        raise UnknownName("plot", kind, KINDS)
    return KINDS[kind](result, theme)


def worth_drawing(result: BenchmarkResult) -> list[str]:
    """The kinds that have something to show for this result."""
    if not result.outcomes:
        return []
    return [kind for kind in KINDS if kind != "groups" or plot_groups.measure(result)]
