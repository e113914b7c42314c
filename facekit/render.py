"""Results as text for people; the shell prints JSON to everyone else."""

from __future__ import annotations

import math
import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import Any

_ROWS_SHOWN = 40  # of a benchmark
_LISTED = 4  # of a list among facts


def verdict(result: dict[str, Any]) -> str:
    """The verdict of ``verify`` in a few lines."""
    same = "Same person" if result["verified"] else "Different people"
    lines = [
        f"{same}: {result['similarity_metric']} distance {result['distance']:.4f}, "
        f"threshold {result['threshold']:.4f}."
    ]
    if result["confidence"] is not None:
        lines.append(f"Probability that they are one person: {_percent(result['confidence'])}.")
    lines.append(f"Model {result['model']}, detector {result['detector_backend']}.")
    source = result["threshold_source"]
    if source.get("given"):
        lines.append("Threshold as given.")
    elif source["far"] is not None:
        yours = f"your calibration of {source['date']}, " if source.get("user") else ""
        lines.append(
            f"Threshold: 1 of {round(1 / source['far']):,} pairs of strangers is taken for one "
            f"person ({yours}{source['data']})."
        )
        if interval := source.get("threshold_interval"):
            low, high = interval
            lines.append(f"With other people it would lie between {low:.4f} and {high:.4f} (95 %).")
    if source.get("note"):
        lines.append(f"Threshold {source['note']}.")
    lines += [f"Note: {warning}" for warning in result["warnings"]]
    return "\n".join(_wrapped(*lines))


def _wrapped(*lines: str) -> list[str]:
    width = min(_columns(), 100)
    # A path is not to be broken: it will be copied.
    wrapper = textwrap.TextWrapper(
        width, subsequent_indent="  ", break_on_hyphens=False, break_long_words=False
    )
    return [wrapper.fill(line) for line in lines]


def _columns() -> int:
    return shutil.get_terminal_size().columns


def _percent(value: float) -> str:
    if value < 0.1:
        return "below 0.1 %"
    return "above 99.9 %" if value > 99.9 else f"{value:.1f} %"


def embeddings(value: Any) -> str:
    """Vectors, shortened."""

    def line(face: dict[str, Any]) -> str:
        vector = face["embedding"]
        head = ", ".join(f"{v:.4f}" for v in vector[:4])
        return f"{_place(face, 'face_confidence')}: [{head}, ...] {len(vector)} numbers"

    return _faces(value, line)


def places(value: Any) -> str:
    """Where faces are, and the files that they were written to."""

    def line(face: dict[str, Any]) -> str:
        return _place(face, "confidence") + (f" -> {face['file']}" if "file" in face else "")

    return _faces(value, line)


def _place(face: dict[str, Any], score: str) -> str:
    area = face["facial_area"]
    return f"face {area['w']}x{area['h']} at {area['x']},{area['y']} (score {face[score]:.3f})"


def _faces(value: Any, line: Any) -> str:
    if isinstance(value, dict):
        if "error" in value:
            return str(value["error"])
        return "\n".join([value["source"], *(f"  {line(face)}" for face in value["faces"])])
    return "\n".join(line(face) for face in value)


def table(rows: Sequence[Sequence[Any]], head: Sequence[str]) -> str:
    """Columns padded with spaces; numbers to the right; the last one cut to fit a terminal."""
    cells = [list(head), *([_cell(v) for v in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    numeric = [
        all(isinstance(row[i], (int, float, type(None))) for row in rows) for i in range(len(head))
    ]
    if sys.stdout.isatty():
        room = max(_columns() - sum(widths[:-1]) - 2 * len(widths[:-1]), len(head[-1]))
        cells = [[*row[:-1], _cut(row[-1], room)] for row in cells]
    lines = [
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ).rstrip()
        for row in cells
    ]
    return "\n".join(lines)


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: max(room - 3, 0)]}..."


def _cell(value: Any) -> str:
    return "-" if value is None else str(value)


def _size(size: int | None) -> str:
    if not size:
        return "-"
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size / 1e3:.0f} kB"


_COMMERCIAL = {True: "yes", False: "no", None: "not stated"}
_PACKAGE = "needs the package "
# Shorter words, so that the tables fit on 80 to 100 columns.
_STATES = {
    "in an installed package": "in a package",
    "in a local directory": "local",
    "in another program's cache": "other program",
    "needs no weights": "none needed",
}


def models(rows: list[dict[str, Any]]) -> str:
    """The tables of ``facekit models``, one a task."""
    made = []
    for task, heads in (
        ("recognizer", ("numbers", "LFW %")),
        ("detector", ("points",)),
    ):
        mine = [row for row in rows if row["task"] == task]
        if mine:
            head = (f"{task} (* default)", "weights", "size", *heads, "commercial")
            made.append(table([_model(row) for row in mine], head))
    return "\n\n".join(made) or "No such model."


