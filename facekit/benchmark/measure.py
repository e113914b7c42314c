"""One call a data set: read it, measure pipelines on it. ``options`` are those of ``run``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from facekit.benchmark.matrix import run
from facekit.benchmark.result import BenchmarkResult
from facekit.benchmark.sets import bins as bins_set
from facekit.benchmark.sets import celeba as celeba_set
from facekit.benchmark.sets import lfw as lfw_set
from facekit.benchmark.sets import pairs as pairs_set
from facekit.benchmark.sets import people as people_set


def lfw(data: str | Path, *, view: int | str = 2, **options: Any) -> BenchmarkResult:
    """Measure on Labeled Faces in the Wild.

    Parameters
    ----------
    data : path
        Folder with the pictures and ``pairs.txt``; ``facekit benchmark download lfw`` makes it.
    view : int or str
        2: the 6,000 pairs in ten folds that papers report. ``devtest`` and ``devtrain``: View 1,
        for choosing models and thresholds.
    **options
        See ``run``.

    Raises
    ------
    InvalidArgument
        When the folder is not LFW's.
    """
    return run(lfw_set.lfw(data, view), **options)


def people(
    data: str | Path, *, groups: str | Path | None = None, **options: Any
) -> BenchmarkResult:
    """Measure on a folder of people: ``person/image.jpg``, AT&T's too; every pair counts.

    ``groups`` is a CSV that gives each person or picture a group.
    """
    return run(people_set.people(data, groups=groups), **options)


def pairs(data: str | Path, **options: Any) -> BenchmarkResult:
    """Measure on the pairs of a CSV: img1, img2, same, and if wanted fold and groups."""
    return run(pairs_set.pairs(data), **options)


def bins(data: str | Path, **options: Any) -> BenchmarkResult:
    """Measure on a ``.bin`` of the insightface format: lfw, cfp_fp, agedb_30, calfw, cplfw."""
    return run(bins_set.bins(data), **options)


def celeba(
    data: str | Path,
    *,
    identities: str | Path | None = None,
    limit: int | None = None,
    **options: Any,
) -> BenchmarkResult:
    """Measure on CelebA's pictures, people from ``identity_CelebA.txt``, of so many people."""
    return run(celeba_set.celeba(data, identities=identities, limit=limit), **options)
