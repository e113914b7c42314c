"""Columns of the tables for people: what a figure is called and how it is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from facekit.benchmark.report import limits, wording
from facekit.benchmark.result import Outcome

Figures = Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """One figure.

    Attributes
    ----------
    key : str
        Of ``Outcome.figures``.
    name : str
        The column's head.
    about : str
        What it is, in a few words.
    write : callable
        Figures -> text.
    number : bool
        Whether it is set to the right and sorted as a number.
    """

    key: str
    name: str
    about: str
    write: Callable[[Figures], str]
    number: bool = True


def _plainly(key: str, name: str, about: str) -> Column:
    def write(figures: Figures) -> str:
        value = figures.get(key)
        if isinstance(value, bool):
            return "yes" if value else "no"
        return wording.UNKNOWN if value is None else str(value)

    return Column(key, name, about, write, number=False)


def _with(key: str, name: str, about: str, form: Callable[[Any], str]) -> Column:
    return Column(key, name, about, lambda figures: form(figures.get(key)))


def _share(key: str, name: str, about: str, *, up: bool = True) -> Column:
    form = wording.at_least if up else wording.at_most
    return Column(
        key,
        name,
        about,
        lambda figures: form(figures.get(key), wording.digits(figures.get("pairs"))),
    )


def tar(far: float) -> Column:
    """TAR at a FAR; marked * where the pairs are too few for it."""
    key = f"tar_{_rate(far)}"

    def write(figures: Figures) -> str:
        text = wording.at_least(figures.get(key), wording.digits(figures.get("pairs")))
        known = text != wording.UNKNOWN
        return f"{text}*" if known and not limits.can_state(far, figures) else text

    about = f"True acceptance rate at a false acceptance rate of {far:g}, percent"
    return Column(key, f"TAR @ {_rate(far)}", about, write)


def _rate(far: float) -> str:
    return f"{far:.0e}".replace("e-0", "e-")


ACCURACY = _share("accuracy", "Accuracy", "Pairs decided rightly, percent; failed pairs are wrong")
STANDARD_ERROR = _share("standard_error", "±", "Standard error over the folds, points", up=False)
INTERVAL = Column("accuracy_low", "95 % interval", "Of the accuracy, percent", wording.interval)
EER = _share("eer", "EER", "Equal error rate, percent", up=False)
AUC = _with("auc", "AUC", "Area under the ROC curve", wording.area)
TARS = tuple(tar(far) for far in limits.FARS)
RECALL_AT_1 = _share("recall_at_1", "Recall@1", "The nearest other picture shows the same person")
MISSED = _with("missed", "Missed", "Pictures without an embedding", wording.count)
TOTAL_MS = _with("total_ms", "ms", "CPU milliseconds a picture, one thread", wording.amount)
SIZE_MB = _with("size_mb", "MB", "Weight files of both networks", wording.amount)
PUBLISHED_LFW = Column(
    "published_lfw",
    "Authors' LFW",
    "Accuracy on LFW that the network's authors publish, percent",
    lambda figures: (
        wording.at_least((wording.known(figures.get("published_lfw")) or 0) / 100)
        if wording.known(figures.get("published_lfw")) is not None
        else wording.UNKNOWN
    ),
)
PIPELINE = (
    _plainly("model", "Model", "Recognizer"),
    _plainly("detector", "Detector", "Detector"),
    _plainly("aligned", "Aligned", "Five points fitted onto the network's template"),
    _plainly("flip", "Flip", "The mirror image's embedding is added"),
    _plainly("metric", "Metric", "Distance"),
)
# The short table: one row a model.
SUMMARY = (
    *PIPELINE,
    *(ACCURACY, STANDARD_ERROR, INTERVAL, EER, TARS[2], RECALL_AT_1, MISSED),
    *(TOTAL_MS, SIZE_MB, PUBLISHED_LFW),
)
# Every figure, as report.json and table.csv have them.
ALL = (
    *PIPELINE,
    *(ACCURACY, STANDARD_ERROR, INTERVAL, AUC, EER, *TARS, RECALL_AT_1),
    _with("threshold", "Threshold", "Mean of the folds' thresholds", wording.length),
    _share("precision", "Precision", "Of the pairs accepted, those of one person, percent"),
    _share("recall", "Recall", "Of the pairs of one person, those accepted, percent"),
    _share("f1", "F1", "Harmonic mean of precision and recall, percent"),
    _share("accuracy_conv_facenet", "conv-facenet's", "Accuracy by conv-facenet's own counting"),
    _with("shipped_threshold", "verify's threshold", "For FAR 1e-3, calibrated", wording.length),
    Column(
        "shipped_far",
        "its FAR",
        "False acceptance rate at verify's threshold, percent",
        lambda figures: wording.at_most(figures.get("shipped_far"), 3),
    ),
    _share("shipped_tar", "its TAR", "True acceptance rate at verify's threshold, percent"),
    _share("shipped_accuracy", "its accuracy", "Accuracy at verify's threshold, percent"),
    MISSED,
    _with("failed_pairs", "Failed pairs", "Pairs without a distance", wording.count),
    _with("decode_ms", "Decode ms", "CPU milliseconds a picture, one thread", wording.amount),
    _with("detect_ms", "Detect ms", "CPU milliseconds a picture, one thread", wording.amount),
    _with("align_ms", "Align ms", "CPU milliseconds a picture, one thread", wording.amount),
    _with("embed_ms", "Embed ms", "CPU milliseconds a picture, one thread", wording.amount),
    _with("total_ms", "Total ms", "CPU milliseconds a picture, one thread", wording.amount),
    _with("memory_mb", "Memory MB", "Peak of a process that embeds 32 pictures", wording.amount),
    *(SIZE_MB, PUBLISHED_LFW),
    _plainly("fingerprint", "Fingerprint", "Of the pipeline"),
)


def filled(columns: Sequence[Column], outcomes: Sequence[Outcome]) -> list[Column]:
    """The columns that hold anything for these outcomes."""
    return [
        column
        for column in columns
        if any(column.write(outcome.figures) not in (wording.UNKNOWN, "") for outcome in outcomes)
    ]
