"""``report.html``: one page that needs nothing but itself."""

from __future__ import annotations

import io
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from facekit import extras
from facekit.benchmark import published
from facekit.benchmark.report import (
    columns,
    gallery,
    limits,
    matrix_view,
    measured,
    names,
    picks,
    plot_groups,
    plot_style,
    plots,
    wording,
)
from facekit.benchmark.result import BenchmarkResult, Outcome

# Pairs of either kind that are shown of the best pipeline, and of each further model's best.
_WORST, _WORST_OF_OTHERS = 9, 4
# Pictures without a face that are shown of each detector; report.json names all.
_MISSED = 24
_CAPTIONS = {
    "roc": "Each model's best pipeline, then the next best, eight in all. The FAR axis is "
    "logarithmic; in the shaded part a rate would rest on fewer than three errors.",
    "scores": "Distances of pairs of one person and of strangers, each kind as shares of its own "
    "number; the dashed line is the threshold. Where the humps overlap, errors happen.",
    "speed": "A point for each pipeline with its best metric. The dashed line joins what nothing "
    "else beats in both accuracy and time.",
    "groups": "Each model's best pipeline, by group of people.",
}


def text(result: BenchmarkResult) -> str:
    """The whole page.

    Raises
    ------
    MissingDependency
        When jinja2 or matplotlib is not installed.
    """
    jinja2 = extras.load("jinja2", "A benchmark's page")
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_part),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.jinja").render(_content(result))


def _part(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")


def _content(result: BenchmarkResult) -> dict[str, Any]:
    ranked = picks.ranked(result)
    best = ranked[0] if ranked else None
    views = matrix_view.ours(result)
    beside = published.stand_beside(result.protocol.name)
    metrics = dict.fromkeys(view["metric"] for view in views)
    thumbnails = gallery.Thumbnails(result.protocol.pictures)
    return {
        "title": result.protocol.name,
        "best": None if best is None else _headline(best),
        "facts": measured.facts(result),
        "summary": _table(columns.SUMMARY, picks.best_of_models(result)),
        "views": views,
        "choices": matrix_view.choices(views),
        "theirs": {name: matrix_view.theirs(name) for name in metrics} if beside else {},
        "published": published,
        "legend": matrix_view.legend(),
        "plots": {
            kind: _plot(result, kind) for kind in plots.worth_drawing(result) if kind in _CAPTIONS
        },
        "groups": _groups(result),
        "galleries": list(_galleries(result, thumbnails)),
        "missed": _missed(result, thumbnails),
        "all": _table(columns.ALL, ranked),
        "limits": limits.sentences(result),
        "skipped": result.skipped,
    }


def _headline(best: Outcome) -> dict[str, Any]:
    figures = best.figures
    # The strictest rate that the pairs can state.
    tar = [
        c
        for far, c in zip(limits.FARS, columns.TARS, strict=True)
        if limits.can_state(far, figures)
    ]
    shown = columns.filled(
        (*tar[-1:], columns.EER, columns.AUC, columns.RECALL_AT_1, columns.TOTAL_MS), [best]
    )
    units = {"auc": "", "total_ms": " ms"}
    tiles = [
        {
            "name": "a picture" if column.key == "total_ms" else column.name,
            "text": column.write(figures) + units.get(column.key, " %"),
            "about": column.about,
        }
        for column in shown
    ]
    return {
        "accuracy": wording.at_least(figures.get("accuracy"), wording.digits(figures.get("pairs"))),
        "error": wording.at_most(
            figures.get("standard_error"), wording.digits(figures.get("pairs"))
        )
        if wording.known(figures.get("standard_error")) is not None
        else "",
        "interval": wording.interval(figures),
        "model": best.model,
        "pipeline": wording.pipeline(best, model=False),
        "tiles": tiles,
    }


def _table(wanted: Any, outcomes: list[Outcome]) -> dict[str, Any]:
    shown = columns.filled(wanted, outcomes)
    rows = [
        [
            {
                "text": column.write(outcome.figures),
                "sort": outcome.figures.get(column.key) if column.number else None,
            }
            for column in shown
        ]
        for outcome in outcomes
    ]
    return {"columns": shown, "rows": rows}


def _plot(result: BenchmarkResult, kind: str) -> dict[str, str]:
    """The plot on light and on dark paper, as addresses of SVGs."""
    drawn = {}
    for paper, theme in (("light", plot_style.LIGHT), ("dark", plot_style.DARK)):
        written = io.BytesIO()
        plots.draw(result, kind, theme).savefig(
            written, format="svg", metadata={"Date": None, "Creator": None}
        )
        drawn[paper] = gallery.data_address("image/svg+xml", written.getvalue())
    return {**drawn, "caption": _CAPTIONS[kind], "alt": _alternative(result, kind)}


def _alternative(result: BenchmarkResult, kind: str) -> str:
    """The plot in words, for who does not see it."""
    if kind == "groups":
        return "Bars by group of people; the table below holds the same figures."
    drawn = picks.best_pipelines(result) if kind == "roc" else picks.best_of_models(result)
    key = {"roc": columns.TARS[2], "scores": columns.ACCURACY, "speed": columns.TOTAL_MS}[kind]
    lines = [
        f"{outcome.model}, {outcome.detector}: {key.write(outcome.figures)}"
        for outcome in drawn[: picks.MOST]
    ]
    what = {
        "roc": "ROC curves. TAR at FAR 1e-3 in percent",
        "scores": "Histograms of distances. Accuracy in percent",
        "speed": "Accuracy against time. Milliseconds a picture",
    }[kind]
    return f"{what}: {'; '.join(lines)}."


def _groups(result: BenchmarkResult) -> dict[str, Any] | None:
    """Every figure that is known by group, of the outcomes in the plot."""
    outcomes = plot_groups.shown(result)
    if not outcomes:
        return None
    rows = [
        (outcome.model, name, mine) for outcome in outcomes for name, mine in outcome.groups.items()
    ]
    shown = [
        column
        for column in columns.ALL
        if column not in columns.PIPELINE
        and any(column.write(mine) not in (wording.UNKNOWN, "") for _, _, mine in rows)
    ]
    return {
        "columns": shown,
        "rows": [
            {"model": model, "group": name, "cells": [column.write(mine) for column in shown]}
            for model, name, mine in rows
        ],
    }


def _galleries(result: BenchmarkResult, thumbnails: gallery.Thumbnails) -> Iterator[dict[str, Any]]:
    called = names.short_names(result.protocol.pictures)
    for i, outcome in enumerate(picks.best_of_models(result)[: picks.MOST]):
        most = _WORST_OF_OTHERS if i else _WORST
        kinds = {
            "Strangers nearest to each other": gallery.nearest_strangers(result, outcome, most),
            "One person farthest apart": gallery.farthest_of_one(result, outcome, most),
        }
        yield {
            "model": outcome.model,
            "pipeline": wording.pipeline(outcome, model=False),
            "threshold": wording.length(outcome.figures.get("threshold")),
            "kinds": {
                kind: gallery.shown_pairs(pairs, called, thumbnails)
                for kind, pairs in kinds.items()
            },
        }


def _missed(result: BenchmarkResult, thumbnails: gallery.Thumbnails) -> list[dict[str, Any]]:
    called = names.short_names(result.protocol.pictures)
    return [
        {
            "detector": detector,
            "total": len(failed),
            "pictures": [
                {"name": called[place], "reason": reason, "address": thumbnails[place]}
                for place, reason in failed[:_MISSED]
            ],
        }
        for detector, failed in result.failures.items()
    ]
