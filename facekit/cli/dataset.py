"""The shell's commands that collect faces to train on: ``facekit dataset ...``."""

from __future__ import annotations

from typing import Any

from facekit import zoo
from facekit.cli.arguments import typed
from facekit.cli.gallery_job import split_words
from facekit.cli.job import Job, render, without
from facekit.errors import InvalidArgument


@typed
def prepare(
    images: str | None = None,
    *,
    out: str | None = None,
    identities: str | None = None,
    exclude: str | None = None,
    teachers: str = "MobileFaceNet-Foamliu,Dlib",
    detector_backend: str = zoo.DEFAULT_DETECTOR,
    crop: str = "aligned",
    layout: str = "shards",
    min_face: int = 32,
    validation: float = 0.05,
    test: float = 0.05,
    silent: bool = False,
    pretty: bool | None = None,
):
    """Find, cut and embed the faces of a collection to train on, and split its people.

    A run that was stopped goes on where it was when the same command is given again. Each
    picture gives its most prominent face. `dropped.csv` says of each that gave none why.

    Args:
        images: Folder whose sub-folders are people, pattern such as 'faces/**', text file with
            a path a line, or .csv with the columns `path` and `person`.
        out: Folder to write: shards or folders of faces, faces.csv, teachers/NAME.npy.
        identities: File of lines FILE PERSON, such as CelebA's identity_CelebA.txt, or none:
            nobody knows who is on the pictures. By default sub-folders are people.
        exclude: Folder of a test set, a sub-folder a person, such as LFW's pictures: its people
            are left out, by name and by face.
        teachers: Recognizers whose embeddings are kept beside the faces, with commas between
            them. The first also finds the people to leave out.
        detector_backend: Detector; see `facekit models`.
        crop: aligned (five points on ArcFace's template, 112x112 with 16 pixels around it) or
            letterbox (conv-facenet's, 240x240).
        layout: shards (tar files as webdataset reads them) or folders (SPLIT/PERSON/KEY.jpg).
        min_face: Pixels; smaller faces are dropped.
        validation: Share of the people that is held out to choose by.
        test: Share of the people that is held out to report on.
        silent: No progress on stderr.
        pretty: Text for people instead of JSON; chosen by itself on a terminal.
    """
    options = without(locals(), "images", "out", "teachers", "pretty")

    def make():
        from facekit.training.faces.prepare import prepare as work

        if images is None:
            raise InvalidArgument("No pictures were named.", "Name their folder with --images.")
        if out is None:
            raise InvalidArgument("No folder for the faces was named.", "Name one with --out.")
        return work(images, out, teachers=split_words(teachers), **options)

    def show(value: dict[str, Any]) -> str:
        return render("dataset.prepared")({**value, "out": out})

    return Job(make, show, pretty)


COMMANDS = {"prepare": prepare}
