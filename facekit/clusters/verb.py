"""``facekit.cluster``: a folder of photos grouped into people."""

from __future__ import annotations

import os
from typing import Any

from facekit import checks, placing, progress, zoo
from facekit.clusters import answer, grouping, people_sheet
from facekit.clusters.limit import limit_of
from facekit.errors import InvalidArgument, UnknownName
from facekit.gallery import finding
from facekit.pipeline import FaceKit
from facekit.sheet import page

# Scores of detectors have different scales. Of what mtcnn finds on WIDER FACE with less, three in
# ten are no face, and it is within the threshold of four times as many strangers as the rest;
# of LFW's faces 1 % have less.
_SCORES = {"mtcnn": 0.97}
_LINKS = (placing.HARD, placing.SYMBOLIC)


def cluster(
    db_path: Any,
    model_name: str = zoo.DEFAULT_RECOGNIZER,
    detector_backend: str = zoo.DEFAULT_DETECTOR,
    align: bool = True,
    expand_percentage: float = 0,
    normalization: str | None = None,
    silent: bool = False,
    refresh_database: bool = True,
    *,
    gallery: Any = None,
    threshold: float | None = None,
    far: float | None = None,
    min_photos: int = 2,
    min_face_size: float = 32,
    min_score: float | None = None,
    k: int | None = None,
    html: Any = None,
    apply: Any = None,
    link: str | None = None,
    move: bool = False,
    dry_run: bool = False,
    flip: bool | None = None,
    detector_options: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Who is on the photos of a folder: groups of faces, each a person without a name.

    Every face of every photo counts. They come from the index that ``find`` keeps, which is
    made at the first call and brought up to date at later ones.

    Parameters
    ----------
    db_path : path
        A folder of photos, searched recursively, or a gallery.
    gallery, silent, refresh_database
        As in ``find``.
    threshold : float, optional
        Largest mean cosine distance between the faces of two groups that become one. By
        default the pipeline's fitted one at a rate that falls with the number of faces.
    far : float, optional
        A fitted rate instead: 0.01, 0.001 or 0.0001. Less joins less.
    min_photos : int
        People on fewer photos are nobody.
    min_face_size : float
        Pixels of the shorter side. Smaller faces resemble each other whoever they show: they
        form no groups, and only join one that is close enough.
    min_score : float, optional
        The detector's confidence, likewise; by default 0.97 with mtcnn, 0 with others.
    k : int, optional
        Only so many of the largest groups.
    html : path, optional
        Write a contact sheet into this file.
    apply : path, optional
        Put the photos into folders ``person-001``, ... below this one: copies by default.
    link : str, optional
        ``hard`` or ``sym``: links instead of copies.
    move : bool
        Move the photos. One of several people goes to whose face is the largest; the others
        get a hard link, or where that is impossible a copy (or ``link``'s kind).
    dry_run : bool
        Only say what ``apply`` would do.

    The others are those of ``verify``.

    Returns
    -------
    dict
        ``groups``: largest first, each with ``id``, ``folder``, ``photos`` (of different
        content), ``faces``, ``spread`` (mean distance between two faces), ``people`` (names
        of the photos' sub-folders, with ``faces``), ``representative`` and ``members``
        (``identity``, ``facial_area``, ``face_confidence``, ``poor``, ``distance``: mean to
        the other members), the most typical first; ``nobody``: the faces in no group;
        ``counts``, ``threshold``, ``threshold_source``, ``model``, ``detector_backend``,
        ``fingerprint``; with ``html`` ``sheet``; with ``apply`` ``files`` (``source``,
        ``target``, ``action``). When a killed run had photos still to move, they are moved,
        and ``finished`` says which; nothing else is done.

    Raises
    ------
    FaceKitError
        One sentence on what is wrong and what to do; see ``facekit.errors``.
    """
    folder, target = os.fspath(db_path), None if apply is None else os.fspath(apply)
    _check(folder, target, link, move, dry_run, min_photos, min_face_size, min_score, k)
    if html is not None:
        page.check(os.fspath(html))
    if target is not None and not dry_run:
        finished = placing.finish(target, progress.bar("Moving", silent))
        if finished:
            return {"finished": [vars(step) for step in finished]}
    kit = FaceKit(
        model_name,
        detector_backend,
        align=align,
        expand_percentage=expand_percentage,
        normalization=normalization,
        flip=flip,
        detector_options=detector_options,
    )
    kit.have_weights()  # fetches what is missing
    limit_of(kit, 1, threshold=threshold, far=far)  # a mistake is told before the photos are read
    with finding.open_gallery(
        kit,
        folder,
        None if gallery is None else os.fspath(gallery),
        refreshed=refresh_database,
        progress=progress.bar("Indexing", silent),
    ) as kept:
        if min_score is None:
            min_score = _SCORES.get(kit.detector_backend, 0)
        found = grouping.collect(kept, min_face_size, min_score)
        photos = kept.photos()
    limit = limit_of(kit, int(found.good.sum()), threshold=threshold, far=far)
    groups = grouping.grouped(found, limit.value, min_photos)
    result = {
        **answer.rows(found, groups, folder),
        "counts": {
            "photos": len(photos),
            "faces": len(found.faces),
            "poor_faces": int((~found.good).sum()),
            "photos_without_face": sum(bool(photo.reason) for photo in photos),
        },
        "threshold": limit.value,
        "threshold_source": limit.source,
        "model": kit.model_name,
        "detector_backend": kit.detector_backend,
        "fingerprint": kit.fingerprint,
    }
    result["groups"] = result["groups"][:k]
    if html is not None:
        name = os.path.basename(os.path.abspath(folder))  # noqa: PTH100, PTH119 (any text)
        made = people_sheet.sheet(result, name)
        page.write(made, os.fspath(html), progress.bar("Drawing", silent))
        result["sheet"] = os.fspath(html)
    if target is not None:
        action = placing.MOVE if move else link or placing.COPY
        wanted = answer.wanted(result["groups"], action, link or placing.HARD)
        show = progress.bar("Placing", silent)
        steps = placing.place(wanted, target, dry_run=dry_run, progress=show)
        result["files"] = [vars(step) for step in steps]
    return result


def _check(
    folder: str,
    target: str | None,
    link: str | None,
    move: bool,
    dry_run: bool,
    min_photos: int,
    min_face_size: float,
    min_score: float | None,
    k: int | None,
) -> None:
    checks.check_count("min_photos", min_photos)
    checks.check_number("min_face_size", min_face_size, 0)
    if min_score is not None:
        checks.check_number("min_score", min_score, 0)
    if k is not None:
        checks.check_count("k", k)
    checks.check_flag("move", move)
    checks.check_flag("dry_run", dry_run)
    if link is not None and link not in _LINKS:
        raise UnknownName("kind of link", link, _LINKS)
    if target is None and (move or dry_run or link is not None):
        raise InvalidArgument(
            "Nothing was said of where the photos shall go.", "Name a folder with apply."
        )
    if move and link == placing.SYMBOLIC:
        raise InvalidArgument(
            "A symbolic link would point to where a moved photo was.", "Use link=hard."
        )
    if target is not None:
        placing.check_apart(folder, target)
