"""From one address to a ``.part`` file: streamed, resumed, retried."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from facekit._version import __version__
from facekit.store.layout import notes_of

TIMEOUT = 30.0  # seconds without a byte
ATTEMPTS = 4  # in a row that bring nothing new
PAUSE = 0.5  # seconds before the second attempt, doubled for each further one

_CHUNK = 1 << 16
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})

OnProgress = Callable[[int, "int | None"], None]


class RefusedError(Exception):
    """This address does not give the file; the next one may."""


class _DroppedError(Exception):
    """The connection failed; another attempt may get further."""


class _HttpOnly(HTTPRedirectHandler):
    """Follow redirects to http(s) only: urllib alone would also go to ftp."""

    def redirect_request(
        self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Request | None:
        if urlsplit(newurl).scheme.lower() not in ("http", "https"):
            fp.close()
            raise RefusedError(f"it redirects to {newurl}, which is not http(s)")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def transfer(
    url: str, part: Path, *, expected: int | None, checked: bool, on_progress: OnProgress
) -> None:
    """Download an address into ``part``, going on from what is there.

    Parameters
    ----------
    url : str
        An http(s) address.
    part : Path
        The partial file. What lies beside it as ``.json`` tells which version it is of.
    expected : int or None
        Bytes of the whole download, where known; reading stops after one chunk more.
    checked : bool
        Whether the hash of the result will be compared. Only then may a part be
        continued whose version nobody can tell, such as one from another mirror.
    on_progress : callable
        Called with the bytes that are there and the total or None.

    Raises
    ------
    RefusedError
        If the address does not give the file.
    OSError
        If ``part`` cannot be written.
    """
    best, failures = size_of(part), 0
    while True:
        try:
            _attempt(url, part, expected, checked, on_progress)
            return
        except _DroppedError as error:
            # A server that ignores ranges starts from nothing each time: only getting
            # further than ever before counts, or this would not end.
            size = size_of(part)
            failures = 0 if size > best else failures + 1
            best = max(best, size)
            if failures >= ATTEMPTS:
                raise RefusedError(str(error)) from error
            time.sleep(PAUSE * 2**failures)


def size_of(part: Path) -> int:
    """Bytes of a file; 0 if there is none."""
    return part.stat().st_size if part.is_file() else 0


def discard(part: Path) -> None:
    """Remove a partial file and what is known about it."""
    part.unlink(missing_ok=True)
    notes_of(part).unlink(missing_ok=True)


def _attempt(
    url: str, part: Path, expected: int | None, checked: bool, on_progress: OnProgress
) -> None:
    have, validator = size_of(part), _validator(part, url)
    if (expected is not None and have > expected) or not (validator or checked):
        discard(part)
        have = 0
    if have and have == expected:
        return
    # Compressed in transit, bytes would not be those that ranges and hashes are about.
    headers = {"User-Agent": f"facekit/{__version__}", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if validator:
            headers["If-Range"] = validator
    try:
        response = build_opener(_HttpOnly).open(Request(url, headers=headers), timeout=TIMEOUT)
    except HTTPError as error:
        with error:
            if error.code == 416 and have:
                if _content_range(error)[1] != have:
                    discard(part)
                    _attempt(url, part, expected, checked, on_progress)
                return
            text = f"HTTP {error.code} {error.reason}"
        raise (_DroppedError if error.code in _PASSING else RefusedError)(text) from error
    except (OSError, HTTPException) as error:
        reason = error.reason if isinstance(error, URLError) else error
        raise _DroppedError(str(reason) or type(error).__name__) from error
    with response:
        _receive(response, url, part, have, expected, on_progress)


def _receive(
    response: HTTPResponse,
    url: str,
    part: Path,
    have: int,
    expected: int | None,
    on_progress: OnProgress,
) -> None:
    if response.status == 206:
        start, total = _content_range(response)
        if start != have:
            discard(part)
            raise _DroppedError("the server sent another range than the one asked for")
    else:
        # The whole file: the server knows no ranges, or has another version by now.
        have, total = 0, _number(response.headers.get("Content-Length"))
    total = expected if total is None else total
    with part.open("r+b" if have else "wb") as file:
        if not have:
            _note(part, url, response)
        file.seek(have)
        on_progress(have, total)
        while True:
            try:
                piece = response.read1(_CHUNK)
            except (OSError, HTTPException) as error:
                raise _DroppedError(str(error) or type(error).__name__) from error
            if not piece:
                break
            file.write(piece)
            have += len(piece)
            on_progress(have, total)
            if expected is not None and have > expected:
                return
    if total is not None and have < total:
        raise _DroppedError(f"the connection ended after {have} of {total} bytes")


def _content_range(response: HTTPResponse | HTTPError) -> tuple[int | None, int | None]:
    """Start and total of a ``Content-Range``, each None where it is not given."""
    value = response.headers.get("Content-Range") or ""
    match = re.fullmatch(r"\s*bytes\s+(?:(\d+)-\d+|\*)/(\d+|\*)\s*", value)
    return (_number(match[1]), _number(match[2])) if match else (None, None)


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None


def _note(part: Path, url: str, response: HTTPResponse) -> None:
    """Write down which version the part is of, before its first byte."""
    etag = response.headers.get("ETag") or ""
    # A weak tag is not good for ranges: it may stand for other bytes of equal meaning.
    strong = "" if etag.startswith("W/") else etag
    validator = strong or response.headers.get("Last-Modified") or ""
    notes_of(part).write_text(json.dumps({"url": url, "validator": validator}), encoding="utf-8")


def _validator(part: Path, url: str) -> str:
    with suppress(OSError, ValueError, TypeError, KeyError):
        notes = json.loads(notes_of(part).read_text(encoding="utf-8"))
        if notes["url"] == url:
            return str(notes["validator"])
    return ""
