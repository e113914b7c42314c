"""A cache of its own for each test, and a server on this machine that can misbehave."""

import hashlib
import os
import queue
import re
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from facekit.store import cache, integrity, manifest, transfer

PATIENCE = 30  # seconds until a test that hangs is given up; nothing is measured


@dataclass
class Route:
    """How the server answers for one path."""

    body: bytes = b""
    status: int = 200
    headers: dict = field(default_factory=dict)
    ranges: bool = True
    drops: list = field(default_factory=list)  # body bytes until the n-th answer breaks off
    gate: threading.Event | None = None  # answers wait for it
    length: bool = True  # whether Content-Length is sent
    answers: dict = field(default_factory=dict)  # n-th request -> another Route


class Server:
    """Routes by path, and what was asked and sent."""

    Route = Route

    def __init__(self):
        self.routes, self.requests, self.sent = {}, [], []
        self.asked = threading.Semaphore(0)  # released once a request
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.answer(self)

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def url(self, path):
        return f"http://127.0.0.1:{self.http.server_port}/{path}"

    def add(self, path, body=b"", **how):
        self.routes[path] = Route(body, **how)
        return self.url(path)

    def of(self, path):
        """Headers of the requests for one path, in order."""
        return [headers for asked, headers in self.requests if asked == path]

    def answer(self, handler):
        path = handler.path.lstrip("/")
        count = len(self.of(path))
        self.requests.append((path, dict(handler.headers)))
        self.asked.release()
        route = self.routes.get(path, Route(status=404))
        route = route.answers.get(count, route)
        if route.gate is not None:
            route.gate.wait(PATIENCE)
        body, status, extra = route.body, route.status, dict(route.headers)
        asked = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
        current = handler.headers.get("If-Range") in (
            None,
            extra.get("ETag"),
            extra.get("Last-Modified"),
        )
        if asked and route.ranges and current and status == 200:
            start = int(asked[1])
            if start >= len(body):
                status, extra["Content-Range"], body = 416, f"bytes */{len(body)}", b""
            else:
                extra["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
                status, body = 206, body[start:]
        handler.send_response(status)
        if route.length:
            extra.setdefault("Content-Length", str(len(body)))
        for name, value in extra.items():
            handler.send_header(name, value)
        handler.end_headers()
        limit = route.drops.pop(0) if route.drops else None
        handler.wfile.write(body[:limit])
        self.sent.append((path, len(body[:limit])))
        handler.close_connection = True


@pytest.fixture
def server():
    served = Server()
    yield served
    served.http.shutdown()
    served.http.server_close()


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An empty cache directory that does not exist yet; no state of other tests."""
    directory = tmp_path / "home"
    monkeypatch.setenv("FACEKIT_HOME", str(directory))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    for name in ("FACEKIT_WEIGHTS", "FACEKIT_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(manifest, "_registered", {})
    monkeypatch.setattr(integrity, "_remembered", {})
    monkeypatch.setattr(cache, "_warned", False)
    monkeypatch.setattr(transfer, "PAUSE", 0)
    return directory


@pytest.fixture
def content():
    """Bytes of a weight file: nothing in them repeats."""
    return hashlib.shake_256(b"weights").digest(300_000)


@pytest.fixture
def make(content):
    """Register a weight file; by default one with the hash and size of `content`."""

    def register(*urls, key="net", body=content, **fields):
        known = {"size": len(body), "sha256": hashlib.sha256(body).hexdigest()}
        entry = manifest.WeightFile(
            key, **{"file": f"{key}.onnx", "urls": tuple(urls), **known, **fields}
        )
        return manifest.register(entry)

    return register


@pytest.fixture
def unusable(tmp_path, monkeypatch):
    """A cache directory that nobody can write, not even root: it is below a file."""
    (tmp_path / "file").write_bytes(b"")
    path = tmp_path / "file" / "home"
    monkeypatch.setenv("FACEKIT_HOME", str(path))
    return path


class Child:
    """A Python process whose lines of stdout and stderr can be waited for."""

    def __init__(self, script, *args, lines):
        self.process = subprocess.Popen(
            [sys.executable, "-c", script, *map(str, args)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=dict(os.environ),
        )
        self.text = []
        self.reader = threading.Thread(target=self._read, args=(lines,), daemon=True)
        self.reader.start()

    def _read(self, lines):
        for line in self.process.stdout:
            self.text.append(line)
            lines.put((self, line))

    def go(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def end(self):
        code = self.process.wait(PATIENCE)
        self.reader.join(PATIENCE)
        for pipe in (self.process.stdin, self.process.stdout):
            pipe.close()
        return code, "".join(self.text)


class Children:
    def __init__(self):
        self.lines, self.heard, self.all = queue.Queue(), [], []

    def start(self, script, *args):
        self.all.append(Child(script, *args, lines=self.lines))
        return self.all[-1]

    def wait_for(self, text):
        """The child that says, or has said, a text first."""
        while True:
            for child, line in self.heard:
                if text in line:
                    return child
            self.heard.append(self.lines.get(timeout=PATIENCE))


@pytest.fixture
def children():
    started = Children()
    yield started
    for child in started.all:
        if child.process.poll() is None:
            child.process.kill()
            child.end()
