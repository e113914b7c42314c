"""Pictures of a run: what it learnt when, and how its best state tells held-out people apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from facekit import extras
from facekit.benchmark.report import plot_style as style
from facekit.benchmark.verification import eer
from facekit.bulk.files import in_place
from facekit.image_fetch import user_path
from facekit.training import building, history, run_folder
from facekit.training.collection import Collection
from facekit.training.trainer import embed, held_out
from facekit.training.verification import verify

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FOLDER = "plots"
_THEME = style.LIGHT
_PEOPLE = 16  # of the map: as many as colours and shapes keep apart
_DPI = 150
_MARKS = "os"


def plot(run: str) -> list[Path]:
    """Draw a run into its folder ``plots``: one PNG each.

    ``loss.png``, ``rate.png`` and ``held_out.png`` come from the history; ``roc.png`` and
    ``map.png`` from the best state's embeddings of held-out people.

    Parameters
    ----------
    run : str
        Folder of the run; it may still be going on.

    Raises
    ------
    TrainingError
        When it holds no run, or one without a best state, or the data are gone.
    MissingDependency
        Without matplotlib or scikit-learn.
    """
    folder = user_path(run)
    extras.load("sklearn.manifold", "A map of faces")
    recipe = run_folder.recipe_of(folder)
    rows = history.read(folder)
    made = {"loss": _losses(rows), "rate": _rate(rows), "held_out": _looks(rows)}
    best = building.kept(folder / run_folder.BEST)
    faces = held_out(recipe)
    crops = faces.plain(range(len(faces)))
    device = building.device("cpu")
    vectors = embed(best.embedder.network, best.embedder, crops, device)
    made["roc"] = _roc(vectors, faces.people, best.step)
    made["map"] = _map(vectors, faces, best.step)
    files = []
    for name, figure in made.items():
        file = folder / FOLDER / f"{name}.png"
        with in_place(file) as aside:
            figure.savefig(aside, dpi=_DPI, format="png")
        files.append(file)
    return files


def _losses(rows: Sequence[dict[str, float]]) -> Figure:
    names = {"loss": "all", "distill": "teachers", "identity": "identity"}
    there = [name for name in names if any(name in row for row in rows)]
    if "identity" not in there:
        there = ["loss"]  # it is the teachers' alone
    made = style.figure(_THEME, 8, 2.2 * len(there) + 0.6)
    panels = made.subplots(len(there), 1, sharex=True, squeeze=False)[:, 0]
    for axes, name in zip(panels, there, strict=True):
        text = "Loss in training" if name == "loss" else f"Loss in training: {names[name]}"
        _line(axes, rows, name, text, "loss", _THEME.series[0])
        axes.set_xlabel("")
    style.name_axes(panels[-1], _THEME, "step", "loss")
    return made


def _rate(rows: Sequence[dict[str, float]]) -> Figure:
    made = style.figure(_THEME, 8, 3.2)
    axes = made.subplots()
    _line(axes, rows, "rate", "Learning rate", "learning rate", _THEME.series[0])
    axes.set_ylim(bottom=0)
    return made


def _looks(rows: Sequence[dict[str, float]]) -> Figure:
    made = style.figure(_THEME, 8, 5.4)
    upper, lower = made.subplots(2, 1, sharex=True)
    _line(upper, rows, "accuracy", "Held-out people: accuracy", "accuracy", _THEME.series[0])
    _line(lower, rows, "tar", "Held-out people: TAR at FAR 0.001", "TAR", _THEME.series[0])
    upper.set_xlabel("")
    looks = [row for row in rows if "tar" in row]
    if looks:
        best = max(looks, key=lambda row: row["tar"])
        lower.plot(best["step"], best["tar"], "o", color=_THEME.series[1], markersize=6)
        style.title(
            lower,
            _THEME,
            f"Held-out people: TAR at FAR 0.001; the best, {best['tar']:.4f}, "
            f"at step {best['step']:,.0f} is kept",
        )
    return made


def _line(
    axes: Axes, rows: Sequence[dict[str, float]], name: str, title: str, label: str, color: str
) -> None:
    points = [(row["step"], row[name]) for row in rows if name in row]
    steps, values = zip(*points, strict=True) if points else ((), ())
    axes.plot(steps, values, color=color, linewidth=1.6, marker="." if len(points) < 40 else "")
    style.dress(axes, _THEME)
    style.title(axes, _THEME, title)
    style.name_axes(axes, _THEME, "step", label)
    axes.xaxis.set_major_formatter(lambda step, _: f"{step:,.0f}")


def _roc(vectors: np.ndarray, people: np.ndarray, step: int) -> Figure:
    found = verify(vectors, people)
    curve = found.curve
    first, second = np.triu_indices(len(people), 1)
    same = int(np.count_nonzero(people[first] == people[second]))
    strangers = len(first) - same
    made = style.figure(_THEME, 8, 5)
    axes = made.subplots()
    least = max(1e-6, 1 / strangers)  # the curve says nothing to the left of one pair
    seen = curve.far >= least
    axes.step(
        np.concatenate([[least], curve.far[seen], [1]]),
        np.concatenate([[curve.tar[~seen].max()], curve.tar[seen], [1]]),
        where="post",
        color=_THEME.series[0],
        linewidth=1.8,
    )
    axes.set_xscale("log")
    axes.set_xlim(least, 1)
    axes.set_ylim(0, 1.01)
    style.dress(axes, _THEME)
    people_count = len(np.unique(people))
    style.title(
        axes,
        _THEME,
        f"ROC on {people_count:,} held-out people, best state (step {step:,}): "
        f"AUC {found.auc:.4f}, EER {eer(curve):.4f}",
    )
    style.name_axes(
        axes,
        _THEME,
        f"false acceptance rate (of {strangers:,} pairs of strangers)",
        f"true acceptance rate (of {same:,} pairs of one person)",
    )
    return made


def _map(vectors: np.ndarray, faces: Collection, step: int) -> Figure:
    counts = np.bincount(faces.people)
    shown = np.argsort(-counts, kind="stable")[:_PEOPLE]
    rows = np.flatnonzero(np.isin(faces.people, shown[counts[shown] > 1]))
    points = _flat(vectors[rows])
    made = style.figure(_THEME, 8, 6)
    axes = made.subplots()
    handles, names = [], []
    colours = _THEME.series
    for place, person in enumerate(np.unique(faces.people[rows])):
        mine = points[faces.people[rows] == person]
        (handle,) = axes.plot(
            *mine.T,
            linestyle="",
            marker=_MARKS[place // len(colours)],
            color=colours[place % len(colours)],
            markersize=7,
            markeredgecolor=_THEME.paper,
            markeredgewidth=0.6,
        )
        handles.append(handle)
        names.append(_short(faces.names[person]))
    style.dress(axes, _THEME, grid="")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_aspect("equal", adjustable="datalim")
    style.title(
        axes, _THEME, f"Faces of {len(names)} held-out people, best state (step {step:,}): t-SNE"
    )
    style.name_axes(axes, _THEME, "no units: faces that resemble each other lie together", "")
    style.legend(axes, _THEME, handles, names, loc="center left", bbox_to_anchor=(1.01, 0.5))
    return made


def _flat(vectors: np.ndarray) -> np.ndarray:
    """Embeddings on a plane, ``float32 (N, 2)``; the same ones lie at the same places."""
    manifold = extras.load("sklearn.manifold", "A map of faces")
    near = min(12.0, max(1.0, (len(vectors) - 1) / 3))
    mapped = manifold.TSNE(
        perplexity=near, metric="cosine", init="random", learning_rate="auto", random_state=0
    )
    return mapped.fit_transform(vectors)


def _short(name: str) -> str:
    return name if len(name) <= 20 else f"{name[:19]}…"
