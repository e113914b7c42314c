"""Web addresses, against a server of our own."""

from __future__ import annotations

import base64
import io
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import PIL.Image
import pytest

from facekit import image_fetch, images
from facekit._version import __version__
from facekit.errors import ImageError

PIXELS = np.full((8, 12, 3), 77, np.uint8)


def _picture() -> bytes:
    file = io.BytesIO()
    PIL.Image.fromarray(PIXELS).save(file, "PNG")
    return file.getvalue()


PICTURE = _picture()


class Handler(BaseHTTPRequestHandler):
    """One page a path; ``server.seen`` keeps every request, ``server.gate`` stalls."""

    def do_GET(self) -> None:
        self.server.seen.append((self.path, dict(self.headers)))
        page = self.path.partition("?")[0].strip("/").split("/")
        getattr(self, f"page_{page[0]}", self.page_missing)(*page[1:])

    def answer(self, body: bytes = b"", status: int = 200, **headers: object) -> None:
        self.send_response(status)
        for name, value in {"Content_Length": len(body), **headers}.items():
            if value is not None:
                self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(body)

    def page_missing(self, *_: str) -> None:
        self.answer(b"nothing here", 404)

    def page_picture(self, *_: str) -> None:
        self.answer(PICTURE)

    def page_private(self) -> None:
        wanted = "Basic " + base64.b64encode(b"me:p@ss").decode()
        allowed = self.headers.get("Authorization") == wanted
        self.answer(PICTURE) if allowed else self.answer(b"", 401)

    def page_html(self) -> None:
        self.answer(b"<!DOCTYPE html><title>log in</title>")

    def page_empty(self) -> None:
        self.answer(b"")

    def page_loop(self) -> None:
        self.answer(b"", 302, Location="/loop")

    def page_hops(self, left: str) -> None:
        target = f"/hops/{int(left) - 1}" if int(left) > 1 else "/picture/ä b.png"
        self.answer(b"", 307, Location=target.encode().decode("latin-1"))

    def page_to(self, scheme: str) -> None:
        self.answer(b"", 301, Location=f"{scheme}://etc/passwd?token=secret")

    def page_elsewhere(self) -> None:
        self.answer(b"", 302, Location=f"http://localhost:{self.server.server_port}/picture")

    def page_nowhere(self) -> None:
        self.answer(b"", 302)

    def page_announced(self) -> None:
        self.answer(PICTURE, Content_Length=10**12)

    def page_endless(self) -> None:
        self.answer(PICTURE, Content_Length=None)
        try:
            while not self.server.gate.is_set():
                self.wfile.write(bytes(65536))
        except OSError:
            self.server.hung_up.set()

    def page_cut(self) -> None:
        self.answer(PICTURE[:40], Content_Length=len(PICTURE))

    def page_stalled(self) -> None:
        self.answer(PICTURE[:40], Content_Length=len(PICTURE))
        self.server.gate.wait(30)

    def page_nonsense(self) -> None:
        self.wfile.write(b"220 smtp.example.org\r\n")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch):
    """A server on this machine, reached directly whatever proxy is configured."""
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.delenv("FACEKIT_OFFLINE", raising=False)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.seen, server.gate, server.hung_up = [], threading.Event(), threading.Event()
        server.host = f"127.0.0.1:{server.server_port}"
        server.url = f"http://{server.host}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.gate.set()
        server.shutdown()
        thread.join()


def failure(url: str) -> ImageError:
    with pytest.raises(ImageError) as caught:
        images.load(url)
    assert caught.value.remedy
    assert "secret" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("form", ["{}", " {}\n", '"{}"', "HTTP{}"])
def test_picture(server, form):
    url = f"{server.url}/picture"
    source = form.format(url.removeprefix("http") if form.startswith("HTTP") else url)
    np.testing.assert_array_equal(images.load(source), PIXELS)
    assert server.seen[0][1]["User-Agent"] == f"facekit/{__version__}"


def test_characters_that_need_escaping(server):
    images.load(f"{server.url}/picture/ä b%20c.png?q=ü&r=[1]#part")
    assert server.seen[0][0] == "/picture/%C3%A4%20b%20c.png?q=%C3%BC&r=[1]"


