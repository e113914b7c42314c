"""The shell's find and gallery, from photos to a person who is forgotten."""

import json
import shutil

import cv2
import pytest


@pytest.fixture(scope="module")
def photos(sample_paths, tmp_path_factory):
    root = tmp_path_factory.mktemp("photos")
    for name, person in (("grace_hopper", "Grace"), ("eileen_collins", "Eileen")):
        (root / person).mkdir()
        shutil.copy(sample_paths[name], root / person / "1.jpg")
    return root


def test_find(run, photos):
    who = photos / "Grace" / "1.jpg"
    code, out, _ = run("find", "-img_path", who, "-db_path", photos)
    assert code == 0
    ((row,),) = json.loads(out)
    assert (row["identity"], row["person"]) == (str(who), "Grace")
    assert row["distance"] == pytest.approx(0, abs=1e-9)
    assert row["confidence"] > 99
    code, out, _ = run("find", who, photos, "--similarity_search", "--k", 2, "--pretty")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["person", "Grace", "Eileen"]
    _, out, _ = run("find", photos, photos, "--pretty")
    assert out.count("person  distance") == 2
    _, out, _ = run("find", who, photos, "--threshold", 0, "--distance_metric", "euclidean")
    assert len(json.loads(out)[0]) == 1
    code, _, err = run("find", who, photos / "absent")
    assert code == 2
    assert err.count("\n") == 1
    assert "is not a folder" in err


def test_a_gallery_from_photos_to_a_person_who_is_forgotten(run, photos, tmp_path):
    place = ["--gallery", tmp_path / "people"]
    who = photos / "Grace" / "1.jpg"
    code, out, _ = run("gallery", "add", photos, *place)
    assert code == 0
    assert [(len(row["faces"]), row["also"]) for row in json.loads(out)] == [(1, []), (1, [])]
    code, out, _ = run("gallery", "search", who, *place)
    (face,) = json.loads(out)[0]["faces"]
    assert (code, face["person"]) == (0, "Grace")
    assert face["threshold_source"]["calibrated"]
    assert [one["person"] for one in face["candidates"]] == ["Grace", "Eileen"]
    assert [one["confidence"] > 50 for one in face["candidates"]] == [True, False]
    _, out, _ = run("gallery", "search", who, *place, "--people", "Eileen", "--pretty")
    assert "nobody of this gallery" in out
    _, out, _ = run("gallery", "search", who, *place, "--rule", "mean", "--threshold", 1)
    assert json.loads(out)[0]["faces"][0]["candidates"][0]["confidence"] is None

    # The same face under another name is reported.
    copy = tmp_path / "copy.jpg"
    shutil.copy(who, copy)
    more = ["--name", "Amazing", "--tags", "navy, staff", "--date", "1984-01-20"]
    _, out, _ = run("gallery", "add", copy, *place, *more, "--pretty")
    assert "1 face stored; resembles Grace (distance 0.0000); already there as" in out
    for choice, count in ((("--tags", "navy"), 1), (("--since", "1990-01-01"), 0)):
        _, out, _ = run("gallery", "search", who, *place, *choice)
        assert len(json.loads(out)[0]["faces"][0]["candidates"]) == count

    assert run("gallery", "rename", "Amazing", "Hopper", *place)[:2] == (0, '{"faces": 1}\n')
    code, _, err = run("gallery", "rename", "Hoper", "x", *place)
    assert code == 2
    assert "Did you mean Hopper?" in err
    assert run("gallery", "merge", "Grace", "--into", "Hopper", *place)[1] == '{"faces": 1}\n'
    _, out, _ = run("gallery", "list", *place)
    assert json.loads(out) == [
        {"name": "Eileen", "faces": 1, "photos": 1, "last": None},
        {"name": "Hopper", "faces": 2, "photos": 2, "last": "1984-01-20"},
    ]
    file = tmp_path / "faces.jsonl"
    assert run("gallery", "export", file, *place)[1] == '{"faces": 3}\n'
    code, out, _ = run("gallery", "forget", "Hopper", *place)
    report = json.loads(out)
    assert (code, report["faces"], report["left"]) == (0, 2, 0)
    _, out, _ = run("gallery", "list", *place, "--pretty")
    assert out.splitlines()[1:] == ["Eileen      1       1           -"]
    again = ["--gallery", tmp_path / "again"]
    assert run("gallery", "import", file, *again)[:2] == (0, '{"faces": 3}\n')
    _, out, _ = run("gallery", "info", *again)
    assert json.loads(out)["people"] == 2


def test_a_search_says_how_it_searched(run, photos, tmp_path):
    pytest.importorskip("faiss", reason="the extra faiss is not installed")
    place = ["--gallery", tmp_path / "g"]
    who = photos / "Grace" / "1.jpg"
    run("gallery", "add", photos, *place)
    code, out, _ = run("gallery", "index", *place)
    assert (code, json.loads(out)["index"]) == (0, None)
    assert "No index: on 2 faces" in run("gallery", "index", *place, "--pretty")[1]
    assert json.loads(run("gallery", "index", *place, "--remove")[1]) == {"removed": False}
    _, out, _ = run("gallery", "search", who, *place, "--recall", 0.9)
    assert json.loads(out)[0]["faces"][0]["recall"] == 1
    _, out, _ = run("gallery", "search", who, *place, "--recall", 0.9, "--pretty")
    assert "searched exactly" in out
    _, out, _ = run("find", who, photos, "--recall", 0.9)
    assert json.loads(out)[0][0]["recall"] == 1
    for words in (("gallery", "index"), ("gallery", "search", who)):
        code, _, err = run(*words, *place, "--recall", 99)
        assert code == 2
        assert "recall is 99. It must lie between 0 and 1" in err


