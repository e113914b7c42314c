"""The commands of the shell. What each needs is imported when it runs."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

from facekit import zoo
from facekit.cli import benchmark, dataset, embed, export, find, gallery, photos, train
from facekit.cli.arguments import Picture, typed
from facekit.cli.job import EXIT_BAD_INPUT, EXIT_DIFFERENT, EXIT_OK, Job, render, without
from facekit.errors import InvalidArgument


@typed
def verify(
    img1_path: Picture,
    img2_path: Picture,
    *,
    model_name: str = zoo.DEFAULT_RECOGNIZER,
    detector_backend: str = zoo.DEFAULT_DETECTOR,
    distance_metric: str = "cosine",
    enforce_detection: bool = True,
    align: bool = True,
    expand_percentage: float = 0,
    normalization: str | None = None,
    threshold: float | None = None,
    anti_spoofing: bool = False,
    far: float = 0.001,
    faces: str = "prominent",
    flip: bool | None = None,
    detector_options: dict | None = None,
    exit_code: bool = False,
    pretty: bool | None = None,
):
    """Say whether two pictures show the same person.

    Args:
        img1_path: Path, URL or base64 of the first picture.
        img2_path: The second picture.
        model_name: Recognizer; see `facekit models`.
        detector_backend: Detector, or `skip` when the pictures are faces already.
        distance_metric: cosine, euclidean, euclidean_l2 or angular.
        enforce_detection: A picture without a face is an error; if false, it is compared whole.
        align: Align faces by their five points.
        expand_percentage: Widen the crops by this many percent.
        normalization: base, raw, Facenet, Facenet2018, VGGFace, VGGFace2 or ArcFace, in place
            of the network's own scaling.
        threshold: Own threshold on the distance.
        anti_spoofing: Not available yet.
        far: False acceptance rate of the fitted threshold: 0.01, 0.001 or 0.0001, or one
            that your own calibration states.
        faces: Which of several faces is compared: prominent, largest, most_confident, center
            or closest.
        flip: Add the mirror image's embedding: more accurate, slower.
        detector_options: Arguments of the detector, such as "{'min_face_size': 40}".
        exit_code: Leave with 1 when the people differ.
        pretty: Text for people instead of JSON; chosen by itself on a terminal.
    """
    options = without(locals(), "exit_code", "pretty")

    def code(result: dict) -> int:
        return EXIT_DIFFERENT if exit_code and not result["verified"] else EXIT_OK

    return Job(lambda: _verbs().verify(**options), render("pictures.verdict"), pretty, code)


@typed
def represent(
    *pictures: Picture,
    img_path: Picture | None = None,
    model_name: str = zoo.DEFAULT_RECOGNIZER,
    enforce_detection: bool = True,
    detector_backend: str = zoo.DEFAULT_DETECTOR,
    align: bool = True,
    expand_percentage: float = 0,
    normalization: str | None = None,
    anti_spoofing: bool = False,
    max_faces: int | None = None,
    l2_normalize: bool = False,
    faces: str = "prominent",
    flip: bool | None = None,
    detector_options: dict | None = None,
    pretty: bool | None = None,
):
    """Turn faces into vectors.

    Args:
        pictures: Pictures, directories or glob patterns.
        img_path: The same as an option.
        model_name: Recognizer; see `facekit models`.
        enforce_detection: A picture without a face is an error; if false, it is embedded whole.
        detector_backend: Detector, or `skip` when the pictures are faces already.
        align: Align faces by their five points.
        expand_percentage: Widen the crops by this many percent.
        normalization: base, raw, Facenet, Facenet2018, VGGFace, VGGFace2 or ArcFace, in place
            of the network's own scaling.
        anti_spoofing: Not available yet.
        max_faces: Keep only so many faces of a picture.
        l2_normalize: Scale every vector to unit length.
        faces: Which of several faces comes first: prominent, largest, most_confident or center.
        flip: Add the mirror image's embedding: more accurate, slower.
        detector_options: Arguments of the detector, such as "{'min_face_size': 40}".
        pretty: Text for people instead of JSON; chosen by itself on a terminal.
    """
    options = without(locals(), "pictures", "img_path", "pretty")

    def make():
        source, many = _sources(pictures, img_path)
        found = _verbs().represent(source, stream=many, **options)
        return _counted(found) if many else found

    return Job(make, render("pictures.embeddings"), pretty)


@typed
def extract_faces(
    *pictures: Picture,
    img_path: Picture | None = None,
    output_dir: str | None = None,
    detector_backend: str = zoo.DEFAULT_DETECTOR,
    enforce_detection: bool = True,
    align: bool = True,
    expand_percentage: float = 0,
    anti_spoofing: bool = False,
    max_faces: int | None = None,
    faces: str = "prominent",
    detector_options: dict | None = None,
    pretty: bool | None = None,
):
    """Find the faces of pictures, and cut them out into a folder.

    Args:
        pictures: Pictures, directories or glob patterns.
        img_path: The same as an option.
        output_dir: Folder for the faces as PNG; without it only their places are printed.
        detector_backend: Detector; see `facekit models`.
        enforce_detection: A picture without a face is an error; if false, it is taken whole.
        align: Turn faces so that the eyes are level.
        expand_percentage: Widen the crops by this many percent.
        anti_spoofing: Not available yet.
        max_faces: Keep only so many faces of a picture.
        faces: Which of several faces comes first: prominent, largest, most_confident or center.
        detector_options: Arguments of the detector, such as "{'min_face_size': 40}".
        pretty: Text for people instead of JSON; chosen by itself on a terminal.
    """
    options = without(locals(), "pictures", "img_path", "output_dir", "pretty")

    def make():
        from facekit import images
        from facekit.face_files import FaceFiles

        source, many = _sources(pictures, img_path)
        files = FaceFiles(output_dir)
        found = _verbs().extract_faces(
            source, color_face="bgr", normalize_face=False, stream=many, **options
        )
        if not many:
            return files.keep(images.describe(source), found)
        return _counted(
            item
            if "error" in item
            else {"source": item["source"], "faces": files.keep(item["source"], item["faces"])}
            for item in found
        )

    return Job(make, render("pictures.places"), pretty)


@typed
def models(
    task: str | None = None,
    *,
    available: bool = False,
    commercial: bool = False,
    pretty: bool | None = None,
):
    """List recognizers and detectors, and whether they can be used at once.

    Args:
        task: recognizer or detector; both by default.
        available: Only those whose weights are on this machine.
        commercial: Only those whose weights are known to be free for commercial use.
        pretty: A table for people instead of JSON; chosen by itself on a terminal.
    """

    def make():
        from facekit.catalog import rows

        return rows(task, available=available, commercial=commercial)

    return Job(make, render("models.models"), pretty)


@typed
def version(*, pretty: bool | None = None):
    """Print the versions of facekit and of what it runs on.

    Args:
        pretty: Text for people instead of JSON; chosen by itself on a terminal.
    """

    def make():
        from facekit.catalog import versions

        return versions()

    return Job(make, render("models.versions"), pretty)


@typed
def weights_list(*, pretty: bool | None = None):
    """List every weight file: where it is, its size and licence.

    Args:
        pretty: A table for people instead of JSON; chosen by itself on a terminal.
    """
    return Job(lambda: _store().list_weights(), render("models.weights"), pretty)


@typed
def weights_pull(
    *names: str, all: bool = False, commercial: bool = False, pretty: bool | None = None
):
    """Fetch weights ahead of time, for a container or a machine without a network.

    Args:
        names: Names of weights (`facekit weights list`) or of models (`facekit models`).
        all: Everything that can be downloaded.
        commercial: Only weights whose licence allows commercial use.
        pretty: A table for people instead of JSON; chosen by itself on a terminal.
    """

    def make():
        if not (names or all or commercial):
            raise InvalidArgument(
                "Nothing to pull was named.", "Name weights or models, or pass --all."
            )
        keys = _weight_keys(names)
        everything = all or (commercial and not names)
        return _store().pull(*keys, all=everything, commercial=commercial)

    return Job(make, render("models.actions"), pretty, _any_failed)


@typed
def weights_verify(*names: str, pretty: bool | None = None):
    """Check the sha256 of the weights on this machine.

    Args:
        names: Weights or models; all by default.
        pretty: A table for people instead of JSON; chosen by itself on a terminal.
    """
    return Job(
        lambda: _store().verify(*_weight_keys(names)), render("models.actions"), pretty, _any_failed
    )


@typed
def weights_path(name: str, *, pretty: bool | None = None):
    """Print where a weight file lies.

    Args:
        name: A weight (`facekit weights list`), or a model that has only one.
        pretty: The bare path instead of JSON; chosen by itself on a terminal.
    """

    def make():
        keys = _weight_keys([name])
        if len(keys) > 1:
            raise InvalidArgument(f"{name} has {len(keys)} weights.", f"Name {_or(keys)}.")
        return {"path": str(_store().path(*keys))}

    return Job(make, render("models.path"), pretty)


@typed
def weights_clean(*names: str, all: bool = False, pretty: bool | None = None):
    """Remove downloaded and converted weights from the cache.

    Args:
        names: Weights or models.
        all: Everything in the cache that can be had again.
        pretty: A table for people instead of JSON; chosen by itself on a terminal.
    """

    def make():
        if not (names or all):
            raise InvalidArgument(
                "Nothing to clean was named.", "Name weights or models, or pass --all."
            )
        return _store().clean(*_weight_keys(names), all=all)

    return Job(make, render("models.actions"), pretty, _any_failed)


COMMANDS: dict[str, Any] = {
    "verify": verify,
    "represent": represent,
    "extract_faces": extract_faces,
    "find": find.find,
    "cluster": photos.cluster,
    "dedupe": photos.dedupe,
    "gallery": gallery.COMMANDS,
    "embed": embed.embed,
    "models": models,
    "weights": {
        "list": weights_list,
        "pull": weights_pull,
        "verify": weights_verify,
        "path": weights_path,
        "clean": weights_clean,
    },
    "dataset": dataset.COMMANDS,
    "benchmark": benchmark.COMMANDS,
    "calibrate": benchmark.calibrate,
    "train": train.train,
    "export": export.export,
    "version": version,
}


def _verbs():
    from facekit import verbs

    return verbs


def _store():
    from facekit import store

    return store


def _sources(pictures: Sequence[str], img_path: str | None) -> tuple[Any, bool]:
    """What was named, and whether that is many pictures."""
    from facekit import images

    named = [*pictures, *([img_path] if img_path is not None else [])]
    if not named:
        raise InvalidArgument("No picture was named.", "Name pictures, a directory or a pattern.")
    source = named[0] if len(named) == 1 else named
    return source, images.is_many(source)


def _counted(items: Iterator[dict]) -> Iterator[dict]:
    """The items, counted on stderr if that is a terminal and the output goes elsewhere."""
    if not sys.stderr.isatty() or sys.stdout.isatty():
        return items
    from tqdm import tqdm

    return iter(tqdm(items, unit=" pictures", file=sys.stderr, leave=False))


def _weight_keys(names: Sequence[str]) -> list[str]:
    """Keys of weights; a model's name stands for all the weights that it needs."""
    keys: list[str] = []
    for name in names:
        registry = next((r for r in (zoo.recognizers, zoo.detectors) if name in r), None)
        needed = registry.get(name).weights if registry else (name,)
        if not needed:
            raise InvalidArgument(f"{name} needs no weights.")
        keys += needed
    return keys


def _or(names: Sequence[str]) -> str:
    return " or ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)


def _any_failed(rows: list[dict]) -> int:
    failed = any(row.get("error") or row.get("ok") is False for row in rows)
    return EXIT_BAD_INPUT if failed else EXIT_OK
