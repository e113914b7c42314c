"""find: deepface's frames, from an index that is kept beside the photos."""

import inspect
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import facekit
from facekit import FaceKit, distance
from facekit.errors import (
    FaceNotFound,
    GalleryError,
    ImageError,
    InvalidArgument,
    NotYetAvailable,
    UnknownName,
)
from facekit.gallery.finding import COLUMNS, origin_of
from facekit.gallery.records import Entry, NewFace
from facekit.gallery.store.folder import FolderGallery

DEEPFACE = [
    *("img_path", "db_path", "model_name", "distance_metric", "enforce_detection"),
    *("detector_backend", "align", "similarity_search", "k", "expand_percentage", "threshold"),
    *("normalization", "silent", "refresh_database", "anti_spoofing", "datastore_format"),
    "return_type",
]


def test_parameters_are_deepfaces():
    parameters = inspect.signature(facekit.find).parameters.values()
    assert [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD] == DEEPFACE


@pytest.fixture(scope="module")
def photos(sample_paths, tmp_path_factory):
    """Hopper, Collins, Collins again under no name, and a broken file."""
    root = tmp_path_factory.mktemp("photos")
    for name in ("grace_hopper", "eileen_collins"):
        (root / name).mkdir()
        shutil.copy(sample_paths[name], root / name / "1.jpg")
    shutil.copy(sample_paths["eileen_collins"], root / "other.jpg")
    (root / "broken.jpg").write_bytes(b"nothing")
    return str(root)


@pytest.fixture(scope="module")
def collins(sample_paths):
    return str(sample_paths["eileen_collins"])


def test_a_frame_a_face_with_deepfaces_columns(photos, collins):
    frames = facekit.find(collins, photos, silent=True)
    assert len(frames) == 1
    frame = frames[0]
    assert list(frame.columns) == list(COLUMNS)
    assert list(frame["identity"]) == [
        str(Path(photos, "eileen_collins", "1.jpg")),
        str(Path(photos, "other.jpg")),
    ]
    assert list(frame["distance"]) == pytest.approx([0, 0], abs=1e-12)
    assert frame["person"].iloc[0] == "eileen_collins"
    verdict = facekit.verify(collins, collins)
    assert set(frame["threshold"]) == {verdict["threshold"]}
    assert frame["confidence"].iloc[0] == pytest.approx(verdict["confidence"])
    area = verdict["facial_areas"]["img1"]
    for side in "xywh":
        assert frame[f"source_{side}"].iloc[0] == frame[f"target_{side}"].iloc[0] == area[side]
    assert frame["hash"].nunique() == 1


@pytest.mark.parametrize("metric", distance.METRICS)
def test_distances_are_verifys(photos, collins, metric):
    (rows,) = facekit.find(
        collins, photos, distance_metric=metric, similarity_search=True, return_type="dict"
    )
    assert len(rows) == 3
    for row in rows:
        verdict = facekit.verify(collins, row["identity"], distance_metric=metric)
        assert row["distance"] == verdict["distance"]
        assert row["confidence"] == verdict["confidence"]
    assert facekit.find(collins, photos, distance_metric=metric, k=1, return_type="dict") == [
        rows[:1]
    ]


def test_thresholds_and_similarity(photos, collins):
    (rows,) = facekit.find(collins, photos, similarity_search=True, return_type="dict")
    last = rows[-1]["distance"]
    (close,) = facekit.find(collins, photos, threshold=last, return_type="dict")
    assert len(close) == 3
    (close,) = facekit.find(collins, photos, threshold=np.nextafter(last, 0), return_type="dict")
    assert len(close) == 2
    assert {row["threshold"] for row in close} == {np.nextafter(last, 0)}
    (frame,) = facekit.find(
        np.asarray(facekit.represent(photos + "/grace_hopper/1.jpg")[0]["embedding"]) * -1, photos
    )
    assert frame.empty
    assert list(frame.columns) == list(COLUMNS)


def test_a_metric_of_ones_own(photos, collins):
    def manhattan(query, mine):
        assert query.shape == mine.shape == (256,)
        return abs(query - mine).sum()

    (rows,) = facekit.find(
        collins, photos, distance_metric=manhattan, threshold=1e-3, return_type="dict"
    )
    assert [row["distance"] for row in rows] == [0, 0]
    assert rows[0]["confidence"] is None
    (rows,) = facekit.find(
        collins, photos, distance_metric=manhattan, similarity_search=True, k=3, return_type="dict"
    )
    assert rows[2]["distance"] > 1
    with pytest.raises(InvalidArgument, match="no fitted threshold"):
        facekit.find(collins, photos, distance_metric=manhattan)


