"""One protocol through many pipelines."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from facekit import catalog, zoo
from facekit.benchmark import choices, conv_facenet, memory, verification
from facekit.benchmark.cache import Cache, default_path
from facekit.benchmark.choices import ALL, Choice, Names
from facekit.benchmark.embed import Embedded, Embeddings, Pipeline
from facekit.benchmark.identification import Recall, recall_at_1
from facekit.benchmark.protocol import Protocol
from facekit.benchmark.result import BenchmarkResult, Outcome
from facekit.errors import InvalidArgument, UnknownName
from facekit.pipeline import FaceKit
from facekit.runtime import cpu_count

COUNTINGS = ("conv-facenet",)
_MANY_PAIRS = 1_000_000  # above, distances are kept in float32
_STEPS = ("decode", "detect", "align", "embed")


def run(
    protocol: Protocol,
    *,
    models: Names = None,
    detectors: Names = None,
    metrics: Names = ALL,
    align: Choice = True,
    flip: Choice = None,
    counting: str | None = None,
    cache: str | Path | None = None,
    threads: int | None = None,
    measure_memory: bool = True,
    progress: bool = False,
    command: str = "",
) -> BenchmarkResult:
    """Measure pipelines on a protocol.

    Parameters
    ----------
    protocol : Protocol
    models, detectors : str or sequence of str, optional
        Names, also as one text with commas. ``all`` stands for those whose weights are on
        this machine, ``-NAME`` leaves one out; by default facekit's own defaults. Pictures
        that are cut out already get no detector unless one is named.
    metrics : str or sequence of str
        Of cosine, euclidean, euclidean_l2 and angular.
    align, flip : bool or "both"
        Faces turned upright or not, mirror images added or not. By default aligned, and
        ``flip`` as the model's spec says.
    counting : str, optional
        ``conv-facenet``: that project's own way of counting, beside the standard figures
        (see ``facekit.benchmark.conv_facenet.accuracy``).
    cache : path, optional
        File that keeps faces and vectors; by default ``benchmark.sqlite`` in the cache
        directory. What it knows is not computed again.
    threads : int, optional
        CPUs to use.
    measure_memory : bool
        Measure peak memory, one process a pipeline.
    progress : bool
        Show a bar with the time left on stderr.
    command : str
        How the run was asked for, for the report.

    Returns
    -------
    BenchmarkResult
        The best accuracy first.

    Raises
    ------
    UnknownName, InvalidArgument
        For a name or a value that does not exist.
    WeightsUnavailable, MissingDependency
        For a model that was named and cannot run here.
    """
    if counting not in (None, *COUNTINGS):
        raise UnknownName("counting", str(counting), COUNTINGS)
    cut_already = protocol.points is not None and detectors is None
    if not cut_already:
        protocol = replace(protocol, points=None)
    recognizers, absent = choices.models(models, "recognizer", zoo.DEFAULT_RECOGNIZER)
    finders, absent_too = (
        (["skip"], [])
        if cut_already
        else choices.models(detectors, "detector", zoo.DEFAULT_DETECTOR)
    )
    chosen_metrics = choices.metrics(metrics)
    pipelines = list(choices.pipelines(recognizers, finders, align, flip, cut_already))
    sizes = {row["name"]: row["size"] for row in catalog.rows()}
    store = Cache(cache or default_path())
    try:
        embeddings = Embeddings(protocol, pipelines, store, threads)
        embeddings.make(bar=progress)
        outcomes: list[Outcome] = []
        failures: dict[str, list[tuple[int, str]]] = {}
        for pipeline in pipelines:
            found = embeddings[pipeline]
            failures[pipeline.detector] = [(place, why) for place, _, why in found.missed]
            row = _costs(pipeline, found, store, protocol, sizes, measure_memory)
            outcomes += _outcomes(protocol, pipeline, found, chosen_metrics, counting, row)
    finally:
        store.close()
    outcomes.sort(key=lambda outcome: -outcome.figures["accuracy"])
    return BenchmarkResult(
        protocol, outcomes, failures, [*absent, *absent_too], _about(command, threads)
    )


# -- figures -------------------------------------------------------------------------


def _outcomes(
    protocol: Protocol,
    pipeline: Pipeline,
    found: Embedded,
    metrics: Sequence[str],
    counting: str | None,
    costs: dict[str, Any],
) -> Iterator[Outcome]:
    kit = FaceKit(pipeline.model, pipeline.detector, align=pipeline.align, flip=pipeline.flip)
    recalls: dict[str, Recall] = {}
    for metric in metrics:
        distances = verification.distances(found.vectors, protocol, metric)
        # On vectors of unit length the three others rank alike.
        ranking = "euclidean" if metric == "euclidean" else "cosine"
        if protocol.people is not None and ranking not in recalls:
            recalls[ranking] = recall_at_1(found.vectors, protocol.people, ranking, protocol.groups)
        recall = recalls.get(ranking)
        figures: dict[str, Any] = {
            "model": pipeline.model,
            "detector": pipeline.detector,
            "aligned": pipeline.align,
            "flip": pipeline.flip,
            "metric": metric,
            **verification.figures(distances, protocol.same, protocol.folds),
            "missed": len(found.missed),
            "recall_at_1": recall.value if recall else None,
            **_at_calibrated_threshold(kit, metric, distances, protocol.same),
            **costs,
            "fingerprint": kit.fingerprint,
        }
        if counting and protocol.people is not None:
            figures["accuracy_conv_facenet"] = conv_facenet.accuracy(
                found.vectors, protocol.people, metric
            )
        groups: dict[str, dict[str, Any]] = {}
        if protocol.groups is not None:
            groups = verification.by_group(distances, protocol)
            for group, value in (recall.groups if recall else {}).items():
                groups.setdefault(group, {})["recall_at_1"] = value
        yield Outcome(
            *(pipeline.model, pipeline.detector, pipeline.align, pipeline.flip, metric),
            kit.fingerprint,
            distances.astype(np.float32) if protocol.pairs > _MANY_PAIRS else distances,
            figures,
            groups,
        )


def _at_calibrated_threshold(
    kit: FaceKit, metric: str, distances: np.ndarray, same: np.ndarray
) -> dict[str, float | None]:
    """Error rates of the threshold that ``verify`` uses, if it was fitted for this pipeline."""
    names = ("shipped_threshold", "shipped_far", "shipped_tar", "shipped_accuracy")
    try:
        fitted = kit.threshold(metric)
    except InvalidArgument:  # a user's calibration on too few pairs for the default FAR
        return dict.fromkeys(names)
    if fitted.value is None or not fitted.source["calibrated"]:
        return dict.fromkeys(names)
    accepted = distances <= fitted.value
    right = (accepted == same) & ~np.isnan(distances)
    figures = (accepted[~same].mean(), accepted[same].mean(), right.mean())
    return dict(zip(names, (fitted.value, *map(float, figures)), strict=True))


def _costs(
    pipeline: Pipeline,
    found: Embedded,
    store: Cache,
    protocol: Protocol,
    sizes: Mapping[str, int],
    measure_memory: bool,
) -> dict[str, Any]:
    steps = [found.seconds[step] for step in _STEPS]
    milliseconds = [None if step is None else 1000 * step for step in steps]
    known = [step for step in milliseconds if step is not None]
    recognizer = zoo.recognizers.get(pipeline.model)
    return {
        **{f"{step}_ms": value for step, value in zip(_STEPS, milliseconds, strict=True)},
        "total_ms": sum(known) if len(known) == len(_STEPS) else None,
        "memory_mb": _memory(pipeline, store, protocol) if measure_memory else None,
        "size_mb": (sizes.get(pipeline.model, 0) + sizes.get(pipeline.detector, 0)) / 1e6,
        "published_lfw": recognizer.published_lfw,
    }


def _memory(pipeline: Pipeline, store: Cache, protocol: Protocol) -> float | None:
    """Measured once a pair of models: how faces are turned changes nothing."""
    name = FaceKit(pipeline.model, pipeline.detector).fingerprint
    megabytes = store.memory(name)
    if megabytes is None:
        megabytes = memory.peak(pipeline.model, pipeline.detector, protocol.pictures)
        if megabytes is not None:
            store.keep_memory(name, megabytes)
    return megabytes


def _about(command: str, threads: int | None) -> dict[str, Any]:
    return {
        "date": datetime.date.today().isoformat(),
        "command": command,
        "versions": catalog.versions(),
        "processor": _processor(),
        "cpus": threads or cpu_count(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
