"""Photos of known people, grouped without their names; sheets and folders of them."""

import shutil
from collections import Counter
from pathlib import Path

import pytest

import facekit
from facekit.errors import FaceKitError, InvalidArgument, UnknownName

PEOPLE = {"Hans_Blix": 5, "Serena_Williams": 6, "Junichiro_Koizumi": 4, "Jacques_Chirac": 5}
ALONE = ("Abdullah_al-Attiyah", "Zach_Pillarik", "Aaron_Tippin", "Brad_Smith")


@pytest.fixture(scope="module")
def photos(shared, tmp_path_factory):
    """Twenty photos of four people and of some who are there once, their names in the files."""
    root = shared / "lfw" / "images"
    if not root.is_dir():
        pytest.skip("needs the pictures of LFW")
    folder = tmp_path_factory.mktemp("photos") / "collection"
    (folder / "sub").mkdir(parents=True)
    for name, count in PEOPLE.items():
        for number, path in enumerate(sorted((root / name).glob("*.jpg"))[:count]):
            shutil.copy(path, folder / "sub" if number == 1 else folder)
    for name in ALONE:
        for path in sorted((root / name).glob("*.jpg"))[:1]:
            shutil.copy(path, folder)
    shutil.copy(sorted(folder.glob("Hans_Blix*"))[0], folder / "copy.jpg")
    return folder


def whose(face):
    return Path(face["identity"]).stem.rstrip("0123456789_")


@pytest.fixture(scope="module")
def result(photos):
    return facekit.cluster(photos, silent=True)


def test_people(result, photos):
    found = [Counter(map(whose, group["members"])) for group in result["groups"]]
    main = {}
    for counts in found:
        (name, count), *others = counts.most_common()
        assert sum(n for who, n in others if who != "copy") == 0
        main[name] = max(main.get(name, 0), count)
    assert set(PEOPLE) <= set(main)
    assert sum(main[name] for name in PEOPLE) >= sum(PEOPLE.values()) - 2
    assert result["counts"]["photos"] == len(list(photos.rglob("*.jpg")))
    sizes = [group["photos"] for group in result["groups"]]
    assert sizes == sorted(sizes, reverse=True)
    assert [group["id"] for group in result["groups"]] == list(range(1, len(sizes) + 1))
    blix = next(group for group in result["groups"] if "Hans_Blix" in map(whose, group["members"]))
    assert blix["photos"] == blix["faces"] - 1  # the copy is no other photo
    assert {one["person"] for group in result["groups"] for one in group["people"]} == {"sub"}
    assert result["threshold_source"]["far"] == 0.001
    faces = sum(group["faces"] for group in result["groups"]) + len(result["nobody"])
    assert faces == result["counts"]["faces"]


def test_the_callers_choices(photos, result):
    again = facekit.cluster(photos, silent=True)
    assert again == result
    assert len(facekit.cluster(photos, silent=True, k=1)["groups"]) == 1
    assert facekit.cluster(photos, silent=True, min_photos=50)["groups"] == []
    assert facekit.cluster(photos, silent=True, min_face_size=400)["groups"] == []
    tight = facekit.cluster(photos, silent=True, threshold=1e-4)
    assert tight["groups"] == []  # the copy of a photo makes nobody
    loose = facekit.cluster(photos, silent=True, threshold=1.9, min_photos=1)
    assert max(group["faces"] for group in loose["groups"]) > 10


def test_a_sheet(photos, result, tmp_path):
    page = tmp_path / "people.html"
    made = facekit.cluster(photos, silent=True, html=page)
    text = page.read_text("utf-8")
    assert made["sheet"] == str(page)
    poor = sum(face["poor"] for face in made["nobody"])
    assert text.count("<img") == made["counts"]["faces"] - poor
    for group in result["groups"]:
        assert f"<h2>{group['folder']}</h2>" in text
    assert text.index("person-001") < text.index("person-002") < text.index("Nobody")


