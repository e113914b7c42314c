"""Accuracy against milliseconds a picture, with what nothing else beats in both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from facekit.benchmark.report import picks, plot_style, wording
from facekit.benchmark.report.plot_style import Theme
from facekit.benchmark.result import BenchmarkResult, Outcome

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Models with a colour of their own; the rest share the last one.
_COLOURS = 8
# Up to so many points all have names; above, the front and each model's best.
_FEW_POINTS = 16
_ACCURACIES = (0, 30, 50, 60, 70, 80, 90, 95, 97, 98, 99, 99.5, 99.7, 99.8, 99.9, 99.95, 99.99)
# Where a name may stand around its point, in points of the page, with its alignment.
_PLACES = tuple(
    (x, y, align)
    for far in (1, 2.2, 3.6)
    for x, y, align in (
        (5 * far, 6 * far, "left"),
        (0, 8 * far, "center"),
        (-5 * far, 6 * far, "right"),
        (7 * far, -3, "left"),
        (-7 * far, -3, "right"),
        (5 * far, -12 * far, "left"),
        (-5 * far, -12 * far, "right"),
        (0, -14 * far, "center"),
    )
)


def pareto(times: Sequence[float], accuracies: Sequence[float]) -> list[int]:
    """Places of the points that no other beats in both; the fastest first.

    Of equal points the first stands for all.
    """
    order = sorted(range(len(times)), key=lambda i: (times[i], -accuracies[i]))
    front: list[int] = []
    for i in order:
        if not front or accuracies[i] > accuracies[front[-1]]:
            front.append(i)
    return front


def draw(result: BenchmarkResult, theme: Theme) -> Figure:
    """A point for each pipeline, with its best metric."""
    shown = [
        outcome
        for outcome in picks.pipelines(result)
        if (wording.known(outcome.figures.get("total_ms")) or 0) > 0
        and wording.known(outcome.figures.get("accuracy")) is not None
    ]
    if not shown:
        return plot_style.nothing(theme, "No plot: no times were measured.")
    times = [float(outcome.figures["total_ms"]) for outcome in shown]
    accuracies = [100 * float(outcome.figures["accuracy"]) for outcome in shown]
    figure = plot_style.figure(theme, 8.4, 5.4)
    axes = figure.add_subplot()
    plot_style.dress(axes, theme)
    axes.set_xscale("log")
    # Half as many errors are as much of a step anywhere: between 90 and 95, and 99.0 and 99.5.
    least = 50 / max(result.protocol.pairs, 1)  # half an error, for who makes none
    axes.set_yscale("function", functions=_scale(least))
    models = list(dict.fromkeys(outcome.model for outcome in shown))
    colours = {
        name: theme.series[min(i, _COLOURS - 1)] if len(models) > 1 else theme.series[0]
        for i, name in enumerate(models)
    }
    front = pareto(times, accuracies)
    _front(axes, theme, [times[i] for i in front], [accuracies[i] for i in front])
    handles = []
    for name in models:
        mine = [i for i, outcome in enumerate(shown) if outcome.model == name]
        handles.append(
            axes.scatter(
                [times[i] for i in mine],
                [accuracies[i] for i in mine],
                s=[52 if i in front else 30 for i in mine],
                color=colours[name],
                alpha=0.9,
                edgecolor=theme.paper,
                linewidth=0.9,
                zorder=4,
            )
        )
    _limits(axes, times, accuracies, least)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.4g} %")
    _ticks(axes)
    plot_style.name_axes(
        axes,
        theme,
        "Milliseconds a picture, one CPU thread (log scale)",
        "Accuracy (log errors)",
    )
    if 1 < len(models) <= _COLOURS:
        plot_style.legend(
            axes,
            theme,
            handles,
            models,
            loc="upper center",
            ncols=min(len(models), 4),
            bbox_to_anchor=(0.5, 1.1 + 0.05 * (len(models) > 4)),
            columnspacing=1.6,
        )
    firsts = [next(i for i, o in enumerate(shown) if o.model == name) for name in models]
    wanted = [*front, *firsts, *(range(len(shown)) if len(shown) <= _FEW_POINTS else ())]
    named = {*front, *firsts}
    labels = {i: _label(shown[i], named=i in named) for i in wanted}
    _write(figure, axes, theme, times, accuracies, labels, set(front))
    return figure


def _label(outcome: Outcome, *, named: bool) -> str:
    words = [outcome.model, outcome.detector] if named else [outcome.detector]
    extra = ", not aligned" if not outcome.aligned else ""
    return " · ".join(words) + extra


def _front(axes: Axes, theme: Theme, times: list[float], accuracies: list[float]) -> None:
    # On to the right edge: whoever has more time gets at least this accuracy.
    axes.step(
        [*times, 1e9],
        [*accuracies, accuracies[-1]],
        where="post",
        color=theme.quiet,
        linewidth=1.1,
        linestyle=(0, (4, 3)),
        zorder=2,
        label="Pareto front",
        scalex=False,
    )


def _scale(least: float) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """Accuracy in percent -> how small the errors are, and back."""

    def forward(accuracy: Any) -> Any:
        return -np.log10(np.maximum(100 - np.asarray(accuracy, float), least))

    def back(height: Any) -> Any:
        return 100 - np.power(10.0, -np.asarray(height, float))

    return forward, back


def _limits(axes: Axes, times: list[float], accuracies: list[float], least: float) -> None:
    axes.set_xlim(min(times) / 1.35, max(times) * 1.6)
    forward, back = _scale(least)
    low, high = float(forward(min(accuracies))), float(forward(max(accuracies)))
    room = max(high - low, 0.2)
    bottom, top = float(back(low - 0.1 * room)), float(back(high + 0.22 * room))
    axes.set_ylim(max(bottom, 0.0), top)
    axes.set_yticks([tick for tick in _ACCURACIES if bottom <= tick <= top])


def _ticks(axes: Axes) -> None:
    """Plain numbers on the log axis: 1, 2, 5, 10, 20, 50."""
    from matplotlib.ticker import LogLocator, NullLocator

    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")


def _write(
    figure: Figure,
    axes: Axes,
    theme: Theme,
    times: list[float],
    accuracies: list[float],
    labels: dict[int, str],
    front: set[int],
) -> None:
    """Names where they cover neither points nor each other; what finds no room is left out."""
    from matplotlib import patheffects
    from matplotlib.transforms import Bbox

    figure.draw_without_rendering()
    canvas: Any = figure.canvas  # Agg's
    renderer = canvas.get_renderer()
    inside = axes.get_window_extent(renderer)
    taken: list[Any] = []
    for point in axes.transData.transform(list(zip(times, accuracies, strict=True))):
        taken.append(Bbox.from_extents(*(point - 4), *(point + 4)))
    for i, text in labels.items():
        for x, y, align in _PLACES:
            note = axes.annotate(
                text,
                (times[i], accuracies[i]),
                xytext=(x, y),
                textcoords="offset points",
                ha=align,
                fontsize=8.5 if i in front else 7.5,
                color=theme.ink if i in front else theme.quiet,
                zorder=5,
            )
            plot_style.plain(note).set_path_effects(
                [patheffects.withStroke(linewidth=3, foreground=theme.paper)]
            )
            box = note.get_window_extent(renderer)
            fits = inside.contains(box.x0, box.y0) and inside.contains(box.x1, box.y1)
            if fits and not any(box.overlaps(other) for other in taken):
                taken.append(box)
                break
            note.remove()
