"""A benchmark's result as files: a page, Markdown, JSON, CSV and plots."""

from __future__ import annotations

from pathlib import Path

from facekit import extras
from facekit.benchmark.result import BenchmarkResult
from facekit.errors import InvalidArgument

__all__ = ["prepare", "save"]

_DPI = 160


def prepare(folder: str | Path) -> Path:
    """Make a report's folder; what would keep a report from being written is known before the work.

    Raises
    ------
    MissingDependency
        When matplotlib or jinja2 is not installed.
    InvalidArgument
        When the folder cannot be made.
    """
    for package in ("matplotlib", "jinja2"):
        extras.load(package, "A benchmark's report")
    made = Path(folder).expanduser()
    try:
        (made / "plots").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidArgument(
            f"No report can be written to {folder} ({error.strerror or error}).",
            "Name a folder that can be made.",
        ) from error
    return made


def save(result: BenchmarkResult, folder: str | Path) -> list[Path]:
    """Write the report.

    Parameters
    ----------
    result : BenchmarkResult
    folder : path
        Made if it does not exist; files of the same names are replaced.

    Returns
    -------
    list of Path
        ``report.html`` (self-contained), ``report.md``, ``report.json`` (all but the
        distances), ``table.csv`` (what ``result.table()`` gives) and ``plots/KIND.png``.

    Raises
    ------
    MissingDependency, InvalidArgument
        As ``prepare`` does.
    OSError
        When the disk is full.
    """
    made = prepare(folder)
    from facekit.benchmark.report import as_html, as_json, as_markdown, plots

    # All in memory first: a report is whole or not there.
    texts = {
        "report.html": as_html.text(result),
        "report.md": as_markdown.text(result),
        "report.json": as_json.text(result),
        "table.csv": result.table().to_csv(index=False, lineterminator="\n"),
    }
    figures = {kind: plots.draw(result, kind) for kind in plots.worth_drawing(result)}
    written = []
    for name, content in texts.items():
        (made / name).write_text(content, "utf-8", newline="\n")
        written.append(made / name)
    for kind, figure in figures.items():
        path = made / "plots" / f"{kind}.png"
        figure.savefig(path, dpi=_DPI)
        written.append(path)
    return written
