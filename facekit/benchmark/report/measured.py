"""What was measured, as pairs of a name and a text: data, date, versions, command."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from facekit.benchmark.report import as_json
from facekit.benchmark.result import BenchmarkResult

_NAMES = {"cpus": "CPUs"}


def facts(result: BenchmarkResult) -> list[tuple[str, str]]:
    """The data set and its counts, then whatever the run says about itself."""
    return [*_data(result), *_about(result.about)]


def _data(result: BenchmarkResult) -> Iterator[tuple[str, str]]:
    counts = as_json.protocol(result.protocol)
    yield "Data", result.protocol.name
    yield (
        "Pairs",
        f"{counts['pairs']:,}: {counts['pairs_of_one_person']:,} of one person, "
        f"{counts['pairs_of_strangers']:,} of strangers",
    )
    people = f" of {counts['people']:,} people" if counts["people"] else ""
    yield "Pictures", f"{counts['pictures']:,}{people}"
    if counts["folds"]:
        yield "Folds", f"{counts['folds']}; each threshold fitted on the others"
    else:
        yield "Folds", "none; each threshold fitted on the pairs that it is measured on"
    if counts["groups"]:
        yield "Groups", ", ".join(f"{name} {n:,}" for name, n in counts["groups"].items())
    if result.protocol.note:
        yield "Note", result.protocol.note


def _about(about: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in about.items():
        if value is None or value == "":
            continue
        if isinstance(value, Mapping):
            text = ", ".join(f"{name} {item}" for name, item in value.items() if item is not None)
        else:
            text = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
        name = key.replace("_", " ")
        yield _NAMES.get(key, name[:1].upper() + name[1:]), text