def test_mistakes_are_one_line(run, photos, tmp_path):
    for words, message in (
        (("add", photos), "No gallery was named"),
        (("add", "--gallery", tmp_path / "g"), "No picture was named"),
        (("search", "--gallery", tmp_path / "g"), "No picture was named"),
        (("list", "--gallery", tmp_path), "is not a gallery"),
        (("merge", "--gallery", tmp_path), "is not a gallery"),
        (("search", photos, "--gallery", tmp_path, "--since", "May"), "Write it like"),
    ):
        code, _, err = run("gallery", *words)
        assert code == 2
        assert err.count("\n") == 1
        assert message in err
    assert list(tmp_path.iterdir()) == []


def test_another_model_does_not_mix_in(run, photos, tmp_path):
    place = ["--gallery", tmp_path / "g"]
    run("gallery", "add", photos / "Grace", *place, "--detector_backend", "skip")
    assert json.loads(run("gallery", "info", *place)[1])["detector_backend"] == "skip"
    # What a gallery was made with is used again by itself.
    assert run("gallery", "add", photos / "Eileen", *place)[0] == 0
    code, _, err = run("gallery", "add", photos, *place, "--detector_backend", "mtcnn")
    assert code == 2
    assert "holds vectors of ConvNeXt with skip" in err


def test_photos_that_fail_are_named_and_the_rest_goes_on(run, photos, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"nothing")
    place = ["--gallery", tmp_path / "g"]
    code, out, _ = run("gallery", "add", broken, photos / "Grace" / "1.jpg", *place, "--name", "G")
    assert code == 2
    assert ["error" in row for row in json.loads(out)] == [True, False]
    code, out, _ = run("gallery", "search", broken, photos / "Grace" / "1.jpg", *place)
    assert code == 0
    assert ["error" in row for row in json.loads(out)] == [True, False]


def test_what_should_not_be_there_is_shown_and_taken_out(run, photos, tmp_path, monkeypatch):
    place = ["--gallery", tmp_path / "g"]
    wrong, who = photos / "Eileen" / "1.jpg", photos / "Grace" / "1.jpg"
    _, out, _ = run("gallery", "add", who, wrong, *place, "--name", "Grace", "--pretty")
    assert out.count("unlike Grace's other photos") == 2
    assert out.splitlines()[-1] == "2 photos: 2 faces stored, 2 unlike the rest."
    _, out, _ = run("gallery", "show", "Grace", *place)
    first, second = json.loads(out)
    assert (first["photo"], second["photo"]) == (who.as_posix(), wrong.as_posix())
    assert first["score"] > 0.9
    assert first["eyes"] > 50
    _, out, _ = run("gallery", "show", "Grace", *place, "--pretty")
    assert out.splitlines()[0].split() == ["face", "photo", "date", "tags", "eyes", "score"]
    monkeypatch.chdir(photos)
    assert run("gallery", "remove", "--photo", "Eileen/1.jpg", *place)[:2] == (0, '{"faces": 1}\n')
    assert run("gallery", "remove", "--face", first["face"], *place)[1] == '{"faces": 1}\n'
    assert run("gallery", "list", *place)[1] == "[]\n"
    assert wrong.exists()
    for words, message in (
        (("show", "Grace"), "There is no person named 'Grace'"),
        (("remove",), "What to remove is not clear"),
        (("remove", "--photo", "a.jpg", "--face", 1), "What to remove is not clear"),
        (("remove", "--photo", "Eileen/1.jpg"), "has no photo Eileen/1.jpg"),
        (("remove", "--face", 1), "has no face 1"),
        (("remove", "--face", 1.5), "has no face 1.5"),
    ):
        code, _, err = run("gallery", *words, *place)
        assert (code, err.count("\n")) == (2, 1)
        assert message in err


def test_poor_photos(run, sample_paths, tmp_path):
    place = ["--gallery", tmp_path / "g"]
    picture = cv2.imread(str(sample_paths["grace_hopper"]))
    poor = tmp_path / "poor.png"
    cv2.imwrite(str(poor), cv2.GaussianBlur(picture, (0, 0), 5))
    code, out, _ = run("gallery", "add", poor, *place, "--pretty", "--nothumbnails")
    assert code == 0
    assert "1 face stored; poor: blurred" in out
    assert json.loads(run("gallery", "info", *place)[1])["thumbnails"] == 0
    code, out, _ = run("gallery", "add", poor, *place, "--pretty", "--quality", "refuse")
    assert code == 2
    assert out.startswith(f"{poor}: not stored: blurred")
    code, _, err = run("gallery", "add", poor, *place, "--quality", "of")
    assert code == 2
    assert "Did you mean off?" in err
