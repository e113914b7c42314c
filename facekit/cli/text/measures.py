"""Benchmarks and calibrations, as text for people."""

from __future__ import annotations

import math
from typing import Any

from facekit.cli.text.layout import table, wrapped

_ROWS_SHOWN = 40  # of a benchmark


def detector_figures(rows: list[dict[str, Any]]) -> str:
    """The table of ``facekit benchmark detectors``; columns that nobody measured are left out."""
    percents = ("recall", "recall_large", "precision", "ap")
    columns = [*percents, "missed", "points_error", "ms_320", "ms_640", "ms_1280"]
    columns = [name for name in columns if any(row.get(name) is not None for row in rows)]
    lines = []
    for row in rows:
        cells: list[Any] = [row["name"]]
        for name in columns:
            value = row.get(name)
            if value is None or value == float("inf"):
                cells.append(None)
            else:
                cells.append(f"{100 * value:.1f}" if name in percents else value)
            if name == "points_error" and cells[-1] is not None:
                cells[-1] = f"{value:.3f}"
        lines.append(cells)
    errors = [f"{row['name']}: {row['error']}" for row in rows if row["error"]]
    return "\n".join([table(lines, ("detector", *columns)), *errors])


def benchmark(value: dict[str, Any]) -> str:
    """The table of ``facekit benchmark lfw`` and its like, the best accuracy first."""
    from facekit.thresholds import can_state

    asked, rows = value["protocol"], value["rows"]
    head = ["model", "detector", "aligned", "mirrored", "metric", "accuracy", "TAR at FAR 1e-3"]
    head += ["EER", "missed", "ms"]
    extra = {"recall_at_1": "recall@1", "accuracy_conv_facenet": "conv-facenet's way"}
    extra = {key: name for key, name in extra.items() if any(row.get(key) for row in rows)}
    lines = [
        [
            *(row["model"], row["detector"]),
            *("yes" if row[key] else "no" for key in ("aligned", "flip")),
            row["metric"],
            f"{_success(row['accuracy'])}"
            + (f" ± {100 * row['standard_error']:.2f}" if row["standard_error"] else ""),
            # Marked where these strangers are too few for the rate.
            _success(row["tar_1e-3"])
            + ("" if can_state(1e-3, round(1 / row["far_resolution"])) else "*"),
            None if row["eer"] is None else f"{math.ceil(1e4 * row['eer'] - 1e-6) / 100:.2f}",
            row["missed"],
            None if row["total_ms"] is None else f"{row['total_ms']:.1f}",
            *(_success(row.get(key)) for key in extra),
        ]
        for row in rows[:_ROWS_SHOWN]
    ]
    ends = [*value["cannot_be_stated"]]
    if len(rows) > _ROWS_SHOWN:
        ends.append(f"{len(rows) - _ROWS_SHOWN} more rows: --json prints all.")
    if value["files"]:
        ends.append(f"Report: {value['files'][0]}")
    counts = f"{asked['name']}: {asked['pairs']:,} pairs of {asked['pictures']:,} pictures."
    return "\n".join(
        [
            *wrapped(counts, *([asked["note"]] if asked["note"] else [])),
            "",
            table(lines, [*head, *extra.values()]),
            "",
            *wrapped("Percent; ms is CPU time of one thread a picture.", *ends),
        ]
    )


def _success(value: float | None) -> str:
    """Percent, never rounded up; empty where it is not known."""
    return "" if value is None else f"{math.floor(1e4 * value + 1e-6) / 100:.2f}"


def calibration(value: dict[str, Any]) -> str:
    """What ``facekit calibrate`` found: thresholds with their 95 % intervals, and what to know."""
    entry, rows = value["entries"][0], value["table"]
    mirrored = ", mirror images averaged in" if entry["flip"] else ""
    head = ["metric", "FAR", "threshold", "95 %", "TAR"]
    checked = any(row["checked_far"] is not None for row in rows)
    lines: list[list[Any]] = []
    for row in rows:
        low, high = row["threshold_low"], row["threshold_high"]
        lines.append(
            [
                row["metric"],
                f"{row['far']:g}",
                f"{row['threshold']:.4f}",
                None if low is None else f"{low:.4f} to {high:.4f}",
                f"{100 * row['tar']:.1f} %",
            ]
        )
        if checked:
            lines[-1] += [f"{row['checked_far']:.2g}", f"{100 * row['checked_tar']:.1f} %"]
    if checked:
        head += ["FAR of others", "TAR of others"]
    ends = ["Not saved: with --save verify uses these thresholds from now on."]
    if value.get("saved"):
        ends = [
            f"Saved in {value['saved']}.",
            f"From now on verify uses these thresholds wherever {entry['model']} runs with "
            f"{entry['detector']} and the same settings, and its answers say so.",
        ]
    return "\n".join(
        [
            *wrapped(f"{entry['model']} with {entry['detector']}{mirrored}.", f"{entry['data']}."),
            "",
            table(lines, head),
            "",
            *wrapped(
                "FAR and TAR: parts of the pairs of strangers, and of one person, that are "
                "accepted. 95 %: where the threshold would lie with other people like these.",
                *value["notes"],
                *ends,
            ),
        ]
    )
