"""Which outcomes a report shows: the best of each model, the best pipelines, the matrix."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

from facekit.benchmark.report.wording import known
from facekit.benchmark.result import BenchmarkResult, Outcome

# Curves and galleries that a reader can still tell apart.
MOST = 8


def ranked(result: BenchmarkResult) -> list[Outcome]:
    """Outcomes, the best accuracy first; those without an accuracy last."""
    return sorted(
        result.outcomes, key=lambda outcome: -(known(outcome.figures.get("accuracy")) or 0.0)
    )


def _first_of_each(
    outcomes: Iterable[Outcome], key: Callable[[Outcome], Hashable]
) -> list[Outcome]:
    firsts: dict[Hashable, Outcome] = {}
    for outcome in outcomes:
        firsts.setdefault(key(outcome), outcome)
    return list(firsts.values())


def best_of_models(result: BenchmarkResult) -> list[Outcome]:
    """Each model's best outcome, the best model first."""
    return _first_of_each(ranked(result), lambda outcome: outcome.model)


def pipelines(result: BenchmarkResult) -> list[Outcome]:
    """Each pipeline with its best metric, the best pipeline first."""
    return _first_of_each(
        ranked(result), lambda o: (o.model, o.detector, o.aligned, o.flip, o.fingerprint)
    )


def best_pipelines(result: BenchmarkResult, most: int = MOST) -> list[Outcome]:
    """The pipelines to draw: each model's best, then the next best, ``most`` in all.

    Were it the plainly best, one strong model with all its detectors would be alone.
    """
    models = best_of_models(result)
    rest = [outcome for outcome in pipelines(result) if outcome not in models]
    chosen = [*models, *rest][:most]
    return [outcome for outcome in ranked(result) if outcome in chosen]


@dataclass(frozen=True)
class Matrix:
    """One metric, mirror images averaged in or not: the models against the detectors.

    Attributes
    ----------
    metric : str
    flip : bool
    models, detectors : sequence of str
        Columns and rows, the best first.
    cells : mapping
        (model, detector, aligned) -> outcome; combinations that were not measured are absent.
    """

    metric: str
    flip: bool
    models: Sequence[str]
    detectors: Sequence[str]
    cells: dict[tuple[str, str, bool], Outcome]

    @property
    def alignments(self) -> list[bool]:
        """Which of aligned (True) and not aligned (False) were measured."""
        measured = {aligned for _, _, aligned in self.cells}
        return [aligned for aligned in (True, False) if aligned in measured]


def matrices(result: BenchmarkResult) -> list[Matrix]:
    """A matrix for each metric and treatment of mirror images, that of the best outcome first.

    All have the same columns and rows, so that a reader finds a cell where it was.
    """
    outcomes = ranked(result)
    models = list(dict.fromkeys(outcome.model for outcome in outcomes))
    detectors = list(dict.fromkeys(outcome.detector for outcome in outcomes))
    made: dict[tuple[str, bool], Matrix] = {}
    for outcome in outcomes:
        kind = (outcome.metric, outcome.flip)
        matrix = made.setdefault(kind, Matrix(*kind, models, detectors, {}))
        matrix.cells.setdefault((outcome.model, outcome.detector, outcome.aligned), outcome)
    return list(made.values())
