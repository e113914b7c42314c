"""A photo is in one shard, and stays there."""

import json
import os

import pytest

from facekit.bulk import plan
from facekit.bulk.listing import Listed
from facekit.errors import BulkError, InvalidArgument
from facekit.gallery.records import Origin

ORIGIN = Origin("Net", "det", "a" * 12, 4, {"model_name": "Net"})
PIPELINE = {"model_name": "Net", "max_faces": None}


def photos(*numbers):
    return [Listed(f"/photos/{n}.jpg", None if n % 2 else f"p{n}") for n in numbers]


def opened(out, origin=ORIGIN, pipeline=PIPELINE, batch=None, size=3):
    return plan.opened(out, origin, pipeline, batch, size)


def shards(made):
    return {shard.number: shard.photos() for shard in made.shards()}


def test_shards_stay_and_new_photos_become_new_ones(tmp_path):
    first = opened(tmp_path)
    assert first.extend(photos(*range(8)), "photos/**") == 8
    assert shards(first) == {0: photos(0, 1, 2), 1: photos(3, 4, 5), 2: photos(6, 7)}
    # 1 and 2 are gone meanwhile, 20 comes first: nothing that has a shard changes it.
    again = opened(tmp_path, size=None)
    assert again.recipe.photos_per_shard == 3
    assert again.extend(photos(20, 0, 3, 4, 9, 20, 9), "photos/**") == 2
    assert shards(again) == shards(first) | {3: photos(20, 9)}
    third = opened(tmp_path)
    assert third.extend(iter(photos(9, 20, 5)), "photos/**") == 0
    assert (third.photos, shards(third)) == (10, shards(again))
    assert sorted(path.name for path in (tmp_path / "_plan").iterdir()) == [
        *("photos-0001.jsonl", "photos-0002.jsonl", "plan.json"),
    ]


def test_what_is_not_listed_to_the_end_is_no_plan(tmp_path):
    def broken():
        yield from photos(*range(5))
        raise InvalidArgument("Line 6 is no path.")

    with pytest.raises(InvalidArgument, match="Line 6"):
        opened(tmp_path).extend(broken(), "list")
    assert list((tmp_path / "_plan").iterdir()) == []
    assert opened(tmp_path).extend(photos(1), "list") == 1


def test_names_of_any_bytes(tmp_path):
    odd = [Listed(os.fsdecode(b"/p/\xff\n.jpg"), None), Listed("/p/\N{SNOWMAN}.jpg", "\N{SNOWMAN}")]
    assert opened(tmp_path).extend(odd, "list") == 2
    assert shards(opened(tmp_path)) == {0: odd}
    assert opened(tmp_path).extend(odd, "list") == 0


def test_another_pipeline_is_refused(tmp_path):
    opened(tmp_path).extend(photos(1), "list")
    with pytest.raises(BulkError, match="was begun with max_faces None, not 1"):
        opened(tmp_path, pipeline={**PIPELINE, "max_faces": 1})
    other = Origin("Net", "det", "b" * 12, 4, {"model_name": "Net"})
    with pytest.raises(BulkError, match="vectors of another Net with det"):
        opened(tmp_path, origin=other)
    with pytest.raises(InvalidArgument, match="photos_per_shard 3, not 4"):
        opened(tmp_path, size=4)
    with pytest.raises(InvalidArgument, match="batch_size 32, not 16"):
        opened(tmp_path, batch=16)


def test_a_damaged_plan_is_not_made_anew(tmp_path):
    opened(tmp_path).extend(photos(1), "list")
    file = tmp_path / "_plan" / "plan.json"
    whole = file.read_text("utf-8")
    for text in (whole[:40], "[]", "{}"):
        file.write_text(text)
        with pytest.raises(BulkError, match="cannot be read"):
            opened(tmp_path)
    file.write_text(json.dumps({**json.loads(whole), "version": 2}))
    with pytest.raises(BulkError, match="later version"):
        opened(tmp_path)
