"""Addresses of galleries in Milvus; no message shows a token."""

from pathlib import Path

import pytest

from facekit.errors import InvalidArgument, UnknownName
from facekit.gallery import places
from facekit.gallery.milvus.address import parse


@pytest.fixture(autouse=True)
def no_token(monkeypatch):
    monkeypatch.delenv("MILVUS_TOKEN", raising=False)


@pytest.mark.parametrize(
    ("text", "path", "name"),
    [
        ("milvus:faces.db", "faces.db", "facekit"),
        ("milvus:C:\\x y\\faces.db", "C:\\x y\\faces.db", "facekit"),
        ("milvus:///data/f%20g.db?gallery=staff", "/data/f g.db", "staff"),
        ("milvus:///C:/x.db", "C:/x.db", "facekit"),
    ],
)
def test_files(text, path, name):
    found = parse(text)
    assert (found.path, found.name, found.uri) == (Path(path), name, "")
    assert places.is_database(text)


def test_servers():
    found = parse("milvus://host/staff?database=x&tls=yes")
    assert (found.uri, found.name, found.database) == ("https://host:19530", "staff", "x")
    assert found.path is None
    assert parse("milvus://[::1]:99").uri == "http://[::1]:99"
    assert parse("milvus://host").name == "facekit"


def test_a_token_comes_from_the_address_or_the_environment(monkeypatch):
    assert parse("milvus://host/x").token == ""
    monkeypatch.setenv("MILVUS_TOKEN", "root:secret")
    assert parse("milvus://host/x").token == "root:secret"
    for text in ("milvus://me:sec%40ret@host/x", "milvus://host/x?token=me:sec%40ret"):
        found = parse(text)
        assert found.token == "me:sec@ret"
        assert "sec" not in f"{found!r}{found.shown}{places.shown(text)}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("milvus:faces.sqlite", "ends with .db"),
        ("milvus:", "ends with .db"),
        ("milvus://", "not one. Write it like milvus://host"),
        ("milvus://host:port/x", "not one"),
        ("milvus://SECRET@host/x", "user without a password"),
        ("milvus://me:SEC%20RET@host/x", "blanks"),
        ("milvus://host/x?token=SECR%C3%A9T", "blanks"),
        ("milvus://host/1x", "cannot be named '1x'"),
        ("milvus:faces.db?gallery=a-b", "cannot be named 'a-b'"),
        ("milvus://host/x?tls=maybe", "tls is 'maybe'"),
    ],
)
def test_what_is_no_address(text, message):
    with pytest.raises(InvalidArgument, match=message) as caught:
        parse(text)
    assert "SEC" not in str(caught.value)


def test_a_typing_error_is_named():
    with pytest.raises(UnknownName, match="Did you mean gallery"):
        parse("milvus:faces.db?galery=x")


def test_a_token_with_a_blank_in_the_environment_is_not_shown(monkeypatch):
    monkeypatch.setenv("MILVUS_TOKEN", "SECRET ")
    with pytest.raises(InvalidArgument, match="MILVUS_TOKEN holds a token with blanks") as caught:
        parse("milvus://host/x")
    assert "SECRET" not in str(caught.value)
