"""What a long run says of itself on stderr."""

import pytest

from facekit.bulk import progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test moves."""
    now = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def run(clock, *, silent=False):
    shown = progress.Progress(silent=silent)
    shown.begin(1000, 4000)
    for _ in range(5):
        clock[0] += 25
        shown.advance(100)
    shown.end()


def test_a_log_has_a_line_a_minute(clock, capsys):
    run(clock)
    said = capsys.readouterr()
    assert said.out == ""
    # 300 photos in 75 s: the 1000 of earlier runs don't count for the rate.
    assert said.err == "facekit: 1,300 of 4,000 photos (32%), 4.0 a second, 11:15 left\n"


def test_a_terminal_has_one_line_that_goes(clock, capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    run(clock)
    said = capsys.readouterr().err
    assert "\n" not in said
    assert "1,500 of 4,000 photos" in said
    assert said.endswith("\r\033[K")


def test_silence(clock, capsys):
    run(clock, silent=True)
    assert capsys.readouterr().err == ""


def test_a_run_of_several_parts_says_which(clock, capsys):
    shown = progress.Progress(silent=False, doing="finding faces")
    shown.begin(0, 100)
    clock[0] += 100
    shown.advance(50)
    said = capsys.readouterr().err
    assert said == "facekit: finding faces: 50 of 100 photos (50%), 0.5 a second, 01:40 left\n"
