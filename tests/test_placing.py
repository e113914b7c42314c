"""Photos come into folders whole, never over another file, whatever happens on the way."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from facekit import placing
from facekit.errors import InvalidArgument
from facekit.placing import COPY, HARD, MOVE, SYMBOLIC, THERE, Step, carry_out, finish, plan


@pytest.fixture
def photos(tmp_path):
    root = tmp_path / "photos"
    for name, content in (("a.jpg", b"1"), ("sub/a.jpg", b"2"), ("sub/b.jpg", b"3")):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content * 1000)
    return root


@pytest.fixture
def target(tmp_path):
    return tmp_path / "target"


def wanted(photos, action, *names):
    return [(str(photos / name), f"p/{name.rpartition('/')[2]}", action) for name in names]


def files(folder):
    return {str(p.relative_to(folder)): p.read_bytes()[:1] for p in folder.rglob("*.jpg")}


@pytest.mark.parametrize("action", [COPY, HARD, SYMBOLIC])
def test_copies_and_links(photos, target, action):
    ask = wanted(photos, action, "a.jpg", "sub/a.jpg", "sub/b.jpg")
    before = files(photos)
    steps = plan(ask, target)
    assert not target.exists()  # a plan touches nothing
    carry_out(steps, target)
    assert files(target) == {"p/a.jpg": b"1", "p/a-2.jpg": b"2", "p/b.jpg": b"3"}
    assert files(photos) == before
    made = target / "p" / "b.jpg"
    assert made.is_symlink() == (action == SYMBOLIC)
    assert made.samefile(photos / "sub" / "b.jpg") == (action != COPY)
    assert [step.action for step in plan(ask, target)] == [THERE] * 3
    carry_out(plan(ask, target), target)
    assert len(files(target)) == 3
    assert not [p for p in target.rglob(".*") if p.is_file()]


def test_another_file_is_never_overwritten(photos, target):
    (target / "p").mkdir(parents=True)
    (target / "p" / "a.jpg").write_bytes(b"other")
    (target / "p" / "B.JPG").write_bytes(b"other")
    for action in (COPY, MOVE):
        carry_out(plan(wanted(photos, action, "a.jpg"), target), target)
    assert (target / "p" / "a.jpg").read_bytes() == b"other"
    # Moving takes a new name, although the copy has the same bytes: nothing vanishes.
    assert files(target) == {"p/a.jpg": b"o", "p/a-2.jpg": b"1", "p/a-3.jpg": b"1"}
    steps = plan(wanted(photos, COPY, "sub/b.jpg"), target)
    (target / "p" / "b.jpg").write_bytes(b"came meanwhile")
    with pytest.raises(InvalidArgument, match="Nothing is lost"):
        carry_out(steps, target)
    assert (target / "p" / "b.jpg").read_bytes() == b"came meanwhile"
    assert (photos / "sub" / "b.jpg").exists()


def test_names_that_differ_in_case_only_do_not_meet(photos, target):
    steps = plan(
        [(str(photos / "a.jpg"), "x.jpg", COPY)] * 1
        + [(str(photos / "sub" / "b.jpg"), "X.jpg", COPY)],
        target,
    )
    assert [Path(step.target).name for step in steps] == ["x.jpg", "X-2.jpg"]


def test_moving_keeps_links_of_the_photo(photos, target):
    ask = [*wanted(photos, MOVE, "a.jpg"), (str(photos / "a.jpg"), "q/a.jpg", HARD)]
    carry_out(plan(ask, target), target)
    assert files(target) == {"p/a.jpg": b"1", "q/a.jpg": b"1"}
    assert (target / "p" / "a.jpg").samefile(target / "q" / "a.jpg")
    assert not (photos / "a.jpg").exists()


def test_file_systems_without_hard_links(photos, target, monkeypatch):
    def no_links(*_):
        raise OSError(95, "not supported")

    monkeypatch.setattr(placing.os, "link", no_links)
    ask = [*wanted(photos, MOVE, "a.jpg"), (str(photos / "a.jpg"), "q/a.jpg", HARD)]
    carry_out(plan(ask, target), target)
    assert files(target) == {"p/a.jpg": b"1", "q/a.jpg": b"1"}
    assert set(files(photos)) == {"sub/a.jpg", "sub/b.jpg"}


KILLED = """
import os, sys
from facekit import placing
photos, target, kill_at, action = sys.argv[1:]
calls = 0
def dying(real):
    def call(*arguments, **options):
        global calls
        calls += 1
        if calls == int(kill_at):
            os._exit(9)
        return real(*arguments, **options)
    return call