def test_credentials_are_sent_but_not_shown_nor_redirected(server):
    address = f"http://me:p%40ss@{server.host}"
    np.testing.assert_array_equal(images.load(f"{address}/private"), PIXELS)
    images.load(f"{address}/elsewhere")
    assert "Authorization" in server.seen[1][1]
    assert server.seen[2][0] == "/picture"
    assert "Authorization" not in server.seen[2][1]
    error = failure(f"http://me:secret@{server.host}/nothing?key=secret")
    assert error.source == f"http://{server.host}/nothing?..."


@pytest.mark.parametrize(("page", "code"), [("nothing", 404), ("private", 401), ("nowhere", 302)])
def test_status_codes(server, page, code):
    assert f"answers {code}" in str(failure(f"{server.url}/{page}"))


def test_redirects(server):
    np.testing.assert_array_equal(images.load(f"{server.url}/hops/5"), PIXELS)
    assert server.seen[-1][0] == "/picture/%C3%A4%20b.png"
    for page in ("hops/6", "loop"):
        server.seen.clear()
        assert "redirects more than 5 times" in str(failure(f"{server.url}/{page}"))
        assert len(server.seen) == 6


@pytest.mark.parametrize("scheme", ["file", "ftp", "gopher"])
def test_redirects_to_other_schemes(server, scheme):
    assert f"leads to a {scheme} address" in str(failure(f"{server.url}/to/{scheme}"))


def test_pages_that_are_no_picture(server):
    assert "looks like HTML" in str(failure(f"{server.url}/html"))
    assert "empty" in str(failure(f"{server.url}/empty"))
    assert "download failed" in str(failure(f"{server.url}/nonsense"))


def test_too_large(server, monkeypatch):
    assert "67,108,864 bytes" in str(failure(f"{server.url}/announced"))
    monkeypatch.setattr(image_fetch, "MAX_URL_BYTES", 200_000)
    assert "200,000 bytes" in str(failure(f"{server.url}/endless"))
    assert server.hung_up.wait(10)  # nothing more is read


def test_cut_download(server):
    assert "before the whole file" in str(failure(f"{server.url}/cut"))


def test_slow_server(server, monkeypatch):
    monkeypatch.setattr(image_fetch, "TIMEOUT", 0.3)
    assert "within 0.3 seconds" in str(failure(f"{server.url}/stalled"))
    assert not server.gate.is_set()


def test_slow_name_lookup_has_no_timeout_but_ours(server, monkeypatch):
    def stuck(*_args, **_options):
        server.gate.wait(30)
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", stuck)
    monkeypatch.setattr(image_fetch, "TIMEOUT", 0.1)
    assert "within 0.1 seconds" in str(failure("http://nowhere.invalid/a.jpg"))


def test_dripping_download_ends_at_the_deadline():
    class Drip:
        headers = {"Content-Length": "100"}  # noqa: RUF012 (a stand-in)

        def read1(self, _size):
            return b"x"

    with pytest.raises(ImageError, match="deliver"):
        image_fetch._body(Drip(), "drip", time.monotonic() - 1)


@pytest.mark.usefixtures("server")
def test_refused_connection():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert "refuses the connection" in str(failure(f"http://127.0.0.1:{port}/a.jpg"))


def test_unknown_host(monkeypatch):
    def unknown(*_args, **_options):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert "host name is not known" in str(failure("http://nowhere.invalid/a.jpg"))


@pytest.mark.parametrize(
    "url",
    ["http://[::1/a", "http://h:port/a?secret", "http://me:sec/ret@h/a", "http://" + "ü" * 99],
)
def test_addresses_that_are_not_valid(url):
    assert "not valid" in str(failure(url))


@pytest.mark.parametrize("url", ["http:///a.jpg", "https://?secret"])
def test_addresses_without_a_host(url):
    assert "address" in str(failure(url))


def test_offline(server, monkeypatch):
    monkeypatch.setenv("FACEKIT_OFFLINE", "1")
    assert "FACEKIT_OFFLINE" in str(failure(f"{server.url}/picture"))
    assert not server.seen
    monkeypatch.setenv("FACEKIT_OFFLINE", "0")
    assert images.load(f"{server.url}/picture").shape == PIXELS.shape


def test_addresses_not_allowed(server):
    with pytest.raises(ImageError, match="not allowed"):
        images.load(f"{server.url}/picture", allow_url=False)
    assert not server.seen
