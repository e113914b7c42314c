"""Servers that are gone and files that are something else: one sentence each, and soon."""

import socket
import subprocess
import sys
import threading

import numpy as np
import pytest

from facekit.errors import GalleryError, InvalidArgument
from facekit.gallery import places
from facekit.gallery.records import Entry, NewFace, Photo

SCRIPT = """
import sys
from facekit import cli
sys.exit(cli.main(["gallery", "info", "--gallery", sys.argv[1]]))
"""


def said(place):
    """What the command line says, and nothing else: no traceback, nobody's log."""
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, place], capture_output=True, text=True, timeout=60
    )
    assert run.stdout == ""
    assert run.returncode == 2
    (line,) = run.stderr.strip().splitlines()
    return line


@pytest.fixture
def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.mark.usefixtures("place")
def test_no_server(port):
    assert "Check that the server runs there" in said(f"milvus://me:SECRET@127.0.0.1:{port}/x")
    assert "SECRET" not in said(f"milvus://me:SECRET@127.0.0.1:{port}/x")


@pytest.mark.usefixtures("place")
def test_a_server_of_something_else():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()

        def answer():
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                with client:
                    client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        text = said(f"milvus://127.0.0.1:{server.getsockname()[1]}/x")
    assert "Check that the server runs there" in text


def test_where_there_is_no_gallery(place, milvus, tmp_path):
    assert "is not a gallery" in said(place)
    assert "is not a gallery" in said(f"{milvus}/nothing")
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_something_else(place, tmp_path, origin):
    file = tmp_path / "faces.db"
    file.write_bytes(b"SQLite format 3\0")
    assert "is a file, not a folder of Milvus Lite 3" in said(place)
    with pytest.raises(GalleryError, match="is a file"):
        places.made(place, origin)
    file.unlink()
    file.mkdir()
    (file / "notes.txt").write_text("mine")
    assert "holds something else" in said(place)
    with pytest.raises(GalleryError, match="holds something else"):
        places.made(place, origin)
    assert [path.name for path in file.iterdir()] == ["notes.txt"]


def test_milvus_lite_serves_one_process(kept, place):
    kept.add([Entry(Photo("a"))])
    assert "open in another process" in said(place)


def test_it_is_free_for_the_next_process_once_closed(kept, place):
    other = places.opened(place)
    kept.close()
    other.add([Entry(Photo("a"))])
    other.close()
    other.close()
    run = subprocess.run([sys.executable, "-c", SCRIPT, place], capture_output=True, text=True)
    assert run.returncode == 0
    assert run.stderr == ""


def test_what_milvus_cannot_hold_is_refused(place, origin):
    with pytest.raises(InvalidArgument, match="cannot be of float16"):
        places.made(place, origin, "float16")
    assert not places.present(place)
    with places.made(place, origin) as made:
        for face, message in (
            (NewFace(np.full(16, 1e-20)), "length 4e-20"),
            (NewFace(np.full(16, 1e20)), "length 4e"),
            (NewFace(np.ones(16), tags=["x" * 5000]), "too long ones"),
            (NewFace(np.ones(16), "é" * 20000), "too long for Milvus"),
        ):
            with pytest.raises(InvalidArgument, match=message):
                made.add([Entry(None, [face])])
        large = bytes(range(256)) * 1000  # more than a text of Milvus
        ((number,),) = made.add([Entry(None, [NewFace(np.ones(16), thumbnail=large)])])
        assert made.thumbnail(number) == large
        assert made.info()["thumbnails"] == 1


def test_a_request_that_may_fail_prints_nothing(kept, place):
    kept.close()
    script = f"""
from facekit.errors import GalleryError
from facekit.gallery import places
with places.opened({place!r}) as kept:
    assert not kept._server.rename("nothing", "something")
    try:
        kept._server.count("nothing", "row > 0")
    except GalleryError as error:
        print(str(error).count("Milvus says"))
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (run.stdout, run.stderr) == ("1\n", "")


def test_galleries_of_one_file_do_not_see_each_other(kept, place, origin):
    kept.add([Entry(Photo("a"), [NewFace(np.ones(16))])])
    with places.made(f"{place}?gallery=staff", origin) as other:
        assert other.info()["faces"] == 0
        other.add([Entry(Photo("b"), [NewFace(np.ones(16))])])
        other.compact()
        assert [photo.path for photo in kept.photos()] == ["a"]
        assert kept.info()["faces"] == other.info()["faces"] == 1
