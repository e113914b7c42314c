"""A server that is gone, refuses, or lacks something: one sentence each; then it goes on."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from facekit.errors import GalleryError, InvalidArgument, MissingDependency
from facekit.gallery import places
from facekit.gallery.records import Entry, NewFace, Photo

psycopg = pytest.importorskip("psycopg", reason="no psycopg: pip install facekit[postgres]")

from facekit.gallery.postgres import database, schema  # noqa: E402


def url_of(postgres, **changes):
    """The same server's URL with another database, user or gallery."""
    from psycopg.conninfo import conninfo_to_dict

    found = {**conninfo_to_dict(postgres), **changes}
    gallery = found.pop("gallery", "facekit")
    dbname, user = found.pop("dbname", ""), found.pop("user", "")
    rest = "&".join(f"{name}={value}" for name, value in found.items())
    return f"postgresql://{user}:hidden@/{dbname}?gallery={gallery}&{rest}"


def one_sentence(error):
    text = str(error.value)
    assert "\n" not in text
    assert "hidden" not in text
    return text


def test_nobody_answers(tmp_path):
    with pytest.raises(GalleryError) as error:
        places.present("postgresql://u:hidden@127.0.0.1:1/db")
    assert "Check the address, and that the server runs." in one_sentence(error)
    with pytest.raises(GalleryError) as error:
        places.opened(f"postgresql://u:hidden@/db?host={tmp_path}")
    one_sentence(error)


def test_no_such_database(postgres):
    with pytest.raises(GalleryError, match='database "absent" does not exist') as error:
        places.opened(url_of(postgres, dbname="absent"))
    one_sentence(error)


def test_without_psycopg(monkeypatch):
    monkeypatch.setattr("facekit.extras.find_spec", lambda _: None)
    for call in (places.opened, places.present):
        with pytest.raises(MissingDependency, match=r"pip install \"facekit\[postgres\]\""):
            call("postgresql://h/db")


@pytest.fixture
def stranger(postgres):
    """A user without rights, and a database without pgvector."""
    with psycopg.connect(postgres, autocommit=True) as db:
        db.execute("DROP DATABASE IF EXISTS bare")
        db.execute("DROP ROLE IF EXISTS stranger")
        db.execute("CREATE ROLE stranger LOGIN PASSWORD 'hidden'")
        db.execute("CREATE DATABASE bare")
        yield "stranger"
        db.execute("DROP DATABASE bare")
        db.execute("DROP ROLE stranger")


def test_no_rights(postgres, stranger, kept, origin):
    with pytest.raises(GalleryError, match="no pgvector, and this user may not add it") as error:
        places.made(url_of(postgres, user=stranger, dbname="bare"), origin)
    one_sentence(error)
    with pytest.raises(GalleryError, match=r"permission denied.*owner for this right") as error:
        places.made(url_of(postgres, user=stranger, gallery="theirs"), origin)
    one_sentence(error)
    with pytest.raises(GalleryError, match="permission denied") as error:
        places.opened(url_of(postgres, user=stranger, gallery=kept.address.schema))
    one_sentence(error)


def test_a_server_without_pgvector(postgres, stranger, origin, monkeypatch):
    assert stranger
    monkeypatch.setattr(schema, "_EXTEND", "CREATE EXTENSION no_such_extension")
    with pytest.raises(GalleryError, match=r"The server of .* has no pgvector") as error:
        places.made(url_of(postgres, dbname="bare"), origin)
    assert "github.com/pgvector" in one_sentence(error)


def test_connections_that_died_are_replaced(full, vectors, postgres):
    with psycopg.connect(postgres, autocommit=True) as db:
        db.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE application_name = 'facekit'"
        )
        assert full.search(vectors[:1], 1)[0][0].face.id == 1
        before = db.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'facekit'"
        ).fetchone()
        for _ in range(5):
            full.search(vectors[:1], 1)
        # One after the other they share a connection.
        assert before == (1,)


