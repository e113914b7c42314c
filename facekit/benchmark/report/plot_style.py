"""How all plots look: figures without pyplot's global state, on light and dark paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from facekit import extras

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

USER = "A benchmark's plot"


@dataclass(frozen=True)
class Theme:
    """Colours of one paper.

    Attributes
    ----------
    paper, ink, quiet, grid, shade : str
        Background, text, secondary text, lines of the grid, areas that say nothing.
    same, different : str
        Pairs of one person, pairs of strangers.
    series : sequence of str
        Eight colours, in order of rank; apart for the colour-blind too (after Okabe and Ito).
    """

    paper: str
    ink: str
    quiet: str
    grid: str
    shade: str
    same: str
    different: str
    series: Sequence[str]


LIGHT = Theme(
    paper="#ffffff",
    ink="#1c2024",
    quiet="#60666d",
    grid="#e6e8eb",
    shade="#f0f1f3",
    same="#0072b2",
    different="#d55e00",
    series=(
        *("#0072b2", "#d55e00", "#009e73", "#b4529a"),
        *("#3c9fdc", "#b07d00", "#6a51a3", "#5b6167"),
    ),
)
DARK = Theme(
    paper="#16191d",
    ink="#e8eaed",
    quiet="#9aa2ab",
    grid="#2b3036",
    shade="#1f242a",
    same="#56b4e9",
    different="#f0883e",
    series=(
        *("#56b4e9", "#f0883e", "#2fc79a", "#e08cc8"),
        *("#9ad0f5", "#e6b84a", "#a994e0", "#aeb5bd"),
    ),
)
# Beyond the fourth curve the stroke differs as well as the colour.
STROKES = ("-", "-", "-", "-", "--", "--", "--", "--")


def figure(theme: Theme, width: float = 8.0, height: float = 5.0) -> Figure:
    """An empty figure of so many inches, drawn by Agg.

    Raises
    ------
    MissingDependency
        When matplotlib is not installed.
    """
    extras.load("matplotlib", USER)
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    made = Figure(figsize=(width, height), facecolor=theme.paper, layout="constrained")
    made.set_layout_engine("constrained", w_pad=0.08, h_pad=0.08)
    FigureCanvasAgg(made)
    return made


def dress(axes: Axes, theme: Theme, *, grid: Literal["both", "x", "y", ""] = "both") -> None:
    """Quiet axes: no frame, hairlines behind the data, small labels."""
    axes.set_facecolor("none")
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(which="both", length=0, labelsize=9, labelcolor=theme.quiet, pad=5)
    axes.set_axisbelow(True)
    if grid:
        axes.grid(visible=True, axis=grid, color=theme.grid, linewidth=0.8)


def name_axes(axes: Axes, theme: Theme, x: str, y: str) -> None:
    """Labels of both axes."""
    for put, text in ((axes.set_xlabel, x), (axes.set_ylabel, y)):
        put(text, fontsize=9.5, color=theme.quiet, labelpad=7)


def title(axes: Axes, theme: Theme, text: str, size: float = 11.5) -> None:
    """A title at the left edge."""
    plain(axes.set_title(text, loc="left", fontsize=size, color=theme.ink, pad=10))


def plain(text: Any) -> Any:
    """A text in which ``$`` is a dollar: names come from users."""
    text.set_parse_math(False)
    return text


def legend(axes: Axes, theme: Theme, handles: Sequence[Any], labels: Sequence[str], **where: Any):
    """A legend without a frame."""
    made = axes.legend(
        handles,
        labels,
        frameon=False,
        fontsize=9,
        labelcolor=theme.ink,
        handlelength=1.9,
        **where,
    )
    for text in made.get_texts():
        plain(text)
    return made


def nothing(theme: Theme, sentence: str) -> Figure:
    """A figure that says why there is nothing to see."""
    made = figure(theme, 8, 1.6)
    made.text(0.5, 0.5, sentence, ha="center", va="center", color=theme.quiet, fontsize=10)
    return made
