"""A folder's copies are found, remembered and put aside; nothing else is."""

import os
import shutil
import sqlite3
from pathlib import Path

import cv2
import numpy as np
import pytest

import facekit
from facekit.duplicates import search
from facekit.errors import FaceKitError, ImageError, InvalidArgument


def names(result):
    return [
        [Path(row["identity"]).name for row in (group["best"], *group["others"])]
        for group in result["groups"]
    ]


FOUND = ["grace.png", "grace-2.png", "turned.jpg", "poor.jpg", "cut.jpg", "small.jpg"]


def test_copies_of_all_kinds(folder):
    result = facekit.dedupe(folder, silent=True)
    (group,) = result["groups"]
    (found,) = names(result)
    assert sorted(found) == sorted(FOUND)
    assert found[:2] == FOUND[:2]  # most pixels, then most bytes, then the shorter name
    assert found[-1] == "small.jpg"
    sizes = [row["width"] * row["height"] for row in (group["best"], *group["others"])]
    assert sizes == sorted(sizes, reverse=True)
    assert {row["same_bytes"] for row in group["others"][:1]} == {True}
    assert not any(row["same_bytes"] for row in group["others"][1:])
    assert all(0.97 <= row["likeness"] <= 1.0001 for row in group["others"])
    assert group["bytes"] == sum(row["bytes"] for row in group["others"])
    ((broken, reason),) = [(Path(o["source"]).name, o["error"]) for o in result["unusable"]]
    assert broken == "broken.jpg"
    assert "not a picture" in reason
    assert result["counts"] == {"photos": 8, "groups": 1, "duplicates": 5, "bytes": group["bytes"]}


def test_a_second_run_reads_and_compares_nothing(folder, monkeypatch):
    for path in folder.rglob("*.*"):
        os.utime(path, (1e9, 1e9))
    first = facekit.dedupe(folder, silent=True)

    def never(*_):
        raise AssertionError

    with monkeypatch.context() as patch:
        patch.setattr(search, "signature", never)
        patch.setattr(search.compare, "likeness", never)
        assert facekit.dedupe(folder, silent=True) == first
    # A new copy, a changed photo and one that went are noticed.
    shutil.copy(folder / "eileen.jpg", folder / "z.jpg")
    shutil.copy(folder / "eileen.jpg", folder / "poor.jpg")
    os.utime(folder / "poor.jpg", (1.1e9, 1.1e9))
    (folder / "cut.jpg").unlink()
    result = facekit.dedupe(folder, silent=True)
    assert sorted(map(sorted, names(result))) == [
        ["eileen.jpg", "poor.jpg", "z.jpg"],
        sorted(set(FOUND) - {"cut.jpg", "poor.jpg"}),
    ]


def test_a_new_photo_is_compared_with_the_old_ones(folder, samples):
    facekit.dedupe(folder, silent=True)
    cv2.imwrite(str(folder / "eileen2.jpg"), cv2.resize(samples["eileen_collins"], (300, 300)))
    shutil.copy(folder / "eileen.jpg", folder / "eileen3.jpg")
    groups = {frozenset(group) for group in names(facekit.dedupe(folder, silent=True))}
    assert frozenset(FOUND) in groups
    assert any("eileen3.jpg" in group for group in groups)


def test_different_photos_are_different(others, tmp_path):
    for path in others:
        shutil.copy(path, tmp_path)
    assert facekit.dedupe(tmp_path, similar=True, silent=True)["groups"] == []


def test_flat_pictures_have_nothing_in_common(tmp_path):
    for grey in (0, 1, 128, 255):
        picture = np.full((80, 100, 3), grey, np.uint8)
        picture[40:] ^= 1  # not quite flat, and in the same way
        cv2.imwrite(str(tmp_path / f"{grey}.png"), picture)
    shutil.copy(tmp_path / "128.png", tmp_path / "129.png")
    assert names(facekit.dedupe(tmp_path, silent=True)) == [["128.png", "129.png"]]


