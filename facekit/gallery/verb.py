"""find: deepface's parameters and columns over a gallery that is kept up to date."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from facekit import images, progress, thresholds, zoo
from facekit.checks import is_numbers
from facekit.errors import UnknownName
from facekit.gallery import finding
from facekit.pipeline import DEFAULT_FACE_RULE
from facekit.verb_arguments import kit_of, one_side

RETURN_TYPES = ("pandas", "dict")


def find(
    img_path: Any,
    db_path: Any,
    model_name: str = zoo.DEFAULT_RECOGNIZER,
    distance_metric: str | Callable[[np.ndarray, np.ndarray], float] = "cosine",
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
    datastore_format: str | None = None,
    return_type: str | None = None,
    *,
    gallery: Any = None,
    thumbnails: bool = False,
    far: float = thresholds.DEFAULT_FAR,
    faces: str = DEFAULT_FACE_RULE,
    max_faces: int | None = None,
    flip: bool | None = None,
    detector_options: dict[str, Any] | None = None,
    recall: float | None = None,
) -> Any:
    """Photos of a folder, or faces of a gallery, that show the people of a picture.

    The folder's photos are embedded at the first call, which may be killed and goes on at
    the next; later calls touch only files that are new, changed, moved or gone. Several
    processes may do so at once. A photo ``Alice/1.jpg`` shows Alice.

    Parameters
    ----------
    img_path : image source or embedding, or list, directory or glob pattern of them
    db_path : path
        A folder of photos, searched recursively, or a gallery: its folder or URL.
    distance_metric : str or callable
        cosine, euclidean, euclidean_l2 or angular; or a function of two vectors ``(D,)``,
        the query's and the gallery's, that returns a number. It needs ``threshold``.
    similarity_search : bool
        Give also faces beyond the threshold: who looks alike.
    k : int, optional
        At most so many faces for each face of the query.
    silent : bool
        No progress bar while photos are embedded.
    refresh_database : bool
        False: search what is indexed already, whatever became of the files.
    datastore_format : str, optional
        Accepted for deepface's sake; facekit keeps galleries in one form.
    return_type : str, optional
        ``pandas`` (the default) or ``dict``.
    gallery : path, optional
        Folder or URL of the index; by default hidden inside ``db_path``, one for each pipeline.
    thumbnails : bool
        Keep a small picture of each face of the photos that are embedded by this call.
    faces, max_faces
        Order and number of the query's faces, as in ``represent``; all by default. Of the
        folder's photos every face counts.
    recall : float, optional
        Search by the index of ``facekit gallery index`` if it is known to find that share of
        the nearest; exact by default, and where there is none. The rows say so: ``recall``
        is 1.0 for exact.

    The others are those of ``verify``.

    Returns
    -------
    list of pandas.DataFrame, or list of list of dict
        One a face of the query, the closest row first: ``identity`` (path of the photo),
        ``hash`` (of its content), ``target_x`` to ``target_h`` (the face in it),
        ``threshold``, ``source_x`` to ``source_h`` (the face in the query), ``distance``,
        ``confidence`` (as in ``verify``), ``person`` (name of the photo's sub-folder). For
        many queries a list of such lists; an item that fails is ``{"source", "error"}``.

    Raises
    ------
    FaceKitError
        One sentence on what is wrong and what to do; see ``facekit.errors``.

    Notes
    -----
    ``far`` is the rate of one comparison: among a thousand strangers a threshold at 0.001
    finds one who is not meant, on average.
    """
    del datastore_format
    if return_type not in (None, *RETURN_TYPES):
        raise UnknownName("return_type", return_type, RETURN_TYPES)
    question = finding.Question(distance_metric, threshold, far, k, similarity_search, recall)
    question.check()
    kit = kit_of(
        anti_spoofing,
        model_name=model_name,
        detector_backend=detector_backend,
        align=align,
        expand_percentage=expand_percentage,
        normalization=normalization,
        enforce_detection=enforce_detection,
        faces=faces,
        max_faces=max_faces,
        flip=flip,
        detector_options=detector_options,
    )
    many = images.is_many(img_path) and not is_numbers(img_path)
    sources = list(images.expand(img_path)) if many else [img_path]
    queries = kit.probes([one_side(source) for source in sources])
    if not many and queries[0].error is not None:
        raise queries[0].error
    place = None if gallery is None else os.fspath(gallery)
    with finding.open_gallery(
        kit,
        os.fspath(db_path),
        place,
        refreshed=refresh_database,
        progress=progress.bar("Indexing", silent),
        thumbnails=thumbnails,
    ) as kept:
        rows = list(finding.answers(kit, kept, queries, question, os.fspath(db_path)))
    shape = finding.frame if return_type != "dict" else list
    made = [
        [shape(face) for face in answer]
        if query.error is None
        else {"source": query.source, "error": str(query.error)}
        for query, answer in zip(queries, rows, strict=True)
    ]
    return made if many else made[0]
