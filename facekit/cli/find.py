"""The shell's ``facekit find``."""

from __future__ import annotations

from facekit import zoo
from facekit.cli.arguments import Picture, typed
from facekit.cli.job import Job, render, without


@typed
def find(
    img_path: Picture,
    db_path: str,
    *,
    model_name: str = zoo.DEFAULT_RECOGNIZER,
    distance_metric: str = "cosine",
    enforce_detection: bool = True,
    detector_backend: str = zoo.DEFAULT_DETECTOR,
    align: bool = True,
    similarity_search: bool = False,
    k: int | None = None,
    expand_percentage: float = 0,
    threshold: float | None = None,
    normalization: str | None = None,
    silent: bool = False,
    refresh_database: bool = True,
    anti_spoofing: bool = False,
    gallery: str | None = None,
    thumbnails: bool = False,
    far: float = 0.001,
    faces: str = "prominent",
    max_faces: int | None = None,
    flip: bool | None = None,
    detector_options: dict | None = None,
    recall: float | None = None,
    pretty: bool | None = None,
):
    """Find the photos of a folder that show the people of a picture.

    Args:
        img_path: Picture, or a directory or pattern of many.
        db_path: Folder of photos, which is indexed at the first use, or a gallery.
        model_name: Recognizer; see `facekit models`.
        distance_metric: cosine, euclidean, euclidean_l2 or angular.
        enforce_detection: A picture without a face is an error; if false, it is compared whole.
        detector_backend: Detector, or `skip` when the pictures are faces already.
        align: Align faces by their five points.
        similarity_search: Give also faces beyond the threshold: who looks alike.
        k: At most so many photos for each face.
        expand_percentage: Widen the crops by this many percent.
        normalization: base, raw, Facenet, Facenet2018, VGGFace, VGGFace2 or ArcFace, in place
            of the network's own scaling.
        threshold: Own threshold on the distance.
        silent: No progress bar while photos are indexed.
        refresh_database: Look for new, changed and removed photos first.
        anti_spoofing: Not available yet.
        gallery: Folder or URL of the index; by default hidden inside DB_PATH.
        thumbnails: Keep a small picture of each face of the photos that are indexed now.
        far: False acceptance rate of the fitted threshold, of one comparison.
        faces: Order of the picture's faces: prominent, largest, most_confident or center first.
        max_faces: Look for so many faces of the picture only.
        flip: Add the mirror image's embedding: more accurate, slower.
        detector_options: Arguments of the detector, such as "{'min_face_size': 40}".
        recall: Search by the index of `facekit gallery index` if it finds that share of the
            nearest faces; the answer says what share it was, 1 for exact.
        pretty: A table for people instead of JSON; chosen by itself on a terminal.
    """
    options = without(locals(), "pretty")

    def make():
        from facekit.gallery import verb

        return verb.find(**options, return_type="dict")

    return Job(make, render("galleries.found"), pretty)