def _model(row: dict[str, Any]) -> tuple[Any, ...]:
    estimate = "" if row["size_known"] or not row["size"] else "~"
    special: tuple[Any, ...] = ({True: "5", False: "-", None: None}[row["landmarks"]],)
    if row["task"] == "recognizer":
        special = (row["dimension"], row["published_lfw"])
    return (
        row["name"] + (" *" if row["default"] else ""),
        _state(row["state"]),
        estimate + _size(row["size"]),
        *special,
        _COMMERCIAL[row["commercial"]],
    )


def _state(states: list[str]) -> str:
    """A package that is missing is what to get first."""
    packages = [s.removeprefix(_PACKAGE) for s in states if s.startswith(_PACKAGE)]
    if packages:
        return f"needs {', '.join(packages)}"
    return ", ".join(_STATES.get(state, state) for state in states)


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
            *_wrapped(counts, *([asked["note"]] if asked["note"] else [])),
            "",
            table(lines, [*head, *extra.values()]),
            "",
            *_wrapped("Percent; ms is CPU time of one thread a picture.", *ends),
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
            *_wrapped(f"{entry['model']} with {entry['detector']}{mirrored}.", f"{entry['data']}."),
            "",
            table(lines, head),
            "",
            *_wrapped(
                "FAR and TAR: parts of the pairs of strangers, and of one person, that are "
                "accepted. 95 %: where the threshold would lie with other people like these.",
                *value["notes"],
                *ends,
            ),
        ]
    )


def weights(rows: list[dict[str, Any]]) -> str:
    """The table of ``facekit weights list``."""
    return table(
        [
            (
                row["key"],
                _size(row["size"]),
                _STATES.get(row["state"], row["state"]),
                _COMMERCIAL[row["commercial"]],
                row["licence"],
            )
            for row in rows
        ],
        ("name", "size", "state", "commercial", "licence"),
    )


def actions(rows: list[dict[str, Any]]) -> str:
    """What pull, verify and clean did, one line a file."""
    if not rows:
        return "Nothing to do."
    return "\n".join(_action(row) for row in rows)


def _action(row: dict[str, Any]) -> str:
    if row.get("error"):
        return f"{row['key']}: {row['error']}"
    if "ok" in row:
        return f"{row['key']}: intact ({row['path']})"
    if "bytes" in row:
        return f"{row['path']}: removed, {_size(row['bytes'])}"
    return f"{row['key']}: {row['status']} ({row['path']})"


def path(value: dict[str, Any]) -> str:
    """The bare path."""
    return value["path"]


def versions(value: dict[str, str]) -> str:
    """One line a package."""
    return "\n".join(f"{name} {number}" for name, number in value.items())


def found(answers: list[Any]) -> str:
    """What ``find`` gives: a table a face of each query."""
    single = all(isinstance(answer, list) for answer in answers) and not any(
        answer and isinstance(answer[0], list) for answer in answers
    )
    parts = []
    for answer in [answers] if single else answers:
        if isinstance(answer, dict):
            parts.append(answer["error"])
            continue
        for number, rows in enumerate(answer, 1):
            head = f"Face {number}: " if len(answer) > 1 else ""
            if not rows:
                parts.append(f"{head}nobody was found.")
                continue
            lines = [
                (row["person"], f"{row['distance']:.4f}", _sure(row), row["identity"])
                for row in rows
            ]
            parts.append(head + ("\n" if head else "") + table(lines, _HITS))
    return "\n\n".join(parts)


_HITS = ("person", "distance", "probability", "photo")


def _sure(row: dict[str, Any]) -> str | None:
    return None if row["confidence"] is None else _percent(row["confidence"])


def identified(rows: list[dict[str, Any]]) -> str:
    """Who is on each picture, and the closest people."""
    parts = []
    for row in rows:
        if "error" in row:
            parts.append(row["error"])
            continue
        for number, face in enumerate(row["faces"], 1):
            name = face["person"] or "nobody of this gallery"
            head = f"{row['source']}, face {number}: {name} (threshold {face['threshold']:.4f})"
            if "recall" in face:
                share = face["recall"]
                head += "; searched exactly" if share == 1 else f"; index of recall {share:.2%}"
            lines = [
                (one["person"], f"{one['distance']:.4f}", _sure(one), one["photo"])
                for one in face["candidates"]
            ]
            parts.append(f"{head}\n{table(lines, _HITS)}" if lines else head)
    return "\n\n".join(parts)


