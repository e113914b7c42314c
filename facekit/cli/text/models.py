"""Models and their weights, as text for people."""

from __future__ import annotations

from typing import Any

from facekit.cli.text.layout import size, table

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
        estimate + size(row["size"]),
        *special,
        _COMMERCIAL[row["commercial"]],
    )


def _state(states: list[str]) -> str:
    """A package that is missing is what to get first."""
    packages = [s.removeprefix(_PACKAGE) for s in states if s.startswith(_PACKAGE)]
    if packages:
        return f"needs {', '.join(packages)}"
    return ", ".join(_STATES.get(state, state) for state in states)


def weights(rows: list[dict[str, Any]]) -> str:
    """The table of ``facekit weights list``."""
    return table(
        [
            (
                row["key"],
                size(row["size"]),
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
        return f"{row['path']}: removed, {size(row['bytes'])}"
    return f"{row['key']}: {row['status']} ({row['path']})"


def path(value: dict[str, Any]) -> str:
    """The bare path."""
    return value["path"]


def versions(value: dict[str, str]) -> str:
    """One line a package."""
    return "\n".join(f"{name} {number}" for name, number in value.items())
