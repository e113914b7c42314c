"""``report.md``: what a reader of a terminal or a repository needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from facekit.benchmark import published
from facekit.benchmark.report import columns, limits, measured, picks
from facekit.benchmark.report.columns import Column
from facekit.benchmark.report.names import short_names
from facekit.benchmark.report.picks import Matrix
from facekit.benchmark.report.wording import UNKNOWN, accuracy, at_least, counted, pipeline
from facekit.benchmark.result import BenchmarkResult

# Pictures without a face that are named, of each detector; report.json names all.
_MOST_NAMES = 20


def text(result: BenchmarkResult) -> str:
    """The whole page."""
    return "\n\n".join(_parts(result)) + "\n"


def _parts(result: BenchmarkResult) -> Iterator[str]:
    yield f"# {escaped(result.protocol.name)}"
    best = next(iter(picks.ranked(result)), None)
    if best is None:
        yield "Nothing could be measured."
    else:
        yield f"**{accuracy(best.figures)}** {escaped(pipeline(best))}"
    yield "\n".join(
        f"* {escaped(name)}: {escaped(value)}" for name, value in measured.facts(result)
    )
    if best is not None:
        yield "## Best of each model"
        yield _summary(result)
        yield from _matrices(result)
    yield "## Pictures without a face"
    yield from _failures(result)
    if result.skipped:
        yield "## Could not run"
        yield "\n".join(
            f"* {escaped(model.get('name'))}: {escaped(model.get('reason'))}"
            for model in result.skipped
        )
    yield "## What these figures cannot say"
    yield "\n".join(f"* {sentence}".replace("*.", "\\*.") for sentence in limits.sentences(result))


def _summary(result: BenchmarkResult) -> str:
    best = picks.best_of_models(result)
    shown = columns.filled(columns.SUMMARY, best)
    rows = [[column.write(outcome.figures) for column in shown] for outcome in best]
    return table([column.name for column in shown], rows, [column.number for column in shown])


def _matrices(result: BenchmarkResult) -> Iterator[str]:
    matrix = picks.matrices(result)[0]
    flip = ", mirror images averaged in" if matrix.flip else ""
    for name, column in (("Accuracy", columns.ACCURACY), ("TAR at FAR 1e-3", columns.TARS[2])):
        yield f"## {name}, {escaped(matrix.metric)}{flip}"
        yield "Percent; aligned / not aligned."
        yield _matrix(matrix, column)
    if published.stand_beside(result.protocol.name):
        metric = published.nearest_metric(matrix.metric)
        yield f"### Accuracy, {metric}, {published.MARK}"
        yield f"{published.NOTE} Source: <{published.SOURCE}>. Aligned / not aligned."
        yield _published(metric)


def _matrix(matrix: Matrix, column: Column) -> str:
    def cell(model: str, detector: str) -> str:
        found = (matrix.cells.get((model, detector, aligned)) for aligned in (True, False))
        return " / ".join(column.write(o.figures) if o else UNKNOWN for o in found)

    rows = [[d, *(cell(model, d) for model in matrix.models)] for d in matrix.detectors]
    return table(["detector", *matrix.models], rows)


def _published(metric: str) -> str:
    figures = published.matrix(metric)
    rows = [
        [
            detector,
            *(
                " / ".join(
                    at_least(figures[model, detector, aligned], 1) for aligned in (True, False)
                )
                for model in published.MODELS
            ),
        ]
        for detector in published.detectors()
    ]
    return table(["detector", *published.MODELS], rows)


def _failures(result: BenchmarkResult) -> Iterator[str]:
    if not any(result.failures.values()):
        yield "None: every detector found a face on every picture."
    called = short_names(result.protocol.pictures)
    for detector, failed in result.failures.items():
        if not failed:
            continue
        lines = [f"`{escaped(detector)}`: {counted(len(failed), 'picture')}", ""]
        lines += [
            f"* {escaped(called[place])}: {escaped(why)}" for place, why in failed[:_MOST_NAMES]
        ]
        if len(failed) > _MOST_NAMES:
            lines.append(f"* and {len(failed) - _MOST_NAMES:,} more, in report.json")
        yield "\n".join(lines)


def table(head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool] = ()) -> str:
    """A table; all but the first column to the right unless ``right`` says which."""
    sides = right or [False, *[True] * (len(head) - 1)]
    rule = ["---:" if side else "---" for side in sides]
    body = [[escaped(cell) for cell in row] for row in (head, *rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (body[0], rule, *body[1:]))


def escaped(text: object) -> str:
    """Text that Markdown shows as it is."""
    plain = " ".join(str(text).split())
    for sign in "\\`*_[]|":
        plain = plain.replace(sign, f"\\{sign}")
    return plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
