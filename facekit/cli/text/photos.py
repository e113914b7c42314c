"""What ``cluster`` and ``dedupe`` found, as text for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import floor
from typing import Any

from facekit.cli.text.layout import table

_SHOWN = 40  # groups
_DONE = {
    "copy": "copied",
    "hard": "linked",
    "sym": "linked",
    "move": "moved",
    "there": "there already",
}


def clusters(result: dict[str, Any]) -> str:
    """A line a person, then what belongs to nobody."""
    if "finished" in result:
        return _finished(result["finished"])
    groups, counts = result["groups"], result["counts"]
    lines = []
    if groups:
        rows = [
            (
                group["folder"],
                group["photos"],
                f"{group['spread']:.3f}",
                _names(group["people"]),
                group["representative"]["identity"],
            )
            for group in groups[:_SHOWN]
        ]
        lines.append(table(rows, ("group", "photos", "spread", "sub-folders", "typical photo")))
        lines += _hidden(len(groups))
        lines.append("")
    poor = counts["poor_faces"]
    lines.append(
        f"{_counted(len(groups), 'person', 'people')} on {_counted(counts['photos'], 'photo')}; "
        f"{_counted(len(result['nobody']), 'face')} of nobody; "
        f"{_counted(counts['photos_without_face'], 'photo')} without a face; "
        f"{_counted(poor, 'face')} too poor to form groups."
    )
    return "\n".join(lines + _extras(result))


def copies(result: dict[str, Any]) -> str:
    """A block a group, the best photo first."""
    if "finished" in result:
        return _finished(result["finished"])
    groups, counts = result["groups"], result["counts"]
    lines = []
    for group in groups[:_SHOWN]:
        rows = [
            (
                "best" if row is group["best"] else _likeness(row),
                f"{row['width']}x{row['height']}",
                row["bytes"],
                row["identity"],
            )
            for row in (group["best"], *group["others"])
        ]
        lines += [table(rows, ("likeness", "pixels", "bytes", "photo")), ""]
    lines += _hidden(len(groups))
    lines += [f"{one['source']}: {one['error']}" for one in result["unusable"]]
    lines.append(
        f"{_counted(counts['duplicates'], 'lesser copy', 'lesser copies')} of "
        f"{_counted(counts['groups'], 'photo')} among {_counted(counts['photos'], 'photo')}; "
        f"they take {counts['bytes'] / 1e6:.1f} MB."
    )
    return "\n".join(lines + _extras(result))


def _names(people: Sequence[dict[str, Any]]) -> str:
    shown = ", ".join(f"{one['person']} {one['faces']}" for one in people[:3])
    return f"{shown}, ..." if len(people) > 3 else shown


def _likeness(row: dict[str, Any]) -> str:
    # Rounded down: 1 would say that nothing differs.
    return "same bytes" if row["same_bytes"] else f"{floor(row['likeness'] * 1000) / 1000:.3f}"


def _hidden(count: int) -> list[str]:
    more = count - _SHOWN
    return [f"... and {more} more groups: --json has them all."] if more > 0 else []


def _extras(result: dict[str, Any]) -> list[str]:
    lines = []
    if "sheet" in result:
        lines.append(f"Contact sheet: {result['sheet']}")
    if "files" in result:
        lines.append(_files(result["files"], planned=result["planned"]))
    return lines


def _files(steps: Sequence[dict[str, Any]], *, planned: bool) -> str:
    if not steps:
        return "No photo has to go anywhere."
    if planned:
        rows = [(step["action"], step["source"], step["target"]) for step in steps]
        return f"{table(rows, ('action', 'photo', 'to'))}\nNothing was done: this is the plan."
    done = Counter(_DONE[step["action"]] for step in steps)
    return "Photos: " + ", ".join(f"{count} {how}" for how, count in done.items()) + "."


def _finished(steps: Sequence[dict[str, Any]]) -> str:
    return (
        f"An earlier run was interrupted: its {_counted(len(steps), 'photo')} are in place now. "
        "Run the command again for what has come since."
    )


def _counted(count: int, noun: str, many: str = "") -> str:
    return f"{count:,} {noun if count == 1 else many or f'{noun}s'}"
