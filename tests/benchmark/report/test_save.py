"""The files of a report: complete, strict, the same figures in each."""

from __future__ import annotations

import io
import json
import math

import pandas as pd
import pytest

from facekit import extras
from facekit.benchmark import published
from facekit.errors import MissingDependency


def strict(text):
    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


def test_every_file_is_written(result, tmp_path):
    written = result.save(tmp_path / "new" / "report")
    names = {str(path.relative_to(tmp_path / "new" / "report")) for path in written}
    plots = {f"plots/{kind}.png" for kind in ("roc", "scores", "speed", "matrix", "groups")}
    assert names == {"report.html", "report.md", "report.json", "table.csv", *plots}
    assert all(path.stat().st_size > 0 for path in written)
    assert result.save(tmp_path / "new" / "report") == written  # a second time, over the first


def test_json_holds_everything_but_the_distances(result, tmp_path):
    result.save(tmp_path)
    text = (tmp_path / "report.json").read_text("utf-8")
    data = strict(text)
    assert data["about"] == result.about
    assert data["protocol"] == {
        "name": "LFW, a part",
        "note": "Made up.",
        "pictures": 12,
        "pairs": 40,
        "pairs_of_one_person": 20,
        "pairs_of_strangers": 20,
        "folds": 4,
        "people": None,
        "groups": {"A": 6, "B": 6},
    }
    assert data["failures"]["near"][0]["reason"] == "no face was found."
    assert data["skipped"] == result.skipped
    assert data["published"]["rows"] == published.rows()
    for row, outcome in zip(data["rows"], result.outcomes, strict=True):
        assert {key: row[key] for key in outcome.figures} == outcome.figures
        assert row["groups"].keys() == {"A", "B"}
        assert len(row["roc"]["far"]) == len(row["roc"]["tar"]) <= 200
        assert row["roc"]["tar"][-1] == 1
    assert str(result.outcomes[0].distances[3])[:12] not in text


def test_the_csv_is_the_table(result, tmp_path):
    result.save(tmp_path)
    read = pd.read_csv(io.StringIO((tmp_path / "table.csv").read_text("utf-8")))
    pd.testing.assert_frame_equal(read, result.table(), check_dtype=False)


@pytest.mark.parametrize("package", ["jinja2", "matplotlib"])
def test_without_its_packages_nothing_is_half_written(result, package, tmp_path, monkeypatch):
    there = extras.present
    monkeypatch.setattr(extras, "present", lambda name: name != package and there(name))
    with pytest.raises(MissingDependency, match=r"facekit\[benchmark\]"):
        result.save(tmp_path / "report")
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize("which", ["bare", "empty"])
def test_what_is_unknown_stands_in_no_ones_way(which, tmp_path, request):
    given = request.getfixturevalue(which)
    given.save(tmp_path)
    data = strict((tmp_path / "report.json").read_text("utf-8"))
    assert data["published"] is None  # these are not LFW's pairs
    for name in ("report.html", "report.md"):
        text = (tmp_path / name).read_text("utf-8").replace("None: every", "")
        assert "None" not in text
        assert "nan" not in text.lower().split()
    if which == "bare":
        assert math.isnan(given.outcomes[0].figures["auc"])
        assert data["rows"][0]["auc"] is None
    else:
        assert "Nothing could be measured" in (tmp_path / "report.md").read_text("utf-8")
