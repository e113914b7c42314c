"""Results as text for people."""

import sys

import pytest

from facekit.cli.text import layout, measures, models, pictures

RESULT = {
    "verified": False,
    "distance": 0.51234,
    "threshold": 0.4,
    "confidence": 12.345,
    "model": "Dlib",
    "detector_backend": "mtcnn",
    "similarity_metric": "cosine",
    "threshold_source": {"calibrated": True, "far": 0.001, "data": "some pairs"},
    "warnings": [],
}


@pytest.fixture(autouse=True)
def width(monkeypatch):
    def set_columns(columns):
        monkeypatch.setenv("COLUMNS", str(columns))

    set_columns(100)
    return set_columns


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)


def test_a_verdict():
    assert pictures.verdict(RESULT).splitlines() == [
        "Different people: cosine distance 0.5123, threshold 0.4000.",
        "Probability that they are one person: 12.3 %.",
        "Model Dlib, detector mtcnn.",
        "Threshold: 1 of 1,000 pairs of strangers is taken for one person (some pairs).",
    ]
    assert pictures.verdict(RESULT | {"verified": True}).startswith("Same person: ")


def test_a_verdict_without_confidence_says_nothing_of_it():
    assert "Probability" not in pictures.verdict(RESULT | {"confidence": None})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "below 0.1 %"),
        (1e-300, "below 0.1 %"),
        (0.1, "0.1 %"),
        (50, "50.0 %"),
        (99.9, "99.9 %"),
        (99.95, "above 99.9 %"),
        (100, "above 99.9 %"),
    ],
)
def test_no_probability_is_certain(value, text):
    assert f"one person: {text}." in pictures.verdict(RESULT | {"confidence": value})


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ({"given": True}, "Threshold as given."),
        (
            {"calibrated": False, "far": None, "note": "not calibrated: the authors'"},
            "Threshold not calibrated: the authors'.",
        ),
        (
            {"calibrated": True, "far": 0.0001, "data": "x"},
            "Threshold: 1 of 10,000 pairs of strangers is taken for one person (x).",
        ),
    ],
)
def test_where_the_threshold_comes_from(source, text):
    lines = pictures.verdict(RESULT | {"threshold_source": source}).splitlines()
    assert lines[-1] == text


def test_warnings_come_last_and_lines_fit_the_terminal(width):
    width(60)
    text = pictures.verdict(RESULT | {"warnings": ["img1: " + "word " * 30]})
    assert max(map(len, text.splitlines())) <= 60
    assert text.split("Note: ")[1].split() == ["img1:", *["word"] * 30]


def face(score="face_confidence", **more):
    return {"facial_area": {"x": 1, "y": 2, "w": 30, "h": 40}, score: 0.98765, **more}


