"""Heat tables as the page's template takes them: ours and the published ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from facekit.benchmark import published
from facekit.benchmark.report import columns, heat, picks, wording
from facekit.benchmark.report.columns import Column
from facekit.benchmark.report.picks import Matrix
from facekit.benchmark.result import BenchmarkResult

MEASURES: Mapping[str, Column] = {"Accuracy": columns.ACCURACY, "TAR at FAR 1e-3": columns.TARS[2]}
_ALIGNMENT = {True: "Aligned", False: "Not aligned"}


def ours(result: BenchmarkResult) -> list[dict[str, Any]]:
    """A view for each metric, treatment of mirror images and measure; the best outcome's first."""
    views = []
    for matrix in picks.matrices(result):
        for measure, column in MEASURES.items():
            tables = [_table(matrix, column, aligned) for aligned in matrix.alignments]
            if any(cell["text"] != wording.UNKNOWN for t in tables for cell in _cells(t)):
                views.append(
                    {
                        "metric": matrix.metric,
                        "flip": "with" if matrix.flip else "without",
                        "measure": measure,
                        "tables": tables,
                    }
                )
    return views


def theirs(metric: str) -> dict[str, Any]:
    """deepface's published accuracies for the metric nearest to this one."""
    nearest = published.nearest_metric(metric)
    figures = published.matrix(nearest)
    tables = []
    for aligned, name in _ALIGNMENT.items():
        rows = [
            {
                "name": detector,
                "cells": [
                    _cell(
                        figures[model, detector, aligned],
                        wording.at_least(figures[model, detector, aligned], 1),
                        f"{model}, {detector}: {published.MARK}",
                    )
                    for model in published.MODELS
                ],
            }
            for detector in published.detectors()
        ]
        tables.append({"name": name, "models": published.MODELS, "rows": rows})
    return {"metric": nearest, "tables": tables}


def legend() -> list[dict[str, Any]]:
    """Cells that explain the colours."""
    return [_cell(value, f"{value * 100:g}", "") for value in heat.LEGEND]


def choices(views: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """What a reader can choose between, where there is more than one."""
    found = {
        key: list(dict.fromkeys(view[key] for view in views))
        for key in ("metric", "measure", "flip")
    }
    return {key: values for key, values in found.items() if len(values) > 1}


def _table(matrix: Matrix, column: Column, aligned: bool) -> dict[str, Any]:
    rows = []
    for detector in matrix.detectors:
        cells = []
        for model in matrix.models:
            outcome = matrix.cells.get((model, detector, aligned))
            if outcome is None:
                cells.append(_cell(None, wording.UNKNOWN, f"{model}, {detector}: not measured"))
            else:
                value = wording.known(outcome.figures.get(column.key))
                about = f"{model}, {detector}: {wording.accuracy(outcome.figures)}"
                cells.append(_cell(value, column.write(outcome.figures), about))
        rows.append({"name": detector, "cells": cells})
    return {"name": _ALIGNMENT[aligned], "models": matrix.models, "rows": rows}


def _cells(table: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [cell for row in table["rows"] for cell in row["cells"]]


def _cell(value: float | None, text: str, about: str) -> dict[str, Any]:
    part = 0.0 if value is None else heat.STRONGEST * heat.warmth(value)
    return {"text": text, "heat": f"{part:.2f}", "about": about}
