"""ROC curves on a log FAR axis."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from facekit.benchmark.report import limits, picks, plot_style, wording
from facekit.benchmark.report.plot_style import Theme
from facekit.benchmark.result import BenchmarkResult
from facekit.benchmark.verification import roc

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(result: BenchmarkResult, theme: Theme) -> Figure:
    """TAR over FAR of the best pipelines; what the pairs cannot state is shaded."""
    same = np.asarray(result.protocol.same, bool)
    chosen = picks.best_pipelines(result)
    strangers, friends = np.count_nonzero(~same), np.count_nonzero(same)
    if not chosen or not strangers or not friends:
        return plot_style.nothing(theme, "No curve: it needs outcomes and both kinds of pairs.")
    figure = plot_style.figure(theme, 8.4, 5.4)
    axes = figure.add_subplot()
    plot_style.dress(axes, theme)
    axes.set_xscale("log")
    left = min(1 / strangers, 0.1) * 0.7
    smallest = min(limits.smallest_far(same) or left, 0.5)
    handles, labels, lowest = [], [], 1.0
    for i, outcome in enumerate(chosen):
        far, tar, _ = roc(outcome.distances, same)
        # From FAR 0, which a log axis does not have, to the right end.
        at_zero = tar[far == 0][-1]
        x = np.concatenate([[left / 2], far[far > 0], [1.0]])
        y = np.concatenate([[at_zero], tar[far > 0], tar[-1:]])
        (line,) = axes.step(
            x,
            y,
            where="post",
            color=theme.series[i],
            linestyle=plot_style.STROKES[i],
            linewidth=1.9,
            solid_joinstyle="round",
            zorder=3 + len(chosen) - i,
        )
        handles.append(line)
        labels.append(f"{outcome.model} · {wording.pipeline(outcome, model=False)}")
        # What the pairs cannot state may leave the picture, so that the rest can be read.
        lowest = min(lowest, float(y[x >= smallest].min(initial=1.0)))
    axes.set_xlim(left, 1)
    # Nearly as much room below the lowest curve as above it, for the legend.
    floor = max(np.floor((1 - max(1.8 * (1 - lowest), 0.01)) * 100) / 100, 0.0)
    axes.set_ylim(floor, 1 + (1 - floor) * 0.015)
    _shade(axes, theme, limits.smallest_far(same), left)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value * 100:.4g} %")
    plot_style.name_axes(
        axes, theme, "False acceptance rate (strangers accepted)", "True acceptance rate"
    )
    plot_style.legend(axes, theme, handles, labels, loc="lower right", borderaxespad=1.0)
    return figure


def _shade(axes, theme: Theme, smallest: float | None, left: float) -> None:
    if smallest is None or smallest <= left:
        return
    right = min(smallest, 1.0)
    axes.axvspan(left, right, color=theme.shade, zorder=0, linewidth=0, label="cannot be stated")
    axes.axvline(right, color=theme.quiet, linewidth=0.8, linestyle=(0, (2, 3)), zorder=1)
    axes.text(
        np.sqrt(left * right),
        0.03,
        "too few pairs\nto state this",
        transform=axes.get_xaxis_transform(),
        ha="center",
        va="bottom",
        fontsize=8.5,
        color=theme.quiet,
        linespacing=1.4,
        zorder=20,  # above curves that leave the picture here
        bbox={"facecolor": theme.shade, "edgecolor": "none", "pad": 1.5},
    )
