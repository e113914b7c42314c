"""The shell's commands that measure: ``facekit benchmark ...`` and ``facekit calibrate``."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from facekit import zoo
from facekit.cli.arguments import typed
from facekit.cli.job import Job, progress, render
from facekit.errors import InvalidArgument

if TYPE_CHECKING:
    from facekit.benchmark.protocol import Protocol


def _shared(
    *,
    models: str | None = None,
    detectors: str | None = None,
    metrics: str = "all",
    align: str = "true",
    flip: str | None = None,
    counting: str | None = None,
    out: str | None = None,
    cache: str | None = None,
    pretty: bool | None = None,
) -> None:
    """What all commands take that measure models on pairs.

    Args:
        models: Recognizers with commas between them; `all` on this machine, `-NAME` to leave one
            out. By default facekit's default.
        detectors: The same for detectors. Faces that are cut out already need none.
        metrics: cosine, euclidean, euclidean_l2, angular, or `all`.
        align: Turn faces upright: true, false or both.
        flip: Add mirror images: true, false or both; by default as the model's spec says.
        counting: conv-facenet, for that project's own way of counting, beside the standard one.
        out: Folder for the report: HTML, Markdown, JSON, CSV and plots.
        cache: File that keeps faces and vectors; by default in facekit's cache directory.
        pretty: A table for people instead of JSON; chosen by itself on a terminal.
    """


def _measures(command: Callable[..., None]) -> Callable[..., Job]:
    """A command of the data set whose reader takes what ``command`` takes, and ``_shared``."""
    name = command.__name__
    own, shared = (inspect.signature(one).parameters for one in (command, _shared))
    own_help, shared_help = (inspect.getdoc(one) or "" for one in (command, _shared))

    def run(data: str, **options: Any) -> Job:
        given = {key: parameter.default for key, parameter in shared.items()} | options
        for key in ("align", "flip"):
            given[key] = _choice(key, given[key])
        return _job(name, given.pop("out"), given.pop("pretty"), data, **given)

    run.__name__ = name
    run.__doc__ = own_help + "\n" + shared_help.partition("Args:\n")[2]
    parameters = [*own.values(), *shared.values()]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return typed(run)


@_measures
def lfw(data: str, *, view: str = "2") -> None:
    """Measure models on Labeled Faces in the Wild: 6,000 pairs in ten folds.

    Args:
        data: LFW's folder, with its pictures and pairs.txt; see `facekit benchmark download`.
        view: 2, or devtest or devtrain for the pairs of View 1.
    """


@_measures
def people(data: str, *, groups: str | None = None) -> None:
    """Measure models on your own folder of people: every pair of pictures counts.

    Args:
        data: Folder with one folder a person; AT&T's has this form too.
        groups: CSV that gives each person or picture a group, for figures by group.
    """


@_measures
def pairs(data: str) -> None:
    """Measure models on the pairs of a CSV.

    Args:
        data: CSV with columns img1, img2 and same; fold, person1, person2, group1 and group2 if
            there are any.
    """


@_measures
def bins(data: str) -> None:
    """Measure models on a .bin of the insightface format, such as cfp_fp or agedb_30.

    Args:
        data: The file. Its faces are cut out and upright.
    """


@_measures
def celeba(data: str, *, identities: str | None = None, limit: int | None = None) -> None:
    """Measure models on CelebA's pictures.

    Args:
        data: Folder of the pictures.
        identities: identity_CelebA.txt; by default beside the pictures.
        limit: Only so many people.
    """


@typed
def detectors(
    *,
    wider: str | None = None,
    lfw: str | None = None,
    detectors: str | None = None,
    limit: int | None = None,
    pretty: bool | None = None,
):
    """Measure detectors: recall and precision, their landmarks, milliseconds a picture.

    Args:
        wider: Folder with images/ and labels.csv, such as WIDER FACE's validation set.
        lfw: Folder with images/NAME/NAME_0001.jpg, for the landmarks.
        detectors: Names, with commas between them; all that can be used here by default.
        limit: Only so many pictures of each folder.
        pretty: A table for people instead of JSON; chosen by itself on a terminal.
    """

    def make():
        from facekit.benchmark import detectors as measure

        names = [name.strip() for name in detectors.split(",")] if detectors else None
        return measure(wider, lfw, names=names, limit=limit, progress=progress())

    return Job(make, render("measures.detector_figures"), pretty)


@typed
def download(name: str, *, out: str | None = None, pretty: bool | None = None):
    """Fetch a public data set and check it.

    Args:
        name: The data set: lfw.
        out: Folder for it; by default one of the data set's name.
        pretty: The folder's path instead of JSON; chosen by itself on a terminal.
    """

    def make():
        from facekit.benchmark import download as fetch

        return {"path": str(fetch(name, out or name))}

    return Job(make, render("models.path"), pretty)


COMMANDS = {
    "lfw": lfw,
    "people": people,
    "pairs": pairs,
    "bin": bins,
    "celeba": celeba,
    "detectors": detectors,
    "download": download,
}


@typed
def calibrate(
    *,
    pairs: str | None = None,
    people: str | None = None,
    model_name: str = zoo.DEFAULT_RECOGNIZER,
    detector_backend: str = zoo.DEFAULT_DETECTOR,
    metrics: str = "all",
    far: str | None = None,
    align: bool = True,
    flip: bool | None = None,
    save: bool = False,
    pretty: bool | None = None,
):
    """Fit thresholds on your own pictures.

    Args:
        pairs: CSV with columns img1, img2 and same.
        people: Or a folder with one folder a person: every pair counts.
        model_name: Recognizer; see `facekit models`.
        detector_backend: Detector.
        metrics: cosine, euclidean, euclidean_l2, angular, or `all`.
        far: False acceptance rates with commas between them; 0.01, 0.001 and 0.0001 by default.
        align: Turn faces upright.
        flip: Add mirror images; by default as the model's spec says.
        save: Keep the thresholds: every command uses them from then on.
        pretty: A table for people instead of JSON; chosen by itself on a terminal.
    """

    def make():
        return calibrated(
            labelled(pairs, people),
            model_name,
            detector_backend,
            save=save,
            metrics=metrics,
            fars=_numbers("far", far),
            align=align,
            flip=flip,
        )

    return Job(make, render("measures.calibration"), pretty)


def labelled(table: str | None, folder: str | None) -> Protocol:
    """The pairs of a CSV or of a folder of people."""
    from facekit.benchmark.sets.pairs import pairs as read_pairs
    from facekit.benchmark.sets.people import people as read_people

    if table is not None and folder is None:
        return read_pairs(table)
    if folder is not None and table is None:
        return read_people(folder)
    raise InvalidArgument(
        "calibrate needs --pairs or --people.",
        "Name a CSV of pairs, or a folder with one folder a person.",
    )


def calibrated(protocol: Protocol, *pipeline: str, save: bool, **options: Any) -> dict[str, Any]:
    """What ``calibrate`` answers."""
    from facekit import calibration

    made = calibration.calibrate(protocol, *pipeline, progress=sys.stderr.isatty(), **options)
    saved = made.save() if save else None
    return {**made.to_dict(), "saved": None if saved is None else str(saved)}


def _choice(name: str, typed: str | None) -> bool | str | None:
    values: dict[str, bool | str] = {
        "true": True,
        "yes": True,
        "false": False,
        "no": False,
        "both": "both",
    }
    if typed is None:
        return None
    if typed.lower() not in values:
        raise InvalidArgument(f"--{name} is {typed!r}.", "It must be true, false or both.")
    return values[typed.lower()]


def _numbers(name: str, typed: str | None) -> list[float] | None:
    if typed is None:
        return None
    try:
        return [float(number) for number in typed.split(",")]
    except ValueError as error:
        raise InvalidArgument(
            f"--{name} is {typed!r}.", "It must be numbers with commas between them, such as 0.01."
        ) from error


def _job(name: str, out: str | None, pretty: bool | None, data: str, **options: Any) -> Job:
    command = " ".join(["facekit benchmark", "bin" if name == "bins" else name, *_said(options)])

    def make() -> dict[str, Any]:
        from facekit import benchmark
        from facekit.benchmark import report

        if out:
            report.prepare(out)  # a mistake is told before the work, not after it
        measure: Callable[..., Any] = getattr(benchmark, name)
        result = measure(data, progress=sys.stderr.isatty(), command=command, **options)
        files = [str(path) for path in result.save(out)] if out else []
        return {**result.to_dict(), "files": files}

    return Job(make, render("measures.benchmark"), pretty)


def _said(options: dict[str, Any]) -> list[str]:
    """The options as they can be typed again; where the data lie is nobody's business."""
    private = ("cache", "groups", "identities")
    said = {key: value for key, value in options.items() if value is not None}
    texts = {
        key: str(value).lower() if isinstance(value, bool) else str(value)
        for key, value in said.items()
        if key not in private
    }
    return ["--data DIR", *(f"--{key} {text}" for key, text in texts.items())]
