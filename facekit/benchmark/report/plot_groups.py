"""Figures by group of people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from facekit.benchmark.report import picks, plot_style, wording
from facekit.benchmark.report.plot_style import Theme
from facekit.benchmark.result import BenchmarkResult, Outcome

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_MODELS = 4


def measure(result: BenchmarkResult) -> str | None:
    """What is shown by group: recall@1 where it is known, else accuracy; None without groups."""
    figures = [group for o in result.outcomes for group in o.groups.values()]
    for name in ("recall_at_1", "accuracy"):
        if any(wording.known(group.get(name)) is not None for group in figures):
            return name
    return None


def shown(result: BenchmarkResult) -> list[Outcome]:
    """The best outcome of the best models, of those that have groups."""
    return [outcome for outcome in picks.best_of_models(result) if outcome.groups][:_MOST_MODELS]


def draw(result: BenchmarkResult, theme: Theme) -> Figure:
    """Bars from zero with their figures; one colour a model, one cluster a group."""
    name, outcomes = measure(result), shown(result)
    if name is None or not outcomes:
        return plot_style.nothing(theme, "No plot: the pictures have no groups.")
    groups = list(dict.fromkeys(group for outcome in outcomes for group in outcome.groups))
    step = len(outcomes) + 0.8
    figure = plot_style.figure(theme, 8.4, 1.1 + 0.26 * step * len(groups))
    axes = figure.add_subplot()
    plot_style.dress(axes, theme, grid="x")
    handles: list[Any] = []
    for k, outcome in enumerate(outcomes):
        values = [wording.known(outcome.groups.get(group, {}).get(name)) for group in groups]
        places = [i * step + k for i in range(len(groups))]
        handles.append(
            axes.barh(places, [100 * (v or 0) for v in values], height=0.78, color=theme.series[k])
        )
        for place, value, group in zip(places, values, groups, strict=True):
            _figure(axes, theme, place, value, outcome.groups.get(group, {}), name)
    axes.set_yticks([i * step + (len(outcomes) - 1) / 2 for i in range(len(groups))], groups)
    for text in axes.get_yticklabels():
        plot_style.plain(text).set_color(theme.ink)
    axes.invert_yaxis()
    axes.set_xlim(0, 116)
    axes.set_xticks(range(0, 101, 20))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g} %")
    plot_style.name_axes(axes, theme, "Recall@1" if name == "recall_at_1" else "Accuracy", "")
    plot_style.legend(
        axes,
        theme,
        handles,
        [outcome.model for outcome in outcomes],
        loc="lower center",
        bbox_to_anchor=(0.45, 1.0),
        ncols=min(len(outcomes), 4),
    )
    return figure


def _figure(axes, theme: Theme, place: float, value: float | None, group, name: str) -> None:
    text = wording.at_least(value, wording.digits(group.get("pairs")))
    if name == "accuracy" and value is not None:
        low, high = (wording.known(group.get(f"accuracy_{end}")) for end in ("low", "high"))
        if low is not None and high is not None:
            axes.plot([100 * low, 100 * high], [place, place], color=theme.ink, linewidth=1)
            value = max(value, high)
    axes.text(100 * (value or 0) + 1, place, text, va="center", fontsize=8.5, color=theme.quiet)