if action == "copied":  # as on another file system
    def no_links(*_): raise OSError(18, "cross-device")
    os.link = no_links
for name in ("link", "unlink", "rename", "replace", "fsync"):
    setattr(os, name, dying(getattr(os, name)))
names = ("a.jpg", "sub/a.jpg", "sub/b.jpg")
ask = [(f"{photos}/{n}", f"p/{n.rpartition('/')[2]}", placing.MOVE) for n in names]
ask.append((f"{photos}/a.jpg", "q/a.jpg", placing.HARD))
if not placing.finish(target):
    placing.carry_out(placing.plan(ask, target), target)
"""


@pytest.mark.parametrize("way", ["linked", "copied"])
def test_a_kill_at_any_moment_loses_nothing(photos, target, way):
    kill_at, died = 0, True
    contents = {b"1", b"2", b"3"}
    while died:
        kill_at += 1
        run = [sys.executable, "-c", KILLED, str(photos), str(target), str(kill_at), way]
        died = subprocess.run(run, check=False).returncode == 9
        whole = [p for p in (*photos.rglob("*.jpg"), *target.rglob("*.jpg")) if p.is_file()]
        assert {p.read_bytes()[:1] for p in whole if p.stat().st_size == 1000} == contents
        if not died:
            break
        # The next call goes on with the same plan, or begins anew when there was none yet.
        finish(target)
        if (photos / "a.jpg").exists():
            assert len(files(photos)) == 3
            continue
        assert files(photos) == {}
        assert sorted(files(target)) == ["p/a-2.jpg", "p/a.jpg", "p/b.jpg", "q/a.jpg"]
        assert not (target / ".facekit-moves.json").exists()
        for name, content in (("a.jpg", b"1"), ("sub/a.jpg", b"2"), ("sub/b.jpg", b"3")):
            (photos / name).write_bytes(content * 1000)
        for path in target.rglob("*.jpg"):
            path.unlink()
    assert kill_at > 10


def test_a_move_that_somebody_finished_otherwise(photos, target):
    target.mkdir()
    gone = Step(str(photos / "gone.jpg"), str(target / "p" / "gone.jpg"), MOVE)
    (target / ".facekit-moves.json").write_text(json.dumps([vars(gone)]))
    with pytest.raises(InvalidArgument, match="Nothing is lost"):
        finish(target)
    # Another file has come to lie where the photo was going: neither is touched.
    (target / "p").mkdir(exist_ok=True)
    (target / "p" / "a.jpg").write_bytes(b"other")
    step = Step(str(photos / "a.jpg"), str(target / "p" / "a.jpg"), MOVE)
    (target / ".facekit-moves.json").write_text(json.dumps([vars(step)]))
    with pytest.raises(InvalidArgument, match="Nothing is lost"):
        finish(target)
    assert (photos / "a.jpg").exists()
    assert (target / "p" / "a.jpg").read_bytes() == b"other"
    (target / ".facekit-moves.json").write_text("{")
    with pytest.raises(InvalidArgument, match="damaged"):
        finish(target)


def test_two_runs_at_once(photos, target):
    from filelock import FileLock

    target.mkdir()
    with FileLock(target / ".facekit.lock"), pytest.raises(InvalidArgument, match="Another run"):
        carry_out(plan(wanted(photos, COPY, "a.jpg"), target), target)


def test_folders_in_each_other(photos, tmp_path):
    for target in (photos, photos / "sorted", tmp_path):
        with pytest.raises(InvalidArgument, match="lie in each other"):
            placing.check_apart(str(photos), str(target))
    placing.check_apart(str(photos), str(tmp_path / "photos-sorted"))


def test_a_folder_that_cannot_be(photos, tmp_path):
    (tmp_path / "file").write_text("")
    steps = plan(wanted(photos, COPY, "a.jpg"), tmp_path / "file")
    with pytest.raises(InvalidArgument, match="cannot be put in place"):
        carry_out(steps, tmp_path / "file")