def test_many_queries_in_one_batch(photos, collins, sample_paths):
    hopper = str(sample_paths["grace_hopper"])
    vector = facekit.represent(hopper)[0]
    found = facekit.find([collins, photos + "/broken.jpg", vector, hopper], photos)
    assert [row["identity"] for row in found[0][0].to_dict("records")] == list(
        facekit.find(collins, photos)[0]["identity"]
    )
    assert found[1]["source"].endswith("broken.jpg")
    assert "picture" in found[1]["error"]
    for answer in found[2:]:
        assert answer[0]["person"].tolist() == ["grace_hopper"]
    assert found[2][0]["source_x"].isna().all()


def test_nobody_in_the_query(photos):
    grey = np.full((90, 80, 3), 128, np.uint8)
    with pytest.raises(FaceNotFound):
        facekit.find(grey, photos)
    # As in verify, a whole picture is no evidence unless the caller decides.
    (frame,) = facekit.find(grey, photos, enforce_detection=False)
    assert frame.empty
    (frame,) = facekit.find(grey, photos, enforce_detection=False, threshold=2)
    assert len(frame) >= 3
    assert frame["confidence"].isna().all()


def test_mistakes_are_named_before_anything_is_indexed(tmp_path, collins):
    shutil.copy(collins, tmp_path / "a.jpg")
    cases = [
        (InvalidArgument, {"k": 0}),
        (InvalidArgument, {"threshold": -1}),
        (InvalidArgument, {"similarity_search": "no"}),
        (UnknownName, {"distance_metric": "manhattan"}),
        (UnknownName, {"return_type": "list"}),
        (UnknownName, {"model_name": "Netface"}),
        (NotYetAvailable, {"anti_spoofing": True}),
        (GalleryError, {"refresh_database": False}),
    ]
    for error, options in cases:
        with pytest.raises(error):
            facekit.find(collins, tmp_path, **options)
    with pytest.raises(InvalidArgument, match="is not a folder"):
        facekit.find(collins, tmp_path / "absent")
    with pytest.raises(ImageError):
        facekit.find(tmp_path / "absent.jpg", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["a.jpg"]


def test_refresh_database(tmp_path, collins):
    shutil.copy(collins, tmp_path / "a.jpg")
    assert len(facekit.find(collins, tmp_path)[0]) == 1
    shutil.copy(collins, tmp_path / "b.jpg")
    (tmp_path / "a.jpg").unlink()
    (frame,) = facekit.find(collins, tmp_path, refresh_database=False)
    assert [Path(path).name for path in frame["identity"]] == ["a.jpg"]
    (frame,) = facekit.find(collins, tmp_path)
    assert [Path(path).name for path in frame["identity"]] == ["b.jpg"]


def test_each_pipeline_has_its_own_index_and_galleries_refuse_others(tmp_path, collins):
    shutil.copy(collins, tmp_path / "a.jpg")
    named = tmp_path / "index"
    facekit.find(collins, tmp_path, gallery=named)
    assert not (tmp_path / ".facekit").exists()
    with pytest.raises(GalleryError, match="another gallery"):
        facekit.find(collins, tmp_path, gallery=named, align=False)
    facekit.find(collins, tmp_path)
    facekit.find(collins, tmp_path, align=False)
    assert len(list((tmp_path / ".facekit").iterdir())) == 2


def test_a_gallery_in_place_of_a_folder(tmp_path, collins):
    kit = FaceKit()
    vector = kit.embed(collins)[0].faces[0].vector
    with FolderGallery.create(tmp_path / "people", origin_of(kit)) as gallery:
        gallery.add([Entry(None, [NewFace(vector, "Eileen"), NewFace(vector)])])
    (rows,) = facekit.find(collins, tmp_path / "people", return_type="dict")
    assert [row["identity"] for row in rows] == ["Eileen", "face 2"]
    with pytest.raises(GalleryError, match="another gallery"):
        facekit.find(collins, tmp_path / "people", flip=not kit.flip)


def test_a_whole_picture_in_a_gallery_is_no_evidence(tmp_path, collins):
    kit = FaceKit()
    face = kit.embed(collins)[0].faces[0]
    blind = replace(face.detection, score=0.0)
    with FolderGallery.create(tmp_path / "people", origin_of(kit)) as gallery:
        gallery.add([Entry(None, [NewFace(face.vector, "Eileen", blind)])])
    assert facekit.find(collins, tmp_path / "people", return_type="dict") == [[]]
    ((row,),) = facekit.find(collins, tmp_path / "people", threshold=0.1, return_type="dict")
    assert (row["person"], row["confidence"]) == ("Eileen", None)