def test_a_grey_copy_is_similar(tmp_path, samples):
    picture = samples["eileen_collins"]
    cv2.imwrite(str(tmp_path / "a.png"), picture)
    cv2.imwrite(str(tmp_path / "b.png"), cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY))
    assert names(facekit.dedupe(tmp_path, silent=True)) == []
    assert names(facekit.dedupe(tmp_path, similar=True, silent=True)) == [["a.png", "b.png"]]


def test_lesser_photos_are_moved_and_nothing_is_lost(folder, tmp_path):
    before = {path.read_bytes() for path in folder.rglob("*.*") if ".facekit" not in path.parts}
    target = tmp_path / "lesser"
    plan = facekit.dedupe(folder, move=target, dry_run=True, silent=True)["files"]
    assert {step["action"] for step in plan} == {"move"}
    assert not target.exists()
    result = facekit.dedupe(folder, move=target, silent=True)
    assert result["files"] == plan
    moved = {str(path.relative_to(target)) for path in target.rglob("*.*") if path.is_file()}
    assert moved == {
        "grace-2.png",
        "turned.jpg",
        "poor.jpg",
        "cut.jpg",
        str(Path("old", "small.jpg")),
    }
    left = {path.name for path in folder.iterdir() if path.is_file()}
    assert left == {"grace.png", "eileen.jpg", "broken.jpg", "film.mp4"}
    photos = [*folder.rglob("*.*"), *target.rglob("*.*")]
    assert before <= {path.read_bytes() for path in photos if path.is_file()}
    assert facekit.dedupe(folder, move=target, silent=True)["files"] == []


def test_groups_to_look_at(folder, tmp_path):
    target, page = tmp_path / "look", tmp_path / "sheet.html"
    result = facekit.dedupe(folder, apply=target, link="hard", html=page, silent=True)
    assert sorted(path.name for path in (target / "group-001").iterdir()) == sorted(FOUND)
    assert (target / "group-001" / "cut.jpg").samefile(folder / "cut.jpg")
    text = page.read_text("utf-8")
    assert text.count("<img") == 6
    assert "same bytes" in text
    assert result["sheet"] == str(page)


def test_a_folder_that_cannot_be_written(folder):
    (folder / ".facekit").write_text("in the way")
    assert names(facekit.dedupe(folder, silent=True))
    (folder / ".facekit").unlink()
    (folder / ".facekit").mkdir()
    (folder / ".facekit" / "duplicates.sqlite").write_bytes(b"damaged " * 200)
    with pytest.raises(InvalidArgument, match="Remove it"):
        facekit.dedupe(folder, silent=True)


def test_the_memory_of_another_version_is_made_anew(folder):
    first = facekit.dedupe(folder, silent=True)
    db = sqlite3.connect(folder / ".facekit" / "duplicates.sqlite")
    db.execute("DELETE FROM alike")
    db.execute("PRAGMA user_version=99")
    db.commit()
    db.close()
    assert facekit.dedupe(folder, silent=True) == first


def test_mistakes(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError, match="no file"):
        facekit.dedupe(tmp_path / "empty")
    for options, message in (
        ({"apply": tmp_path / "x", "move": tmp_path / "y"}, "Leave one of them out"),
        ({"move": folder / "x"}, "lie in each other"),
        ({"link": "hard"}, "belongs to apply"),
        ({"apply": tmp_path / "x", "link": "soft"}, "no kind of link"),
        ({"dry_run": True}, "nothing to plan"),
        ({"similar": "yes"}, "True or False"),
        ({"html": tmp_path}, "is a folder"),
    ):
        with pytest.raises(FaceKitError, match=message):
            facekit.dedupe(folder, **options)
    with pytest.raises(InvalidArgument, match="is not a folder"):
        facekit.dedupe(tmp_path / "absent")
