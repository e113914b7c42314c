"""facekit gallery index and forget, on a gallery in PostgreSQL, as they are typed."""

import json

import pytest


@pytest.mark.usefixtures("full")
def test_an_index_in_postgresql(run, postgres_place):
    place = ("--gallery", postgres_place)
    code, out, _ = run("gallery", "index", *place)
    assert (code, json.loads(out)["index_recall"]) == (0, 1)
    assert json.loads(run("gallery", "info", *place)[1])["index_faces"] == 200
    assert json.loads(run("gallery", "index", *place, "--remove")[1]) == {"removed": True}
    assert "index_faces" not in json.loads(run("gallery", "info", *place)[1])
    report = json.loads(run("gallery", "forget", "p3", *place)[1])
    assert (report["faces"], report["left"]) == (10, 0)