def files(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*.jpg")}


def test_folders(photos, result, tmp_path):
    target = tmp_path / "people"
    before = files(photos)
    plan = facekit.cluster(photos, silent=True, apply=target, dry_run=True)
    assert not target.exists()
    made = facekit.cluster(photos, silent=True, apply=target)
    assert made["files"] == plan["files"]
    wanted = {
        f"{group['folder']}/{Path(face['identity']).name}"
        for group in result["groups"]
        for face in group["members"]
    }
    assert files(target) == wanted
    assert files(photos) == before
    again = facekit.cluster(photos, silent=True, apply=target)
    assert {step["action"] for step in again["files"]} == {"there"}
    # Named folders come into a gallery under their names.
    (target / "person-001").rename(target / "Somebody")
    links = facekit.cluster(photos, silent=True, apply=tmp_path / "links", link="sym")
    assert all(Path(step["target"]).is_symlink() for step in links["files"])


def test_moving_a_photo_of_two_people(photos, tmp_path):
    import cv2
    import numpy as np

    folder = tmp_path / "photos"
    shutil.copytree(photos, folder, ignore=shutil.ignore_patterns(".facekit"))
    one, other = (
        cv2.imread(str(p))
        for p in sorted(folder.glob("Serena*"))[:2][:1] + sorted(folder.glob("Jacques*"))[:1]
    )
    larger = cv2.resize(one, (375, 375))
    both = np.full((375, 625, 3), 127, np.uint8)
    both[:, :375], both[60:310, 375:] = larger, other
    cv2.imwrite(str(folder / "both.jpg"), both)
    count = len(files(folder))
    target = tmp_path / "people"
    made = facekit.cluster(folder, silent=True, apply=target, move=True)
    steps = [step for step in made["files"] if Path(step["source"]).name == "both.jpg"]
    assert sorted(step["action"] for step in steps) == ["hard", "move"]
    home = next(Path(step["target"]) for step in steps if step["action"] == "move")
    assert any(path.name.startswith("Serena") for path in home.parent.iterdir())
    link = next(Path(step["target"]) for step in steps if step["action"] == "hard")
    assert link.samefile(home)
    assert len(files(folder)) + len(files(target)) == count + 1
    nobody = {Path(face["identity"]).name for face in made["nobody"]}
    assert {Path(name).name for name in files(folder)} <= nobody


def test_a_killed_move_is_finished_before_anything_else(photos, tmp_path, monkeypatch):
    from facekit import placing

    folder, target = tmp_path / "photos", tmp_path / "people"
    shutil.copytree(photos, folder)
    total = len(files(folder))
    real, calls = placing._move, []

    def dying(source, aim):
        calls.append(source)
        if len(calls) == 5:
            raise KeyboardInterrupt
        real(source, aim)

    with monkeypatch.context() as patch:
        patch.setitem(placing._ACTIONS, placing.MOVE, dying)
        with pytest.raises(KeyboardInterrupt):
            facekit.cluster(folder, silent=True, apply=target, move=True)
    assert len(files(target)) == 4
    made = facekit.cluster(folder, silent=True, apply=target, move=True)
    assert list(made) == ["finished"]
    assert len(files(folder)) + len(files(target)) == total
    assert len(files(target)) == len(made["finished"])


def test_mistakes(photos, tmp_path):
    for options, kind, message in (
        ({"apply": photos / "people"}, InvalidArgument, "lie in each other"),
        ({"move": True}, InvalidArgument, "Name a folder with apply"),
        ({"dry_run": True}, InvalidArgument, "Name a folder with apply"),
        ({"apply": tmp_path / "x", "link": "soft"}, UnknownName, "no kind of link"),
        ({"apply": tmp_path / "x", "link": "sym", "move": True}, InvalidArgument, "link=hard"),
        ({"far": 0.2}, InvalidArgument, "Thresholds are fitted for"),
        ({"far": 0.01, "threshold": 0.1}, InvalidArgument, "Both threshold and far"),
        ({"min_photos": 0}, InvalidArgument, "min_photos"),
        ({"k": 1.5}, InvalidArgument, "k is 1.5"),
        ({"model_name": "Dlob"}, UnknownName, "Did you mean Dlib"),
        ({"html": tmp_path}, InvalidArgument, "is a folder"),
    ):
        with pytest.raises(kind, match=message):
            facekit.cluster(photos, silent=True, **options)
    with pytest.raises(FaceKitError, match="is not a folder"):
        facekit.cluster(tmp_path / "absent", silent=True)
