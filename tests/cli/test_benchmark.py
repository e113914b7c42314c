"""The shell's measuring commands, as they are typed."""

import csv
import json

import pytest

from facekit import cli
from facekit.cli import benchmark
from facekit.errors import InvalidArgument


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """Calibrations that a test saves, nobody else uses; networks are converted once for all."""
    home = tmp_path_factory.getbasetemp() / "cli-benchmark"
    (home / "thresholds.json").unlink(missing_ok=True)
    monkeypatch.setenv("FACEKIT_HOME", str(home))


@pytest.fixture
def folder(shared, tmp_path):
    """Four pictures each of three people of AT&T."""
    for person in ("s1", "s2", "s3"):
        (tmp_path / "people" / person).mkdir(parents=True)
        for i in range(1, 5):
            data = (shared / "att" / person / f"{i}.pgm").read_bytes()
            (tmp_path / "people" / person / f"{i}.pgm").write_bytes(data)
    return tmp_path / "people"


@pytest.fixture
def table(folder, tmp_path):
    """The same as a CSV of pairs."""
    files = sorted(folder.glob("*/*.pgm"))
    path = tmp_path / "pairs.csv"
    with path.open("w", newline="") as lines:
        rows = csv.writer(lines)
        rows.writerow(["img1", "img2", "same"])
        for i, one in enumerate(files):
            for two in files[i + 1 :]:
                same = int(one.parent == two.parent)
                rows.writerow([one.relative_to(tmp_path), two.relative_to(tmp_path), same])
    return path


def run(capsys, *words):
    code = cli.main([*map(str, words)])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_people(folder, capsys):
    code, out, _ = run(
        capsys, "benchmark", "people", "--data", folder, "--metrics", "cosine", "--flip", "both"
    )
    assert code == 0
    value = json.loads(out)
    assert value["protocol"]["pairs"] == 66
    assert [row["metric"] for row in value["rows"]] == ["cosine"] * 2
    assert {row["flip"] for row in value["rows"]} == {True, False}
    assert value["rows"][0]["accuracy"] > 0.9
    command = value["about"]["command"]
    assert command.startswith("facekit benchmark people --data DIR")
    assert "--flip both" in command
    assert str(folder) not in command
    assert value["files"] == []


def test_a_table_for_people_and_a_report(folder, tmp_path, capsys):
    out_folder = tmp_path / "report"
    code, out, _ = run(
        capsys, "benchmark", "people", folder, "--metrics=cosine", "--pretty", "--out", out_folder
    )
    assert code == 0
    assert "66 pairs of 12 pictures" in out
    assert f"Report: {out_folder / 'report.html'}" in " ".join(out.split())
    names = {path.name for path in out_folder.iterdir()}
    assert {"report.html", "report.md", "report.json", "table.csv", "plots"} <= names


def test_pairs(table, capsys):
    code, out, _ = run(capsys, "benchmark", "pairs", table, "--metrics", "cosine")
    assert code == 0
    assert json.loads(out)["rows"][0]["pairs"] == 66


def test_calibrate_and_verify(folder, table, capsys):
    code, out, _ = run(
        capsys, "calibrate", "--people", folder, "--far", "0.1", "--metrics", "cosine", "--pretty"
    )
    assert code == 0
    assert "Not saved" in out
    code, out, _ = run(
        capsys, "calibrate", "--pairs", table, "--far", "0.1", "--metrics", "cosine", "--save"
    )
    assert code == 0
    made = json.loads(out)
    (entry,) = made["entries"]
    assert made["saved"].endswith("thresholds.json")
    one, two = folder / "s1" / "1.pgm", folder / "s1" / "2.pgm"
    code, out, _ = run(capsys, "verify", one, two, "--far", "0.1")
    assert code == 0
    verdict = json.loads(out)
    assert verdict["threshold"] == entry["far"]["0.1"]["threshold"]
    assert verdict["threshold_source"]["user"] is True
    # A rate that these pairs cannot state: the shipped threshold serves, and says so.
    code, out, _ = run(capsys, "verify", one, two)
    assert code == 0
    assert "shipped" in json.loads(out)["threshold_source"]["note"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("benchmark", "lfw", "--data", "nowhere"), "nowhere"),
        (("benchmark", "lfw"), "needs DATA"),
        (("benchmark", "people", "PEOPLE", "--align", "maybe"), "--align is 'maybe'"),
        (("benchmark", "people", "PEOPLE", "--models", "Dlibb"), "Dlib"),
        (("benchmark", "people", "PEOPLE", "--counting", "mine"), "conv-facenet"),
        (("benchmark", "people", "PEOPLE", "--cache", "PEOPLE"), "--cache"),
        (("benchmark", "people", "PEOPLE", "--out", "PEOPLE/s1/1.pgm"), "No report can be written"),
        (("benchmark", "pairs", "nowhere.csv"), "nowhere.csv"),
        (("benchmark", "bin", "nowhere.bin"), "nowhere.bin"),
        (("benchmark", "celeba", "nowhere"), "nowhere"),
        (("benchmark", "download", "lfww"), "lfw"),
        (("benchmark", "lfv", "x"), "Did you mean lfw?"),
        (("calibrate",), "needs --pairs or --people"),
        (("calibrate", "--people", "a", "--pairs", "b"), "needs --pairs or --people"),
        (("calibrate", "--people", "PEOPLE", "--far", "small"), "--far is 'small'"),
    ],
)
def test_mistakes_get_one_line(words, message, folder, capsys):
    named = [word.replace("PEOPLE", str(folder)) for word in words]
    code, out, err = run(capsys, *named)
    assert code == 2
    assert out == ""
    assert message in err
    assert len(err.strip().splitlines()) == 1


def test_a_report_that_cannot_be_written_is_known_before_the_work(folder, tmp_path, monkeypatch):
    from facekit import extras
    from facekit.benchmark import matrix

    def absent(module, user):
        raise InvalidArgument(f"{user} needs {module}")

    monkeypatch.setattr(extras, "load", absent)
    monkeypatch.setattr(matrix, "run", lambda *_, **__: pytest.fail("no work before the check"))
    job = benchmark.people(str(folder), out=str(tmp_path / "report"))
    with pytest.raises(InvalidArgument, match="matplotlib"):
        job.make()
