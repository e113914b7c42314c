"""A benchmark's result as files: a page, Markdown, JSON, CSV and plots."""

from __future__ import annotations

from pathlib import Path

from facekit.benchmark.result import BenchmarkResult

__all__ = ["save"]

_DPI = 160


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
    MissingDependency
        When matplotlib or jinja2 is not installed; nothing is written then.
    OSError
        When the folder cannot be written to.
    """
    from facekit.benchmark.report import as_html, as_json, as_markdown, plots

    folder = Path(folder)
    # All in memory first: a report is whole or not there.
    texts = {
        "report.html": as_html.text(result),
        "report.md": as_markdown.text(result),
        "report.json": as_json.text(result),
        "table.csv": result.table().to_csv(index=False, lineterminator="\n"),
    }
    figures = {kind: plots.draw(result, kind) for kind in plots.worth_drawing(result)}
    (folder / "plots").mkdir(parents=True, exist_ok=True)
    written = []
    for name, content in texts.items():
        (folder / name).write_text(content, "utf-8", newline="\n")
        written.append(folder / name)
    for kind, figure in figures.items():
        path = folder / "plots" / f"{kind}.png"
        figure.savefig(path, dpi=_DPI)
        written.append(path)
    return written
