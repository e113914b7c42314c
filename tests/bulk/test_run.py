"""Real photos become rows, each exactly once, whatever happens on the way."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from facekit import FaceKit, images
from facekit.bulk import files, plan, run, shards
from facekit.errors import BulkError, InvalidArgument, MissingDependency, UnknownName
from facekit.gallery import transfer
from facekit.gallery.records import Where
from facekit.gallery.store.folder import FolderGallery

pd = pytest.importorskip("pandas")
parquet = pytest.importorskip("pyarrow.parquet")


@pytest.fixture
def done(whole, tmp_path):
    """A copy of a complete folder of shards."""
    return shutil.copytree(whole, tmp_path / "done")


def times(out):
    """When each shard was written."""
    return {path: path.stat().st_mtime_ns for path in out.glob("*.parquet")}


def test_rows_are_what_the_pipeline_gives(collection, whole, pipeline):
    frame = pd.read_parquet(whole)
    photos = [str(path) for path in images.expand(collection)]
    assert list(dict.fromkeys(frame.path)) == photos
    for result in FaceKit(**pipeline).stream(photos):
        rows = frame[frame.path == result.source].to_dict("records")
        place = Path(result.source)
        if not result.faces:
            (row,) = rows
            assert row["status"] == {"broken.jpg": "broken", "nobody.png": "no face"}[place.name]
            assert str(result.error).startswith(f"{result.source}: {row['reason']}")
            assert (row["embedding"], row["box"]) == (None, None)
            continue
        for row, face in zip(rows, result.faces, strict=True):
            assert (row["status"], list(row["tags"])) == ("face", [])
            assert row["person"] == place.parent.name
            np.testing.assert_allclose(row["embedding"], face.vector, atol=1e-4)
            np.testing.assert_allclose(row["box"], face.detection.box, atol=1e-2)
            points = face.detection.landmarks.ravel()
            np.testing.assert_allclose(row["landmarks"], points, atol=1e-2)
            assert row["score"] == pytest.approx(face.detection.score, abs=1e-4)


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_change_no_bit(collection, whole, embed, contents, tmp_path, threads):
    embed(collection, tmp_path, threads=threads)
    assert contents(tmp_path) == contents(whole)


def test_a_second_run_does_nothing(collection, done, embed):
    before = times(done)
    summary = embed(collection, done)
    assert (summary["embedded"], summary["seconds"], summary["photos_per_second"]) == (0, 0, None)
    assert (summary["photos"], summary["without_face"], summary["broken"]) == (120, 1, 1)
    assert times(done) == before


def test_new_photos_become_new_shards(collection, done, whole, embed, contents, tmp_path):
    photos = tmp_path / "more.txt"
    new = tmp_path / "Ann" / "1.jpg"
    new.parent.mkdir()
    shutil.copy(next(collection.glob("*/*.jpg")), new)
    photos.write_text("\n".join(map(str, [new, *images.expand(collection)])))
    summary = embed(photos, done)
    assert (summary["embedded"], summary["photos"], summary["shards"]) == (1, 121, 13)
    made = contents(done)
    extra = done / list(made)[-1]
    assert set(pd.read_parquet(extra).person) == {"Ann"}
    assert {name: data for name, data in made.items() if name != extra.name} == contents(whole)


def test_a_killed_run_goes_on(collection, whole, contents, command, tmp_path, embed):
    out = tmp_path / "out"
    words = [*command, f"--input={collection}", f"--out={out}", "--threads=1"]
    process = subprocess.Popen([sys.executable, "-m", "facekit", *words], stderr=subprocess.PIPE)
    while len(contents(out)) < 3:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert len(contents(out)) < 12
    (out / ".shard-000011.parquet.0123abcd.part").write_bytes(b"half")  # as a kill leaves it
    kept = times(out)
    summary = embed(collection, out)
    assert summary["embedded"] == 120 - 10 * len(kept)
    assert contents(out) == contents(whole)
    assert times(out).items() >= kept.items()
    assert list(out.glob(".*")) == []


def test_a_damaged_shard_is_made_again(collection, done, whole, embed, contents):
    shard = done / "shard-000004.parquet"
    shard.write_bytes(shard.read_bytes()[:-20])
    (done / "shard-000007.parquet").write_bytes(b"")
    assert embed(collection, done)["embedded"] == 20
    assert contents(done) == contents(whole)


def test_what_cannot_be_read_stops_nothing(tmp_path, embed, sample_paths):
    names = [tmp_path / "gone.jpg", tmp_path, sample_paths["grace_hopper"], tmp_path / "a*.jpg"]
    summary = embed(names, tmp_path / "out")
    assert (summary["photos"], summary["faces"], summary["broken"]) == (4, 1, 3)
    frame = pd.read_parquet(tmp_path / "out")
    assert list(frame.status) == ["broken", "broken", "face", "broken"]
    assert frame.reason[0] == "there is no such file."
    assert "directory" in frame.reason[1]
    assert len(frame.content[2]) == 32


def test_photos_that_change_into_others_between_listing_and_reading(tmp_path, embed, sample_paths):
    # What is listed as x[1].jpg and gone is not x1.jpg, which the name would match.
    shutil.copy(sample_paths["grace_hopper"], tmp_path / "x1.jpg")
    assert embed([tmp_path / "x[1].jpg"], tmp_path / "out")["broken"] == 1


def test_into_a_gallery(whole, tmp_path):
    origin = transfer.read_origin(whole)
    with FolderGallery.create(tmp_path / "g", origin) as gallery:
        frame = pd.read_parquet(whole)
        assert transfer.load(gallery, whole) == (frame.status == "face").sum()
        photos = {photo.path: photo for photo in gallery.photos()}
        assert len(photos) == 120
        reasons = {path.rpartition("/")[2]: photo.reason for path, photo in photos.items()}
        assert {name for name, reason in reasons.items() if reason} == {"broken.jpg", "nobody.png"}
        first = frame.iloc[0]
        stored = gallery.faces(Where(people=(first.person,)))
        face, vector = next(pair for pair in stored if pair[0].path == first.path)
        assert (face.content, face.detection.score) == (first.content, first.score)
        np.testing.assert_array_equal(vector, first.embedding)
        # Once more changes nothing.
        transfer.load(gallery, whole)
        assert gallery.info()["faces"] == (frame.status == "face").sum()
    with pytest.raises(InvalidArgument, match="has no Parquet file"):
        transfer.read_origin(tmp_path)


def test_another_pipeline_is_refused(collection, done, embed, contents):
    before = contents(done)
    for change in ({"max_faces": 1}, {"enforce_detection": False}, {"align": False}):
        (name,) = change
        with pytest.raises(BulkError, match=f"was begun with {name} "):
            embed(collection, done, **change)
    with pytest.raises(InvalidArgument, match="batch_size 8, not 9"):
        embed(collection, done, batch_size=9)
    assert contents(done) == before


def test_a_shard_of_another_pipeline_is_not_taken_for_done(collection, done, embed):
    shard = done / "shard-000002.parquet"
    table = parquet.read_table(shard)
    said = table.schema.metadata
    other = said[b"facekit"].replace(b'"fingerprint": "', b'"fingerprint": "0')
    parquet.write_table(table.replace_schema_metadata({**said, b"facekit": other}), shard)
    with pytest.raises(BulkError, match="made by another pipeline"):
        embed(collection, done)


def test_two_runs_do_not_meet(collection, done, embed):
    with (
        files.alone(done, plan.FOLDER),
        pytest.raises(BulkError, match="Another run is writing into"),
    ):
        embed(collection, done)
    assert embed(collection, done)["embedded"] == 0


def test_a_shard_that_fails_is_named_and_tried_again(
    collection, whole, embed, contents, tmp_path, monkeypatch
):
    def fail(todo, *others):
        head, *rest = todo
        yield BulkError(f"Shard {head.number} was lost.")
        yield from real(rest, *others)

    real = run.local_engine.run
    monkeypatch.setattr(run.local_engine, "run", fail)
    summary = embed(collection, tmp_path)
    assert (summary["failed"], summary["photos"]) == (["Shard 0 was lost."], 110)
    monkeypatch.undo()
    assert embed(collection, tmp_path)["embedded"] == 10
    assert contents(tmp_path) == contents(whole)


def test_other_weights_on_another_machine_are_refused(whole):
    said = json.loads((whole / "_plan" / "plan.json").read_text("utf-8"))
    origin = transfer.read_origin(whole)
    job = shards.job_of(plan.opened(whole, origin, said["pipeline"], None, None))
    assert shards.kit_of(job).threads == 1
    other = job.header.replace('"fingerprint": "', '"fingerprint": "0')
    with pytest.raises(BulkError, match="has other weights, or another version"):
        shards.kit_of(job._replace(header=other))


def test_a_full_disk_is_one_sentence(collection, embed, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("facekit.bulk.files.os.fsync", full)
    with pytest.raises(BulkError, match="No space left on device"):
        embed(collection, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").rglob("*") if path.is_file()] == ["lock"]


def test_mistakes(collection, embed, tmp_path, monkeypatch):
    out = tmp_path / "out"
    for error, words, change in (
        (UnknownName, "Did you mean local", {"engine": "lokal"}),
        (InvalidArgument, "An address is for the engine ray", {"address": "auto"}),
        (InvalidArgument, "threads is 0", {"threads": 0}),
        (UnknownName, "no recognizer", {"model_name": "ArcFase"}),
    ):
        with pytest.raises(error, match=words):
            embed(collection, out, **change)
    with pytest.raises(InvalidArgument, match="no folder, no file"):
        embed(tmp_path / "absent", out)
    assert not out.exists()
    with pytest.raises(InvalidArgument, match="names no photo"):
        embed(str(tmp_path / "*.jpg"), out)
    (tmp_path / "file").touch()
    with pytest.raises(BulkError, match="cannot be written"):
        embed(collection, tmp_path / "file")
    monkeypatch.setattr("facekit.extras.find_spec", lambda _: None)
    with pytest.raises(MissingDependency, match=r"facekit\[parquet\]"):
        embed(collection, out)
