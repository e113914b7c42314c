"""The shell's cluster and dedupe."""

import json
import shutil

import pytest


@pytest.fixture
def photos(sample_paths, samples, tmp_path):
    import cv2

    root = tmp_path / "photos"
    root.mkdir()
    grace = samples["grace_hopper"]
    shutil.copy(sample_paths["grace_hopper"], root / "grace.jpg")
    shutil.copy(sample_paths["eileen_collins"], root / "eileen.jpg")
    cv2.imwrite(str(root / "small.jpg"), cv2.resize(grace, None, fx=0.5, fy=0.5))
    return root


def test_cluster(run, photos, tmp_path):
    code, out, _ = run("cluster", photos)
    assert code == 0
    (group,) = json.loads(out)["groups"]
    assert (group["folder"], group["photos"]) == ("person-001", 2)
    _, out, _ = run("cluster", photos, "--pretty", "--html", tmp_path / "s.html", "--min_photos", 1)
    assert "person-002" in out
    assert "2 people on 3 photos; 0 faces of nobody; 0 photos without a face" in out
    assert f"Contact sheet: {tmp_path / 's.html'}" in out
    target = tmp_path / "people"
    _, out, _ = run("cluster", photos, "--apply", target, "--dry_run", "--pretty")
    assert "Nothing was done: this is the plan." in out
    _, out, _ = run("cluster", photos, "--apply", target, "--link", "hard", "--pretty")
    assert "Photos: 2 linked." in out
    _, out, _ = run("cluster", photos, "--apply", target, "--pretty")
    assert "Photos: 2 there already." in out
    # Folders that somebody named are people of a gallery.
    (target / "person-001").rename(target / "Grace")
    place = ["--gallery", tmp_path / "g"]
    assert run("gallery", "add", target, *place)[0] == 0
    assert json.loads(run("gallery", "list", *place)[1]) == [
        {"name": "Grace", "faces": 2, "photos": 2, "last": None}
    ]


def test_dedupe(run, photos, tmp_path):
    code, out, _ = run("dedupe", photos)
    assert code == 0
    assert [len(group["others"]) for group in json.loads(out)["groups"]] == [1]
    _, out, _ = run("dedupe", photos, "--pretty", "--html", tmp_path / "s.html")
    assert "1 lesser copy of 1 photo among 3 photos" in out
    assert out.splitlines()[1].split()[0] == "best"
    target = tmp_path / "lesser"
    _, out, _ = run("dedupe", photos, "--move", target, "--dry_run", "--pretty")
    assert "Nothing was done: this is the plan." in out
    _, out, _ = run("dedupe", photos, "--move", target, "--pretty")
    assert "Photos: 1 moved." in out
    assert (target / "small.jpg").exists()
    assert "0 lesser copies" in run("dedupe", photos, "--pretty")[1]


def test_mistakes_are_one_line(run, photos, tmp_path):
    for words, message in (
        (("cluster",), "needs DB_PATH"),
        (("cluster", tmp_path / "absent"), "is not a folder"),
        (("cluster", photos, "--far", 0.5), "Thresholds are fitted for"),
        (("cluster", photos, "--linke", "hard"), "Did you mean --link?"),
        (("cluster", photos, "--html"), "--html needs a value"),
        (("dedupe", tmp_path / "absent"), "is not a folder"),
        (("dedupe", photos, "--link", "hard"), "belongs to apply"),
    ):
        code, out, err = run(*words)
        assert (code, out) == (2, "")
        assert err.count("\n") == 1
        assert message in err
    for name in ("cluster", "dedupe"):
        assert run(name, "--help")[0] == 0
