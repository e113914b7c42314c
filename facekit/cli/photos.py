"""The shell's commands that sort photos: ``facekit cluster`` and ``facekit dedupe``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from facekit import zoo
from facekit.cli.arguments import typed
from facekit.cli.job import Job, render, without


@typed
def cluster(
    db_path: str,
    *,
    model_name: str = zoo.DEFAULT_RECOGNIZER,
    detector_backend: str = zoo.DEFAULT_DETECTOR,
    align: bool = True,
    expand_percentage: float = 0,
    normalization: str | None = None,
    silent: bool = False,
    refresh_database: bool = True,
    gallery: str | None = None,
    threshold: float | None = None,
    far: float | None = None,
    min_photos: int = 2,
    min_face_size: float = 32,
    min_score: float | None = None,
    k: int | None = None,
    html: str | None = None,
    apply: str | None = None,
    link: str | None = None,
    move: bool = False,
    dry_run: bool = False,
    flip: bool | None = None,
    detector_options: dict | None = None,
    pretty: bool | None = None,
):
    """Group the photos of a folder by who is on them, without knowing names.

    Args:
        db_path: Folder of photos, which is indexed at the first use, or a gallery.
        model_name: Recognizer; see `facekit models`.
        detector_backend: Detector, or `skip` when the pictures are faces already.
        align: Align faces by their five points.
        expand_percentage: Widen the crops by this many percent.
        normalization: base, raw, Facenet, Facenet2018, VGGFace, VGGFace2 or ArcFace, in place
            of the network's own scaling.
        silent: No progress bars.
        refresh_database: Look for new, changed and removed photos first.
        gallery: Folder of the index; by default hidden inside DB_PATH.
        threshold: Own limit on the mean cosine distance within a person.
        far: Fitted rate 0.01, 0.001 or 0.0001 in place of the one that suits the number of
            faces: less joins less.
        min_photos: People on fewer photos are nobody.
        min_face_size: Pixels; smaller faces form no groups and only join one.
        min_score: The detector's confidence, likewise; by default 0.97 with mtcnn, 0 with others.
        k: Only so many of the largest groups.
        html: File for a contact sheet.
        apply: Folder below which each person gets one, with copies of the photos.
        link: hard or sym: links instead of copies.
        move: Move the photos; of several people on one, the largest face gets it and the
            others get a link.
        dry_run: Only print what --apply would do.
        flip: Add the mirror image's embedding: more accurate, slower.
        detector_options: Arguments of the detector, such as "{'min_face_size': 40}".
        pretty: A table for people instead of JSON; chosen by itself on a terminal.
    """
    options = without(locals(), "pretty")

    def make():
        from facekit.clusters.verb import cluster as verb

        return verb(**options)

    return Job(make, _shown("photos.clusters", dry_run), pretty)


@typed
def dedupe(
    db_path: str,
    *,
    similar: bool = False,
    html: str | None = None,
    apply: str | None = None,
    link: str | None = None,
    move: str | None = None,
    dry_run: bool = False,
    silent: bool = False,
    pretty: bool | None = None,
):
    """Find photos that are there twice: saved again, resized, cropped a bit, turned.

    Args:
        db_path: Folder of photos.
        similar: Also the same scene a moment later, and grey copies of coloured photos.
        html: File for a contact sheet.
        apply: Folder below which each group gets one, with copies of its photos.
        link: hard or sym: links instead of these copies.
        move: Folder to which all but the best of each group are moved. Nothing is deleted.
        dry_run: Only print what --apply or --move would do.
        silent: No progress bars.
        pretty: Text for people instead of JSON; chosen by itself on a terminal.
    """
    options = without(locals(), "pretty")

    def make():
        from facekit.duplicates.verb import dedupe as verb

        return verb(**options)

    return Job(make, _shown("photos.copies", dry_run), pretty)


def _shown(name: str, planned: bool) -> Callable[[Any], str]:
    show = render(name)
    return lambda value: show({**value, "planned": planned})