def test_a_connection_that_dies_in_between_says_so_and_stores_nothing(full, vectors, monkeypatch):
    real = database.Database.lock

    def dying(self, db, purpose):
        with psycopg.connect(self.address.server, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", (db.info.backend_pid,))
        real(self, db, purpose)

    with monkeypatch.context() as patch:
        patch.setattr(database.Database, "lock", dying)
        with pytest.raises(GalleryError, match="cannot be used") as error:
            full.add([Entry(Photo("a"), [NewFace(vectors[0])])])
        one_sentence(error)
    assert full.photos() == []
    assert full.info()["faces"] == 200


def test_a_server_that_is_stopped_and_started_again(start_postgres, origin, vectors):
    running = start_postgres()
    try:
        url = running.get_uri() + "&gallery=stopped"
        with places.made(url, origin) as kept:
            kept.add([Entry(Photo("a"), [NewFace(vectors[0])])])
            running.stop()
            for work in (kept.photos, lambda: kept.search(vectors[:1]), kept.info):
                with pytest.raises(GalleryError, match="that the server runs") as error:
                    work()
                one_sentence(error)
            running.ensure_postgres_running()
            assert len(kept.search(vectors[:1])[0]) == 1
    finally:
        running.cleanup()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_process_has_connections_of_its_own(full, vectors):
    pids = []
    with full.database.connection() as db:
        pids.append(db.info.backend_pid)
    script = os.fork()
    if not script:
        code = 1
        try:
            with full.database.connection() as db:
                code = int(db.info.backend_pid in pids)
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(script, 0)[1]) == 0
    assert full.search(vectors[:1], 1)[0][0].face.id == 1


def test_a_writer_that_takes_too_long_is_named(full, vectors, monkeypatch):
    monkeypatch.setattr(database, "WAIT", 1)
    with full.database.writing(), ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(full.add, [Entry(None, [NewFace(vectors[0])])])
        with pytest.raises(GalleryError, match="Wait for the other writer to end"):
            waiting.result()
        assert full.info()["faces"] == 200  # readers don't wait


def test_many_threads_make_a_gallery_at_once(postgres_place, origin):
    ready = threading.Barrier(4)

    def work(_):
        ready.wait()
        with places.made(postgres_place, origin) as made:
            return made.add([Entry(None, [NewFace(np.ones(16), "Ann")])])[0][0]

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(work, range(4))) == [1, 2, 3, 4]


def test_what_somebody_removed(full, postgres):
    with psycopg.connect(postgres, autocommit=True) as db:
        db.execute("SET client_min_messages = warning")
        db.execute(f"DROP SCHEMA {full.address.schema} CASCADE")
    with pytest.raises(GalleryError, match="Somebody removed the gallery"):
        full.photos()
    with pytest.raises(GalleryError, match="is not a gallery"):
        places.opened(full.address.shown)


def test_a_schema_that_holds_something_else(postgres, postgres_place, origin):
    name = postgres_place.rpartition("=")[2]
    with psycopg.connect(postgres, autocommit=True) as db:
        db.execute(f"CREATE SCHEMA {name}")
        with places.made(postgres_place, origin) as made:  # an empty one will do
            assert made.info()["faces"] == 0
        db.execute(f"DROP TABLE {name}.facekit_version")
    with pytest.raises(GalleryError, match="holds other tables"):
        places.made(postgres_place, origin)


def test_old_versions_migrate_and_later_ones_are_refused(full, vectors, monkeypatch):
    url = full.address.shown
    steps = (*schema.STEPS, "ALTER TABLE face ADD COLUMN quality real; CREATE TABLE more (a int)")
    with monkeypatch.context() as patch:
        patch.setattr(schema, "STEPS", (*schema.STEPS, "CREATE TABLE more (a int); SELECT 1 / 0"))
        with pytest.raises(InvalidArgument, match="division"):
            places.opened(url)
        patch.setattr(schema, "STEPS", steps)
        with ThreadPoolExecutor(3) as pool:
            for newer in pool.map(places.opened, [url] * 3):
                with newer:
                    assert newer.search(vectors[:1], 1)[0][0].face.id == 1
    with pytest.raises(GalleryError, match=r"later version.*Update facekit"):
        places.opened(url)


def test_nothing_of_it_is_loaded_for_a_folder():
    script = "import sys, facekit.gallery.places; print('psycopg' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False"]
