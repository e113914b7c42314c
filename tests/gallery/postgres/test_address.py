"""URLs are taken apart, and no error shows a password."""

import pytest

from facekit.errors import InvalidArgument, UnknownName
from facekit.gallery import places

pytest.importorskip("psycopg", reason="no psycopg: pip install facekit[postgres]")

from facekit.gallery.postgres.address import parsed


def said(address):
    return dict(part.split("=", 1) for part in address.server.split())


def test_a_whole_url():
    url = "postgres://me:s%2Fecret@h:5433/db?gallery=a%20b&sslmode=require"
    found = parsed(url)
    assert found.schema == "a b"
    server = said(found)
    wanted = {"user": "me", "password": "s/ecret", "host": "h", "port": "5433", "dbname": "db"}
    assert {name: server[name] for name in wanted} == wanted
    assert server["sslmode"] == "require"
    assert server["connect_timeout"] == "10"
    assert "ecret" not in repr(found) + found.shown


def test_what_is_left_out_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "3")
    found = parsed("POSTGRESQL:///db?service=mine")
    assert found.schema == "facekit"
    server = said(found)
    assert (server["service"], server["dbname"]) == ("mine", "db")
    assert not {"host", "user", "connect_timeout"} & set(server)


@pytest.mark.parametrize(
    ("url", "error", "message"),
    [
        ("postgresql://u:hid@den@h/db", InvalidArgument, "is not an address of PostgreSQL.*%40"),
        ("postgresql://u:hidden@h/db?colour=red", InvalidArgument, "is not an address"),
        ("postgresql://u:hidden@h/%zz", InvalidArgument, "is not an address"),
        ("postgresql://u:hidden@h/db?gallery=", InvalidArgument, "cannot be called ''"),
        ("postgresql://u:hidden@h/db?gallery=pg_x", InvalidArgument, "cannot be called 'pg_x'"),
        ("postgresql://u:hidden@h/?gallery=" + "é" * 32, InvalidArgument, "1 to 63 letters"),
        ("mysql://u:hidden@h/db", UnknownName, "no kind of gallery named 'mysql'"),
        ("postgresq://u:hidden@h/db", UnknownName, "Did you mean postgres"),
    ],
)
def test_wrong_ones(url, error, message):
    with pytest.raises(error, match=message) as caught:
        places.opened(url)
    assert "hid" not in str(caught.value)


def test_folders_are_no_urls(tmp_path):
    assert not places.is_database(tmp_path)
    assert not places.is_database("a folder://x")
    assert places.shown(tmp_path) == str(tmp_path)
