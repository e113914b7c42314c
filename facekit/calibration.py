"""Thresholds and the confidence curve of one pipeline, fitted on labelled pairs."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from facekit import saved_thresholds, zoo
from facekit.benchmark import choices
from facekit.benchmark.cache import Cache, default_path
from facekit.benchmark.choices import ALL
from facekit.benchmark.embed import Embedded, Embeddings, Pipeline
from facekit.benchmark.protocol import Protocol
from facekit.benchmark.verification import distances
from facekit.errors import InvalidArgument
from facekit.pipeline import FaceKit
from facekit.threshold_fit import Fit, fit
from facekit.thresholds import FARS, LEAST_ACCEPTED

ENOUGH_ACCEPTED = 30  # the rule of 30: from then on a rate is known to about 30 %

Embed = Callable[[Protocol, Pipeline], Embedded]


@dataclass(frozen=True, eq=False)
class Calibration:
    """What one pipeline's thresholds are on one's own data.

    Attributes
    ----------
    entries : sequence of mapping
        One a metric, as ``weights/thresholds.json`` holds them; with ``user`` set.
    notes : sequence of str
        What a reader must know: which rates cannot be stated, which are uncertain, how many
        pictures were left out.
    left_out : sequence of str
        The pictures without an embedding, each with the reason.
    """

    entries: Sequence[dict[str, Any]]
    notes: Sequence[str]
    left_out: Sequence[str]

    def table(self) -> list[dict[str, Any]]:
        """One row for each metric and rate: metric, far, threshold, threshold_low,
        threshold_high, far_low, far_high, tar, and on other people checked_far, checked_tar;
        None where that is not known."""
        return [
            _row(entry["metric"], float(far), fitted)
            for entry in self.entries
            for far, fitted in entry["far"].items()
        ]

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON values: entries, table, notes, left_out."""
        return {
            "entries": list(self.entries),
            "table": self.table(),
            "notes": list(self.notes),
            "left_out": list(self.left_out),
        }

    def save(self) -> Path:
        """Keep the entries, so that every verb uses them; see ``saved_thresholds.save``."""
        return saved_thresholds.save(self.entries)


def embedded(
    protocol: Protocol,
    pipeline: Pipeline,
    *,
    cache: str | Path | None = None,
    progress: bool = False,
) -> Embedded:
    """A protocol's pictures through one pipeline.

    Parameters
    ----------
    protocol : Protocol
    pipeline : Pipeline
    cache, progress
        As for ``facekit.benchmark.run``: what is known of a picture is not computed again.
    """
    with closing(Cache(cache or default_path())) as store:
        embeddings = Embeddings(protocol, [pipeline], store)
        embeddings.make(bar=progress)
        return embeddings[pipeline]