def indexed(value: dict[str, Any]) -> str:
    """What became of a gallery's index, one line."""
    if "removed" in value:
        return "The index is removed." if value["removed"] else "There was no index."
    if "index_recall" in value:  # a database's
        return facts(value)
    if value["index"] is None:
        return (
            f"No index: on {_counted(value['faces'], 'face')} none that finds enough is at least "
            "twice as fast as the exact search."
        )
    faces = _counted(value["faces"], "face")
    return (
        f"{value['index']} finds {value['recall']:.2%} of the 10 nearest among {faces}, "
        f"{value['gain']:.1f} times as fast as the exact search."
    )


def enrolled(rows: list[dict[str, Any]]) -> str:
    """What became of each photo, one line, and a last one for all of them."""
    lines = [row["error"] if "error" in row else _enrolled(row) for row in rows]
    if len(rows) > 1:
        lines.append(_in_all(rows))
    return "\n".join(lines)


def _enrolled(row: dict[str, Any]) -> str:
    parts = []
    if row["faces"] or not row["refused"]:
        parts.append(f"{_counted(len(row['faces']), 'face')} stored")
        if row["left_out"]:
            parts[0] += f", {row['left_out']} of others left out"
    parts += [f"poor: {', '.join(one['reasons'])}" for one in row["quality"] if one["reasons"]]
    parts += [f"not stored: {', '.join(one['reasons'])}" for one in row["refused"]]
    parts += [f"resembles {_near(one['person'], one)}" for one in row["also"]]
    parts += [f"already there as {_near(one['photo'], one)}" for one in row["already"]]
    if row["unlike"] is not None:
        parts.append(f"unlike {row['person']}'s other photos (distance {row['unlike']:.4f})")
    return f"{row['source']}: {'; '.join(parts)}."


def _near(name: str | None, one: dict[str, Any]) -> str:
    return f"{name or 'another face'} (distance {one['distance']:.4f})"


def _in_all(rows: list[dict[str, Any]]) -> str:
    """Counts of photos, and of what somebody should look at."""
    fine = [row for row in rows if "error" not in row]
    counts = {
        "failed": len(rows) - len(fine),
        "refused": sum(bool(row["refused"]) for row in fine),
        "poor": sum(any(one["reasons"] for one in row["quality"]) for row in fine),
        "like another person": sum(bool(row["also"]) for row in fine),
        "there already": sum(bool(row["already"]) for row in fine),
        "unlike the rest": sum(row["unlike"] is not None for row in fine),
    }
    stored = _counted(sum(len(row["faces"]) for row in fine), "face")
    text = f"{_counted(len(rows), 'photo')}: {stored} stored"
    return f"{text}{''.join(f', {count} {name}' for name, count in counts.items() if count)}."


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def people(rows: list[dict[str, Any]]) -> str:
    """The table of ``facekit gallery list``."""
    lines = [(row["name"], row["faces"], row["photos"], _when(row["last"])) for row in rows]
    return table(lines, ("name", "faces", "photos", "last photo")) if lines else "Nobody."


def faces(rows: list[dict[str, Any]]) -> str:
    """The table of ``facekit gallery show``."""
    lines = [
        (
            row["face"],
            row["photo"],
            _when(row["date"]),
            ", ".join(row["tags"]),
            None if row["eyes"] is None else f"{row['eyes']:.0f}",
            None if row["score"] is None else f"{row['score']:.3f}",
        )
        for row in rows
    ]
    return table(lines, ("face", "photo", "date", "tags", "eyes", "score"))


def _when(date: str | None) -> str | None:
    return None if date is None else date.replace("T", " ")


def facts(value: dict[str, Any]) -> str:
    """One line a value; of a long list the first few."""
    return "\n".join(f"{name.replace('_', ' ')}: {_fact(v)}" for name, v in value.items())


def _fact(value: Any) -> str:
    if not isinstance(value, (list, tuple)):
        return str(value)
    shown = ", ".join(map(str, value[:_LISTED]))
    more = len(value) - _LISTED
    return f"{shown} and {more:,} more" if more > 0 else shown


def embedded(summary: dict[str, Any]) -> str:
    """What a run over a collection left, and what is amiss."""
    lines = [
        f"{_counted(summary['faces'], 'face')} of {_counted(summary['photos'], 'photo')} in "
        f"{_counted(summary['shards'], 'file')} of {summary['out']}"
    ]
    for key, what in (("without_face", "without a face"), ("broken", "that cannot be read")):
        if summary[key]:
            lines.append(f"{_counted(summary[key], 'photo')} {what}: column reason says why")
    if summary["embedded"]:
        lines.append(
            f"this run: {_counted(summary['embedded'], 'photo')} in {summary['seconds']:,} s, "
            f"{summary['photos_per_second']:,} a second"
        )
    else:
        lines.append("this run: nothing was left to do")
    lines += [f"not made: {reason}" for reason in summary["failed"]]
    if summary["failed"]:
        lines.append("the same command tries again")
    return "\n".join(lines)
