"""A server that closes a connection, as it does with one that is idle and pings too often."""

import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit

import pytest

from facekit.errors import GalleryError
from facekit.gallery.milvus import address
from facekit.gallery.milvus.server import Server

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HEADERS, _GO_AWAY = 1, 7
_CALM = 0xB  # ENHANCE_YOUR_CALM
_MANY = b"too_many_pings"
_FAREWELL = (
    (8 + len(_MANY)).to_bytes(3, "big")
    + bytes([_GO_AWAY, 0, 0, 0, 0, 0])
    + (0x7FFFFFFF).to_bytes(4, "big")
    + _CALM.to_bytes(4, "big")
    + _MANY
)


class Between:
    """Stands before a server, and says goodbye instead of handing on some requests."""

    def __init__(self, host, port):
        self.server = (host, port)
        self.goodbyes = 0
        self.connections = 0
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"milvus://127.0.0.1:{self.listening.getsockname()[1]}/x"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.listening.accept()
            except OSError:
                return
            self.connections += 1
            server = socket.create_connection(self.server)
            for ends in ((client, server), (server, client)):
                threading.Thread(target=self.hand_on, args=(*ends, client), daemon=True).start()

    def hand_on(self, source, target, client):
        with suppress(OSError):
            while data := source.recv(1 << 16):
                if source is client and self.goodbyes and asks(data):
                    self.goodbyes -= 1
                    client.sendall(_FAREWELL)
                    break
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def asks(data):
    """Whether a request begins in it; it begins with a frame, because requests are small."""
    at = len(_PREFACE) if data.startswith(_PREFACE) else 0
    while at + 9 <= len(data):
        if data[at + 3] == _HEADERS:
            return True
        at += 9 + int.from_bytes(data[at : at + 3], "big")
    return False


@pytest.fixture
def between(milvus):
    parts = urlsplit(milvus)
    made = Between(parts.hostname, parts.port or 19530)
    yield made
    made.listening.close()


@pytest.mark.parametrize("times", [1, 2])
def test_who_connects_tries_again(between, times):
    between.goodbyes = times
    server = Server(address.parse(between.url))
    assert between.goodbyes == 0
    assert server.version().startswith("Milvus")
    server.close()


def test_who_is_never_let_in_is_told(between):
    between.goodbyes = 100
    with pytest.raises(GalleryError, match="Check that the server runs there"):
        Server(address.parse(between.url))
    assert between.goodbyes == 100 - 3


def test_nobody_shares_a_connection_that_may_be_closed(between):
    first, second = (Server(address.parse(between.url)) for _ in range(2))
    assert between.connections == 2
    first.close()
    assert second.version().startswith("Milvus")
    second.close()


def test_requests_are_repeated(between):
    server = Server(address.parse(between.url))
    for ask in (server.version, server.names, lambda: server.make_empty("hung_up")):
        before, between.goodbyes = between.connections, 1
        ask()
        assert (between.goodbyes, between.connections) == (0, before + 1)
    assert "hung_up" in server.names()
    server.drop("hung_up")
    server.close()