def test_vectors_are_shortened():
    line = "face 30x40 at 1,2 (score 0.988): [1.0000, 2.0000, 3.0000, 4.0000, ...] 6 numbers"
    vector = face(embedding=[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    assert pictures.embeddings([vector, vector]) == f"{line}\n{line}"
    item = {"source": "a.jpg", "faces": [vector]}
    assert pictures.embeddings(item) == f"a.jpg\n  {line}"
    assert pictures.embeddings({"source": "a.jpg", "error": "a.jpg: gone."}) == "a.jpg: gone."


def test_places_name_the_file_if_there_is_one():
    line = "face 30x40 at 1,2 (score 0.988)"
    assert pictures.places([face("confidence")]) == line
    assert pictures.places([face("confidence", file="out/a-1.png")]) == f"{line} -> out/a-1.png"


def test_a_table_has_columns():
    text = layout.table([("a", 1, "x"), ("long", None, None)], ("name", "number", "text"))
    assert text.splitlines() == [
        "name  number  text",
        "a          1  x",
        "long       -  -",
    ]


@pytest.mark.usefixtures("terminal")
def test_a_terminal_cuts_the_last_column(width):
    rows = [("a" * 10, "b" * 30), ("a", "b")]
    width(30)
    assert layout.table(rows, ("one", "two")).splitlines() == [
        "one         two",
        "aaaaaaaaaa  " + "b" * 15 + "...",
        "a           b",
    ]
    width(5)
    assert "two" in layout.table(rows, ("one", "two"))


def test_a_file_gets_the_table_whole(width):
    width(30)
    assert "b" * 60 in layout.table([("a", "b" * 60)], ("one", "two"))


def test_tables_of_this_package_fit_80_columns(width, monkeypatch):
    from facekit import catalog, store

    width(80)
    assert max(map(len, models.models(catalog.rows()).splitlines())) <= 80
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    text = models.weights(store.list_weights())
    assert max(map(len, text.splitlines())) <= 80
    assert len(text.splitlines()) == len(store.list_weights()) + 1


def test_models_marks_the_default_and_words_the_states():
    row = {
        "name": "Net",
        "task": "recognizer",
        "state": ["in an installed package", "downloadable"],
        "size": 99_999,
        "size_known": False,
        "dimension": 128,
        "landmarks": None,
        "published_lfw": 99.3,
        "commercial": None,
        "default": True,
    }
    (line,) = models.models([row]).splitlines()[1:]
    assert [cell.strip() for cell in line.split("  ") if cell] == [
        *("Net *", "in a package, downloadable", "~100 kB", "128", "99.3", "not stated"),
    ]


def test_a_missing_package_is_what_to_get_first():
    assert models._state(["downloadable", "needs the package mediapipe"]) == "needs mediapipe"


@pytest.mark.parametrize(
    ("size", "text"), [(None, "-"), (0, "-"), (28_000, "28 kB"), (22_466_066, "22.5 MB")]
)
def test_sizes(size, text):
    assert layout.size(size) == text


def test_actions_are_one_line_a_file():
    assert models.actions([]) == "Nothing to do."
    rows = [
        {"key": "a", "status": "downloaded", "path": "p", "error": None},
        {"key": "b", "status": "failed", "path": None, "error": "no network."},
        {"key": "c", "ok": True, "path": "q", "error": None},
        {"key": "d", "path": "r", "bytes": 1_500_000, "error": None},
    ]
    assert models.actions(rows).splitlines() == [
        "a: downloaded (p)",
        "b: no network.",
        "c: intact (q)",
        "r: removed, 1.5 MB",
    ]


def test_small_things():
    assert models.path({"path": "x"}) == "x"
    assert models.versions({"a": "1", "b": "2"}) == "a 1\nb 2"


def test_a_verdict_by_the_users_own_threshold():
    source = {
        "calibrated": True,
        "user": True,
        "far": 0.01,
        "data": "my pairs",
        "date": "2026-11-25",
        "threshold_interval": [0.35, 0.4567],
        "note": "is a note",
    }
    lines = pictures.verdict(RESULT | {"threshold_source": source}).splitlines()
    assert lines[-4:] == [
        "Threshold: 1 of 100 pairs of strangers is taken for one person (your calibration of "
        "2026-11-25, my",
        "  pairs).",
        "With other people it would lie between 0.3500 and 0.4567 (95 %).",
        "Threshold is a note.",
    ]
    lines = pictures.verdict(RESULT | {"threshold_source": source | {"threshold_interval": None}})
    assert "would lie" not in lines


CALIBRATION = {
    "entries": [
        {"model": "Net", "detector": "mtcnn", "flip": False, "data": "mine: 9 and 300 pairs"}
    ],
    "table": [
        {
            "metric": "cosine",
            "far": 0.01,
            "threshold": 0.12345,
            "threshold_low": 0.1,
            "threshold_high": 0.15,
            "tar": 0.955,
            "checked_far": None,
            "checked_tar": None,
        }
    ],
    "notes": ["At 300 pairs of strangers FAR 0.001 cannot be stated; the smallest is 0.01."],
}


def test_a_calibration():
    assert measures.calibration(CALIBRATION).splitlines() == [
        "Net with mtcnn.",
        "mine: 9 and 300 pairs.",
        "",
        "metric  FAR   threshold  95 %              TAR",
        "cosine  0.01  0.1235     0.1000 to 0.1500  95.5 %",
        "",
        "FAR and TAR: parts of the pairs of strangers, and of one person, that are accepted. "
        "95 %: where the",
        "  threshold would lie with other people like these.",
        "At 300 pairs of strangers FAR 0.001 cannot be stated; the smallest is 0.01.",
        "Not saved: with --save verify uses these thresholds from now on.",
    ]


def test_a_saved_and_checked_calibration():
    (row,) = CALIBRATION["table"]
    (entry,) = CALIBRATION["entries"]
    rows = [
        row | {"checked_far": 0.0123, "checked_tar": 0.9},
        row | {"far": 5e-4, "threshold_low": None, "checked_far": 0.0, "checked_tar": 1.0},
    ]
    value = {
        "entries": [entry | {"flip": True}],
        "table": rows,
        "notes": [],
        "saved": "/cache/thresholds.json",
    }
    lines = measures.calibration(value).splitlines()
    assert lines[0] == "Net with mtcnn, mirror images averaged in."
    assert lines[3:6] == [
        "metric  FAR     threshold  95 %              TAR     FAR of others  TAR of others",
        "cosine  0.01    0.1235     0.1000 to 0.1500  95.5 %  0.012          90.0 %",
        "cosine  0.0005  0.1235     -                 95.5 %  0              100.0 %",
    ]
    assert lines[-3:] == [
        "Saved in /cache/thresholds.json.",
        "From now on verify uses these thresholds wherever Net runs with mtcnn and the same "
        "settings, and its",
        "  answers say so.",
    ]


def row_of_benchmark(**changed):
    row = {"model": "Dlib", "detector": "mtcnn", "aligned": True, "flip": False, "metric": "cosine"}
    row |= {"accuracy": 0.99219, "standard_error": 0.0012, "tar_1e-3": 0.96999, "eer": 0.01001}
    row |= {"missed": 2, "total_ms": 19.96, "far_resolution": 1 / 3000, "recall_at_1": None}
    return row | changed


def test_a_benchmarks_table_rounds_nothing_up():
    value = {
        "protocol": {
            "name": "LFW View 2",
            "pairs": 6000,
            "pictures": 7701,
            "note": "In ten folds.",
        },
        "rows": [row_of_benchmark(), row_of_benchmark(far_resolution=1 / 300, eer=None)],
        "cannot_be_stated": ["Too few."],
        "files": ["out/report.html"],
    }
    text = measures.benchmark(value)
    first, second = (line for line in text.splitlines() if line.startswith("Dlib"))
    assert "99.21 ± 0.12" in first
    assert "96.99 " in first
    assert "1.01" in first
    assert "96.99*" in second
    for part in ("6,000 pairs of 7,701 pictures", "In ten folds.", "Too few.", "out/report.html"):
        assert part in text
    assert "recall@1" not in text
    many = value | {"rows": [row_of_benchmark(recall_at_1=0.5)] * 41}
    assert "1 more rows" in measures.benchmark(many)
    assert "recall@1" in measures.benchmark(many)
