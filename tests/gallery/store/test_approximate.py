"""An index gives what it was measured to give, of the faces that are there, or is not used."""

import shutil

import numpy as np
import pytest

from facekit import distance, extras
from facekit.errors import GalleryError, InvalidArgument, MissingDependency
from facekit.gallery.ranking import rank_people
from facekit.gallery.records import Entry, NewFace, Origin, Photo, Where
from facekit.gallery.store import approximate, approximate_choice
from facekit.gallery.store.folder import FolderGallery

faiss = pytest.importorskip("faiss", reason="the extra faiss is not installed")

COUNT, D = 8000, 32


@pytest.fixture(scope="module")
def crowd():
    """Five faces of each of 1600 people; one face in fifty has no name in the galleries."""
    rng = np.random.default_rng(3)
    centres = np.repeat(rng.normal(size=(COUNT // 5, D)), 5, axis=0)
    return (centres + rng.normal(scale=0.4, size=(COUNT, D))).astype(np.float32)


@pytest.fixture(scope="module")
def probes(crowd):
    """New photos of 60 of them."""
    rng = np.random.default_rng(4)
    return (crowd[:300:5] + rng.normal(scale=0.4, size=(60, D))).astype(np.float32)


@pytest.fixture(scope="module", autouse=True)
def _any_size_and_speed():
    """Galleries count as large, and indexes as fast, whatever the clock says."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(approximate_choice, "_LEAST_FACES", 1000)
        patch.setattr(approximate_choice, "_gain", lambda *_: 7.0)
        patch.setenv("FACEKIT_THREADS", "1")
        yield


@pytest.fixture(scope="module")
def prepared(crowd, tmp_path_factory):
    """Folder of a gallery without and with an index, and what its making reported."""
    plain, ready = (tmp_path_factory.mktemp("made") / name for name in ("plain", "ready"))
    with FolderGallery.create(plain, Origin("Net", "finder", "0" * 12, D)) as made:
        made.add(
            Entry(Photo(f"{i}"), [NewFace(v, f"p{i // 5}" if i % 50 else None)])
            for i, v in enumerate(crowd)
        )
    shutil.copytree(plain, ready)
    with FolderGallery(ready) as made:
        return plain, ready, made.make_index(0.9)


@pytest.fixture
def plain(prepared, tmp_path):
    with FolderGallery(shutil.copytree(prepared[0], tmp_path / "g")) as made:
        yield made


@pytest.fixture
def large(prepared, tmp_path):
    """With an index."""
    with FolderGallery(shutil.copytree(prepared[1], tmp_path / "g")) as made:
        yield made


def found(answers):
    return [[(hit.face.id, hit.distance) for hit in hits] for hits in answers]


def share(answers, true):
    pairs = zip(found(answers), found(true), strict=True)
    return np.mean([len(set(a) & set(b)) / len(b) for a, b in pairs if b])


def test_it_finds_what_it_was_measured_to_find(large, prepared, probes):
    report = prepared[2]
    assert report["index"] in [row["kind"] for row in report["tried"]]
    assert 0.9 <= report["recall"] < 1
    for metric in ("cosine", "angular", "euclidean_l2"):
        for k in (1, 10, 100):
            quick, exact = (large.search(probes, k, metric, recall=r) for r in (0.9, None))
            assert quick.recall >= 0.9
            assert exact.recall == 1
            # Distances are exact; 60 queries say as much to within a few percent.
            assert share(quick, exact) > 0.85
    info = large.info()
    assert (info["index"], info["index_faces"]) == (report["index"], COUNT)
    assert info["index_recall"][10] == report["recall"]


def test_recall_is_measured_and_not_guessed(plain, monkeypatch):
    monkeypatch.setattr(
        approximate,
        "_candidates",
        lambda _, queries, __, depth: np.zeros((len(queries), depth), np.int64),
    )
    report = plain.make_index(0.5)
    assert report["index"] is None
    assert all("recall" not in row for row in report["tried"])
    assert not (plain.folder / approximate.NAME).exists()


def test_the_recall_that_is_asked_for_decides(large, probes):
    known = large.info()["index_recall"]
    assert large.search(probes, 10, recall=known[10]).recall == known[10] < 1
    exact = large.search(probes, 10)
    beyond = large.search(probes, 10, recall=max(known.values()) + 1e-9)
    assert (beyond.recall, found(beyond)) == (1.0, found(exact))
    for wrong in (1.5, -0.1):
        with pytest.raises(InvalidArgument, match="recall is"):
            large.search(probes, 10, recall=wrong)
        with pytest.raises(InvalidArgument, match="recall is"):
            large.make_index(wrong)


@pytest.mark.parametrize(
    ("k", "metric", "where"),
    [
        (101, "cosine", Where()),
        (None, "cosine", Where()),
        (10, "euclidean", Where()),
        (10, "cosine", Where(people=("p1", "p2"))),
    ],
)
def test_what_was_not_measured_is_searched_exactly(large, probes, k, metric, where):
    answers = large.search(probes[:5], k, metric, where=where, recall=0.9)
    assert answers.recall == 1
    assert found(answers) == found(large.search(probes[:5], k, metric, where=where))


def test_faces_that_came_later_are_found(large, probes):
    numbers = large.add([Entry(None, [NewFace(v, "late")]) for v in probes[:20]])
    answers = large.search(probes[:20], 3, recall=0.9)
    assert answers.recall < 1
    assert [hits[0].face.id for hits in answers] == [number for (number,) in numbers]
    assert all(hits[0].distance == pytest.approx(0, abs=1e-12) for hits in answers)


def test_all_within_a_distance_are_complete(large, crowd, probes):
    few = large.search(probes, None, within=0.3, recall=0.9)
    assert few.recall < 1
    assert share(few, large.search(probes, None, within=0.3)) > 0.9
    # More than the index was measured for: then all of them, exactly.
    wide = float(np.sort(distance.distance(crowd, probes[0]))[300])
    many = large.search(probes[:1], None, within=wide, recall=0.9)
    assert found(many) == found(large.search(probes[:1], None, within=wide))
    assert len(many[0]) == 301


def test_those_who_do_not_count_are_not_found(large, crowd):
    named, nobodies = Where(named=True), crowd[::50]
    large.add([Entry(None, [NewFace(v) for v in nobodies])])
    answers = large.search(nobodies, 10, where=named, recall=0.9)
    assert answers.recall < 1
    assert all(hit.face.person for hits in answers for hit in hits)
    assert share(answers, large.search(nobodies, 10, where=named)) > 0.85
    large.add([Entry(None, [NewFace(v) for v in crowd[:800]])])  # more than a tenth in all
    assert large.search(nobodies, 10, where=named, recall=0.9).recall == 1


def test_many_queries_at_once_are_searched_exactly(plain, crowd, monkeypatch):
    monkeypatch.setattr(approximate_choice, "_gain", lambda *a: 7.0 if len(a[2]) < 10 else 0.9)
    plain.make_index(0.9)
    assert plain.search(crowd[:8], recall=0.9).recall < 1
    assert plain.search(crowd[:9], recall=0.9).recall == 1


def test_people_are_ranked_by_it(large, probes):
    quick, exact = (rank_people(large, probes[:10], 1, recall=r) for r in (0.9, None))
    assert {one.recall for one in exact} == {1.0}
    assert all(0.9 <= one.recall < 1 for one in quick)
    assert sum(a[0].person == b[0].person for a, b in zip(quick, exact, strict=True)) >= 9


def test_it_goes_with_the_first_face_that_is_forgotten(large, probes):
    with FolderGallery(large.folder) as other:
        assert other.search(probes, 10, recall=0.9).recall < 1
        report = large.forget("p7")
        assert (report.faces, report.left) == (5, 0)
        assert not (large.folder / approximate.NAME).exists()
        answers = other.search(probes, 10, recall=0.9)
        assert answers.recall == 1
        assert found(answers) == found(large.search(probes, 10))
    assert large.info()["index"] is None
    assert large.make_index(0.9)["faces"] == COUNT - 5  # compacted first
    assert large.search(probes, 10, recall=0.9).recall < 1


def test_the_proof_sees_an_index_that_was_not_deleted(large, monkeypatch):
    monkeypatch.setattr(approximate, "remove", lambda _: None)
    assert large.forget("p7").left == 1


class Killed(BaseException):
    pass


def test_a_killed_removal_is_finished_by_the_next_writer(large, probes, monkeypatch):

    def kill(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(FolderGallery, "_finish", kill)
        with pytest.raises(Killed):
            large.remove_photos(["3"])
    assert large.search(probes, 10, recall=0.9).recall == 1
    with FolderGallery(large.folder) as other:
        other.rename("p9", "Ann")
    assert not (large.folder / approximate.NAME).exists()


def test_what_a_kill_left_half_written_is_removed(plain, monkeypatch):
    def kill(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(approximate.os, "fsync", kill)
        with pytest.raises(Killed):
            plain.make_index(0.9)
    aside = plain.folder / approximate._ASIDE
    assert aside.exists()
    plain.add([Entry(None, [NewFace(np.ones(D))])])
    assert not aside.exists()


def test_a_removal_while_it_is_made_wins(plain, monkeypatch):
    chosen = approximate_choice.chosen

    def late(*arguments):
        made = chosen(*arguments)
        plain.remove_photos(["3"])
        return made

    monkeypatch.setattr(approximate_choice, "chosen", late)
    with pytest.raises(GalleryError, match="removed while its index was made"):
        plain.make_index(0.9)
    assert list(plain.folder.glob("approximate*")) == []


def test_compaction_makes_it_void(large, probes):
    index = (large.folder / approximate.NAME).read_bytes()
    large.remove_photos(["3"])
    large.compact()
    (large.folder / approximate.NAME).write_bytes(index)  # as if the deletion had failed
    assert large.search(probes, 10, recall=0.9).recall == 1


@pytest.mark.parametrize("spoil", [lambda b: b[:-9], lambda b: b[:-1] + b"x", lambda _: b"{}\n"])
def test_a_damaged_index_is_not_used(large, probes, spoil):
    file = large.folder / approximate.NAME
    file.write_bytes(spoil(file.read_bytes()))
    with FolderGallery(large.folder) as again:
        answers = again.search(probes, 10, recall=0.9)
        assert answers.recall == 1
        assert found(answers) == found(again.search(probes, 10))


def test_without_faiss_the_search_is_exact(large, probes, monkeypatch):
    monkeypatch.setattr(extras, "present", lambda _: False)
    with FolderGallery(large.folder) as other:
        assert other.search(probes, 10, recall=0.9).recall == 1
    with pytest.raises(MissingDependency, match=r"facekit\[faiss\]"):
        large.make_index()


def test_a_small_gallery_needs_none(filled):
    assert filled.make_index()["index"] is None
    assert list(filled.folder.glob("approximate*")) == []
    assert filled.remove_index() is False


def test_what_is_no_faster_is_not_kept(large, monkeypatch):
    monkeypatch.setattr(approximate_choice, "_gain", lambda *_: 1.9)
    report = large.make_index(0.9)
    assert report["index"] is None
    assert report["tried"][0]["gain"] == 1.9
    assert not (large.folder / approximate.NAME).exists()  # the older one does not stay either


def test_faiss_has_the_threads_that_it_had(large, probes):
    faiss.omp_set_num_threads(3)
    large.search(probes, 10, recall=0.9)
    large.search(probes[:1], 10, recall=0.9)
    assert faiss.omp_get_max_threads() == 3


def test_galleries_of_half_the_size_have_one_too(tmp_path, crowd, probes):
    with FolderGallery.create(tmp_path / "h", Origin("N", "f", "0" * 12, D), "int16") as half:
        half.add([Entry(None, [NewFace(v) for v in crowd])])
        assert half.make_index(0.9)["recall"] >= 0.9
        assert share(half.search(probes, 10, recall=0.9), half.search(probes, 10)) > 0.85
