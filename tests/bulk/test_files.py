"""A file is there whole or not at all."""

import pytest

from facekit.bulk.files import in_place, sweep
from facekit.errors import BulkError


def test_a_file_comes_into_place_by_its_name_alone(tmp_path):
    target = tmp_path / "sub" / "a.parquet"
    for text in ("one", "two"):
        with in_place(target) as aside:
            aside.write_text(text)
            number = aside.stat().st_ino
            assert aside.name.startswith(".")  # readers of a folder pass over it
            assert not target.exists() or target.read_text() == "one"
        assert (target.read_text(), target.stat().st_ino) == (text, number)
    assert [path.name for path in target.parent.iterdir()] == ["a.parquet"]


def test_what_fails_leaves_the_older_file(tmp_path):
    target = tmp_path / "a"
    target.write_text("old")
    with pytest.raises(TypeError), in_place(target) as aside:
        aside.write_text("new", newline=5)
    with pytest.raises(BulkError, match="a cannot be written"), in_place(target):
        pass  # nothing was written
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert target.read_text() == "old"


def test_sweeping_takes_only_what_was_left_unfinished(tmp_path):
    for name in (".a.parquet.0f0f0f0f.part", "a.parquet", ".hidden", "b.part"):
        (tmp_path / name).touch()
    sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".hidden", "a.parquet", "b.part"]
