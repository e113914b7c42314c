"""The shell's command for very large collections: ``facekit embed``."""

from __future__ import annotations

from typing import Any

from facekit import zoo
from facekit.cli.arguments import typed
from facekit.cli.job import EXIT_BAD_INPUT, EXIT_OK, Job, render, without
from facekit.errors import InvalidArgument


@typed
def embed(
    input: str | None = None,
    *,
    out: str | None = None,
    engine: str = "local",
    address: str | None = None,
    threads: int | None = None,
    photos_per_shard: int | None = None,
    batch_size: int | None = None,
    model_name: str = zoo.DEFAULT_RECOGNIZER,
    detector_backend: str = zoo.DEFAULT_DETECTOR,
    enforce_detection: bool = True,
    align: bool = True,
    expand_percentage: float = 0,
    normalization: str | None = None,
    faces: str = "prominent",
    max_faces: int | None = None,
    flip: bool | None = None,
    detector_options: dict | None = None,
    silent: bool = False,
    pretty: bool | None = None,
):
    """Embed millions of photos into Parquet files, on one machine or a Ray cluster.

    Args:
        input: Folder, pattern such as 'photos/**', text file or - (standard input) with a path
            a line, or .csv or .parquet with a column `path`. Sub-folders are people.
        out: Folder of the Parquet files. A run that was stopped goes on there; photos that are
            new since the last one are added.
        engine: local (all cores of this machine) or ray. Both write the same rows.
        address: Ray cluster, such as 10.0.0.1:6379; without it Ray starts on this machine.
            Photos and OUT must be where all its machines see them.
        threads: CPUs of this machine to use; all by default.
        photos_per_shard: Photos whose faces go into one file; 1000 by default.
        batch_size: Photos that go through the networks together; 32 by default.
        model_name: Recognizer; see `facekit models`.
        detector_backend: Detector, or `skip` when the pictures are faces already.
        enforce_detection: A picture without a face has no vector; if false, it is embedded whole.
        align: Align faces by their five points.
        expand_percentage: Widen the crops by this many percent.
        normalization: base, raw, Facenet, Facenet2018, VGGFace, VGGFace2 or ArcFace, in place
            of the network's own scaling.
        faces: Which of several faces comes first: prominent, largest, most_confident or center.
        max_faces: Keep only so many faces of a picture.
        flip: Add the mirror image's embedding: more accurate, slower.
        detector_options: Arguments of the detector, such as "{'min_face_size': 40}".
        silent: No progress on stderr.
        pretty: Text for people instead of JSON; chosen by itself on a terminal.
    """
    options = without(locals(), "pretty")

    def make():
        from facekit.bulk.run import embed

        if input is None:
            raise InvalidArgument("No photos were named.", "Name their folder with --input.")
        if out is None:
            raise InvalidArgument("No folder for the vectors was named.", "Name one with --out.")
        return embed(**options)

    return Job(make, render("galleries.embedded"), pretty, _code)


def _code(summary: dict[str, Any]) -> int:
    useless = summary["failed"] or not summary["faces"]
    return EXIT_BAD_INPUT if useless else EXIT_OK
