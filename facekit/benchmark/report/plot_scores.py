"""Histograms of distances of one person and of strangers, with the threshold."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from facekit.benchmark.report import picks, plot_style, wording
from facekit.benchmark.report.plot_style import Theme
from facekit.benchmark.result import BenchmarkResult, Outcome

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BINS = 60


def draw(result: BenchmarkResult, theme: Theme) -> Figure:
    """A panel for each model's best pipeline, at most eight."""
    chosen = picks.best_of_models(result)[: picks.MOST]
    if not chosen:
        return plot_style.nothing(theme, "No histogram: nothing was measured.")
    columns = min(len(chosen), 2)
    rows = math.ceil(len(chosen) / columns)
    figure = plot_style.figure(theme, 4.6 * columns if columns > 1 else 6.4, 2.95 * rows + 0.2)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, outcome in zip(panels, chosen, strict=False):
        _panel(axes, outcome, np.asarray(result.protocol.same, bool), theme)
    for axes in panels[len(chosen) :]:
        axes.set_visible(False)
    return figure


def _panel(axes: Axes, outcome: Outcome, same: np.ndarray, theme: Theme) -> None:
    distances = np.asarray(outcome.distances, np.float64)
    finite = np.isfinite(distances)
    plot_style.dress(axes, theme, grid="")
    edges = np.histogram_bin_edges(distances[finite], _BINS) if finite.any() else np.linspace(0, 1)
    for kind, colour, name in (
        (same, theme.same, "one person"),
        (~same, theme.different, "strangers"),
    ):
        mine = distances[finite & kind]
        # Shares of each kind, so that both are seen where one is far more frequent.
        shares = np.histogram(mine, edges)[0] / max(len(mine), 1)
        axes.stairs(shares, edges, fill=True, color=colour, alpha=0.28, linewidth=0)
        axes.stairs(shares, edges, color=colour, linewidth=1.3)
        if len(mine):
            # Over the middle of its hump, where the other kind's name is not.
            axes.annotate(
                name,
                (float(np.median(mine)), float(shares.max())),
                xytext=(0, 4),
                textcoords="offset points",
                ha="center",
                fontsize=8.5,
                color=colour,
            )
    axes.set_yticks([])
    axes.margins(x=0.02)
    axes.set_ylim(0, max(axes.get_ylim()[1], 1e-9) * 1.22)
    threshold = wording.known(outcome.figures.get("threshold"))
    if threshold is not None:
        axes.axvline(
            threshold, color=theme.ink, linewidth=1.2, linestyle=(0, (4, 2)), label="threshold"
        )
        axes.annotate(
            wording.length(threshold),
            (threshold, 1),
            xycoords=axes.get_xaxis_transform(),
            xytext=(4, -3),
            textcoords="offset points",
            va="top",
            fontsize=8.5,
            color=theme.ink,
        )
    plot_style.title(axes, theme, outcome.model, 10.5)
    label = plot_style.plain(
        axes.set_xlabel(
            f"{outcome.metric} distance · {wording.pipeline(outcome, model=False, metric=False)}"
        )
    )
    label.set(fontsize=8.5, color=theme.quiet)