def calibrate(
    protocol: Protocol,
    model_name: str = zoo.DEFAULT_RECOGNIZER,
    detector_backend: str = zoo.DEFAULT_DETECTOR,
    *,
    metrics: str | Sequence[str] = ALL,
    fars: Sequence[float] | None = None,
    flip: bool | None = None,
    align: bool = True,
    check: Protocol | None = None,
    save: bool = False,
    cache: str | Path | None = None,
    progress: bool = False,
    embed: Embed | None = None,
) -> Calibration:
    """Fit a pipeline's thresholds and confidence curves on labelled pairs.

    Parameters
    ----------
    protocol : Protocol
        The pairs. Without ``people`` those count as one person whom pairs of one person join.
        Pictures without a face are left out, as ``verify`` never answers for them either.
    model_name, detector_backend, flip, align
        The pipeline, as for ``FaceKit``.
    metrics : str or sequence of str
        Also as one text with commas; ``all`` of them by default.
    fars : sequence of float, optional
        False acceptance rates, by default those that facekit ships.
    check : Protocol, optional
        Pairs of other people, on which the thresholds are only measured.
    save : bool
        Keep the result for all verbs, as ``Calibration.save`` does.
    cache : path, optional
        File that keeps faces and vectors; by default the benchmark's.
    progress : bool
        Show a bar with the time left on stderr.
    embed : callable, optional
        What embeds a protocol's pictures by a pipeline, in place of ``embedded``.

    Raises
    ------
    InvalidArgument
        When no rate can be stated, pairs of one kind are missing, labels contradict each other,
        ``check`` shows people of ``protocol``, or ``protocol`` says where the faces lie, so
        that no detector would be run.
    UnknownName, WeightsUnavailable
        For a name that does not exist, or weights that are not here.
    """
    chosen = choices.metrics(metrics)
    for one in (protocol, check):
        if one is not None and one.points is not None:
            raise InvalidArgument(
                f"The faces of {one.name} are cut out already.",
                "Thresholds are fitted on pictures as they are verified, through the detector.",
            )
    _check_apart(protocol, check)
    known = people_of(protocol)
    kit = FaceKit(model_name, detector_backend, align=align, flip=flip)
    pipeline = Pipeline(kit.model_name, kit.detector_backend, align=align, flip=kit.flip)
    embed = embed or partial(embedded, cache=cache, progress=progress)
    train = _Pairs(protocol, embed(protocol, pipeline))
    test = None if check is None else _Pairs(check, embed(check, pipeline))
    fits = {metric: train.fit(metric, known, fars or FARS) for metric in chosen}
    any_fit = next(iter(fits.values()))
    if not any_fit.rates:
        raise InvalidArgument(
            " ".join(any_fit.unstated.values()), "Use a larger rate, or more pictures."
        )
    entries = [
        {
            "model": kit.model_name,
            "detector": kit.detector_backend,
            "metric": metric,
            "flip": kit.flip,
            "fingerprint": kit.fingerprint,
            "user": True,
            "data": f"{protocol.name}: {found.of_one:,} pairs of one person, "
            f"{found.strangers:,} pairs of strangers",
            "pairs": train.counts(known),
            "date": datetime.date.today().isoformat(),
            "far": _columns(found, test, metric),
            "logistic": dict(zip(("slope", "intercept"), found.logistic, strict=True)),
        }
        for metric, found in fits.items()
    ]
    made = Calibration(entries, _notes(any_fit, train), train.left_out)
    if save:
        made.save()
    return made


class _Pairs:
    """The pairs of a protocol of which both pictures have an embedding."""

    def __init__(self, protocol: Protocol, made: Embedded) -> None:
        self.protocol = protocol
        self.vectors = made.vectors
        self.left_out = [f"{name}: {reason}" for _, name, reason in made.missed]
        whole = np.isfinite(made.vectors).all(axis=1)
        self._used = whole[protocol.first] & whole[protocol.second]
        self.first, self.second = protocol.first[self._used], protocol.second[self._used]
        self.same = protocol.same[self._used]
        if len(np.unique(self.same)) < 2:
            raise InvalidArgument(
                f"{protocol.name} has no pairs of one person and of strangers both; "
                f"{len(self.left_out)} of its {len(whole)} pictures show no face.",
                "A threshold needs both kinds of pairs.",
            )

    def distances(self, metric: str) -> np.ndarray:
        return distances(self.vectors, self.protocol, metric)[self._used]

    def fit(self, metric: str, people: np.ndarray, fars: Sequence[float]) -> Fit:
        return fit(self.distances(metric), self.same, people[self.first], people[self.second], fars)

    def counts(self, people: np.ndarray) -> dict[str, int]:
        used = np.union1d(self.first, self.second)
        return {
            "same": int(self.same.sum()),
            "strangers": int((~self.same).sum()),
            "people": len(np.unique(people[used])),
            "pictures": len(used),
            "left_out": len(self.left_out),
        }


def people_of(protocol: Protocol) -> np.ndarray:
    """A number for each picture that tells people apart, ``int (N,)``.

    Where the protocol does not name them, pictures that pairs of one person join, also
    through others, show one person.

    Raises
    ------
    InvalidArgument
        When two pictures of one person, so found, are labelled as strangers.
    """
    if protocol.people is not None:
        return np.unique(np.asarray(protocol.people, dtype=str), return_inverse=True)[1]
    people = np.arange(len(protocol.pictures))
    first, second = protocol.first[protocol.same], protocol.second[protocol.same]
    while True:
        # Each pair takes the smaller number of its two, until none changes.
        lower = people.copy()
        low = np.minimum(people[first], people[second])
        np.minimum.at(lower, first, low)
        np.minimum.at(lower, second, low)
        lower = lower[lower]
        if np.array_equal(lower, people):
            break
        people = lower
    wrong = ~protocol.same & (people[protocol.first] == people[protocol.second])
    if wrong.any():
        i = int(np.argmax(wrong))
        one, two = (protocol.pictures[int(side[i])] for side in (protocol.first, protocol.second))
        raise InvalidArgument(
            f"{protocol.name} labels {one} and {two} as different, but other pairs as one person.",
            "Correct the labels.",
        )
    return people


def _check_apart(protocol: Protocol, check: Protocol | None) -> None:
    if check is None:
        return
    files, others = (
        {str(p) for p in one.pictures if isinstance(p, (str, Path))} for one in (protocol, check)
    )
    both = (files & others) | (set(protocol.people or ()) & set(check.people or ()))
    if both:
        raise InvalidArgument(
            f"{check.name} shares {min(both)} with {protocol.name}.",
            "Thresholds are checked on people that they were not fitted on.",
        )


def _columns(found: Fit, test: _Pairs | None, metric: str) -> dict[str, dict[str, Any]]:
    """An entry's thresholds by their rates."""
    gaps = None if test is None else test.distances(metric)
    return {
        str(far): {
            "threshold": rate.threshold,
            "tar": rate.tar,
            "threshold_interval": rate.threshold_interval and list(rate.threshold_interval),
            "far_interval": list(rate.far_interval),
            "checked": _checked(test, gaps, rate.threshold),
        }
        for far, rate in found.rates.items()
    }


def _checked(pairs: _Pairs | None, gaps: np.ndarray | None, limit: float) -> dict[str, Any] | None:
    """The threshold on other people; accuracy as if both kinds of pairs were as frequent."""
    if pairs is None or gaps is None:
        return None
    tar = float((gaps[pairs.same] <= limit).mean())
    far = float((gaps[~pairs.same] <= limit).mean())
    return {"data": pairs.protocol.name, "far": far, "tar": tar, "accuracy": (1 + tar - far) / 2}


def _row(metric: str, far: float, fitted: dict[str, Any]) -> dict[str, Any]:
    low, high = fitted["threshold_interval"] or (None, None)
    checked = fitted["checked"] or {"far": None, "tar": None}
    return {
        "metric": metric,
        "far": far,
        "threshold": fitted["threshold"],
        "threshold_low": low,
        "threshold_high": high,
        "far_low": fitted["far_interval"][0],
        "far_high": fitted["far_interval"][1],
        "tar": fitted["tar"],
        "checked_far": checked["far"],
        "checked_tar": checked["tar"],
    }


def _notes(made: Fit, pairs: _Pairs) -> list[str]:
    notes = list(made.unstated.values())
    for far in made.rates:
        accepted = int(far * made.strangers + 1e-9)
        if LEAST_ACCEPTED <= accepted < ENOUGH_ACCEPTED:
            notes.append(
                f"FAR {far:g} rests on {accepted} pairs of strangers; with {ENOUGH_ACCEPTED} "
                f"or more, so {round(ENOUGH_ACCEPTED / far):,} pairs, it is known to about 30 %."
            )
    if pairs.left_out:
        notes.append(
            f"{len(pairs.left_out)} of {len(pairs.vectors)} pictures were left out: "
            "no face was found in them, or they cannot be read."
        )
    return notes
