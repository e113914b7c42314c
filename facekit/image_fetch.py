"""The bytes behind a picture source: files, web addresses, ``data:`` URIs, base64.

Nothing here decodes a picture; ``facekit.images`` does that.
"""

from __future__ import annotations

import base64
import binascii
import difflib
import errno
import itertools
import os
import re
import string
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, unquote_to_bytes, urljoin, urlsplit, urlunsplit

from facekit._version import __version__
from facekit.errors import ImageError
from facekit.image_decode import picture_kind

if TYPE_CHECKING:
    from urllib.request import OpenerDirector, Request

MAX_BYTES = 512 * 2**20
MAX_URL_BYTES = 64 * 2**20
MAX_REDIRECTS = 5
TIMEOUT = 20.0
BASE64_MIN_CHARS = 64
_CHUNK = 2**20
_NAMES_COMPARED = 2000
_NO_SUCH_FILE = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)
_SCHEME = re.compile(r"[\s'\"]*([a-z][a-z0-9+.-]+)://", re.IGNORECASE)
# What remains after the scheme of an address and may be shown.
_SHOWN = re.compile(r"(?:[^/?#]*@)?((?:\[[^]]*]|[^:/?#]*)(?::\d*)?(?:/[^?#]*)?)(?=[?#]|$)")
_DATA_URI = re.compile(r"\s*data:[^,]{0,200},", re.IGNORECASE)
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}\Z")


def url_scheme(text: str) -> str | None:
    """The scheme of a text that is an address (``https``), lower case, or None."""
    found = _SCHEME.match(text)
    return found[1].lower() if found else None


def redact(url: str) -> str:
    """An address without credentials, query and fragment, fit for messages and logs."""
    rest = url.strip().partition("://")[2]
    # No match means a password with a slash or such: nothing of it is safe to show.
    shown = _SHOWN.match(rest)
    return f"{url_scheme(url)}://{shown[1] + '?...' * ('?' in rest) if shown else '...'}"


def is_data_uri(text: str) -> bool:
    """Whether a text is a ``data:`` URI."""
    return bool(_DATA_URI.match(text))


def data_uri(text: str, name: str) -> bytes:
    """The content of a ``data:`` URI, base64 or percent-encoded."""
    head, _, body = text.partition(",")
    if not head.lower().endswith(";base64"):
        return unquote_to_bytes(body)
    data = _decode_base64(unquote(body))
    if data is None:
        raise ImageError(
            name, "its content is not valid base64.", "Encode it again, or pass bytes."
        )
    return data


def starts_base64_picture(text: str) -> bool:
    """Whether a text begins like a base64-encoded picture, long enough to be sure."""
    if len(text) < BASE64_MIN_CHARS:
        return False
    head = _decode_base64("".join(text[: 2 * BASE64_MIN_CHARS].split())[:BASE64_MIN_CHARS])
    return head is not None and picture_kind(head) is not None


def base64_picture(text: str) -> bytes | None:
    """The bytes of a bare base64 picture; None where the text is anything else."""
    return _decode_base64(text) if starts_base64_picture(text) else None


def _decode_base64(text: str) -> bytes | None:
    compact = "".join(text.split()).replace("-", "+").replace("_", "/")
    if not _BASE64.match(compact):
        return None
    compact = compact.rstrip("=")
    try:
        return base64.b64decode(compact + "=" * (-len(compact) % 4))
    except binascii.Error:
        return None


def user_path(path: str) -> Path:
    """A path with a leading ``~`` expanded; one that names no known user is left as it is."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def read_file(path: str, name: str) -> bytes:
    """The content of a file.

    Raises
    ------
    ImageError
        If it is missing (with the nearest names), unreadable or above ``MAX_BYTES``.
    """
    place = user_path(path)
    try:
        with place.open("rb") as file:
            return drain(file.read, name)
    except ImageError:
        raise
    except PermissionError:
        raise ImageError(
            name, "permission to read the file is denied.", "Change its access rights."
        ) from None
    except (OSError, ValueError) as error:
        if getattr(error, "errno", None) in _NO_SUCH_FILE:
            raise ImageError(name, "there is no such file.", _missing_remedy(path, place)) from None
        reason = getattr(error, "strerror", None) or str(error)
        raise ImageError(
            name, f"the file cannot be read ({reason}).", "Check the path and the disk."
        ) from error


def _missing_remedy(path: str, place: Path) -> str:
    bare = path.strip().strip("'\"").strip()
    if bare != path:
        return f"The path has spaces or quotes around it: try {bare!r}."
    if len(path) >= BASE64_MIN_CHARS and _BASE64.match(path):
        return "If it is meant as base64, it is cut or does not hold a picture."
    try:
        folder = next(parent for parent in place.parents if parent.is_dir())
        with os.scandir(folder) as entries:
            # Comparing with every name of a folder of a million takes minutes.
            names = {e.name.lower(): e.name for e in itertools.islice(entries, _NAMES_COMPARED)}
    except (OSError, StopIteration):
        return "Check the path."
    wanted = place.relative_to(folder).parts[0]
    near = [names[n] for n in difflib.get_close_matches(wanted.lower(), names, n=3, cutoff=0.6)]
    if near:
        return f"Did you mean {' or '.join(repr(str(folder / n)) for n in near)}?"
    if folder != place.parent:
        return f"There is no {wanted!r} in the directory {str(folder)!r}."
    return f"Nothing in the directory {str(folder)!r} has a similar name."


def drain(read: Callable[[int], Any], name: str) -> bytes:
    """Everything that ``read`` gives, up to ``MAX_BYTES``, checked to be bytes."""
    return _collect(lambda: read(_CHUNK), name, MAX_BYTES)


def _collect(read: Callable[[], Any], name: str, limit: int) -> bytes:
    chunks, size = [], 0
    while chunk := read():
        if not isinstance(chunk, (bytes, bytearray, memoryview)):
            raise ImageError(
                name,
                f"the file object gives {type(chunk).__name__}, not bytes.",
                'Open the file in binary mode: open(path, "rb").',
            )
        chunks.append(bytes(chunk))
        size += len(chunks[-1])
        if size > limit:
            raise _too_large(name, limit)
    return b"".join(chunks)


def _too_large(name: str, limit: int) -> ImageError:
    return ImageError(
        name, f"has more than {limit:,} bytes, the most that is read.", "Use a smaller picture."
    )


def fetch(url: str, name: str) -> bytes:
    """What an ``http(s)`` address serves, within the limits of this module.

    Credentials in the address are sent as basic authentication to its host
    only, not to where it redirects.

    Raises
    ------
    ImageError
        If ``FACEKIT_OFFLINE`` is set, the address is not served, or it redirects
        too often, answers too slowly or is too large.
    """
    if os.environ.get("FACEKIT_OFFLINE", "") not in ("", "0"):
        raise ImageError(
            name,
            "web addresses are not read while FACEKIT_OFFLINE is set.",
            "Unset it, or download the picture and pass its path.",
        )
    # Socket timeouts hold for one operation and not at all for name lookup, so a
    # server that drips could hold the caller for ever: the wait itself is limited.
    answer: Future[bytes] = Future()
    deadline = time.monotonic() + TIMEOUT
    work = threading.Thread(target=_answer, args=(answer, url, name, deadline), daemon=True)
    work.start()
    try:
        return answer.result(TIMEOUT)
    except (TimeoutError, FutureTimeout):
        raise _too_slow(name) from None


def _too_slow(name: str) -> ImageError:
    return ImageError(
        name,
        f"the server did not deliver it within {TIMEOUT:g} seconds.",
        "Try again later, or download the picture and pass its path.",
    )


def _answer(answer: Future[bytes], url: str, name: str, deadline: float) -> None:
    from http.client import HTTPException

    try:
        answer.set_result(_download(url, name, deadline))
    except (OSError, HTTPException, ValueError) as error:
        # ImageError is a ValueError; anything else may quote the address and
        # its secrets, so only its kind is told.
        answer.set_exception(error if isinstance(error, ImageError) else _failed(name, error))
    except BaseException as error:
        answer.set_exception(error)


def _failed(name: str, error: Exception) -> ImageError:
    reason = getattr(error, "reason", error)
    if isinstance(reason, TimeoutError):
        return _too_slow(name)
    causes = {
        "ConnectionRefusedError": "the server refuses the connection.",
        "gaierror": "the host name is not known.",
        "SSLCertVerificationError": "the server's certificate is not valid.",
        "InvalidURL": "the address is not valid.",
        "UnicodeError": "the host name is not valid.",
        "ValueError": "the address is not valid.",
        "IncompleteRead": "the connection ended before the whole file had come.",
    }
    kind = type(reason).__name__
    cause = causes.get(kind, f"the download failed ({kind}).")
    return ImageError(name, cause, "Check the address and the network.")


def _download(url: str, name: str, deadline: float) -> bytes:
    from urllib.error import HTTPError

    opener = _opener()
    for _ in range(MAX_REDIRECTS + 1):
        remaining = max(deadline - time.monotonic(), 0.001)
        try:
            with opener.open(_request(url, name), timeout=remaining) as response:
                return _body(response, name, deadline)
        except HTTPError as error:
            with error:
                target = error.headers.get("Location")
                if error.code not in (301, 302, 303, 307, 308) or not target:
                    raise ImageError(
                        name,
                        f"the server answers {error.code} ({error.reason}).",
                        "Check that the address is right and open without a login.",
                    ) from None
            # Header bytes arrive as latin-1 text, whatever they were sent as.
            url = urljoin(url, quote(target, safe=string.punctuation, encoding="latin-1"))
    raise ImageError(
        name,
        f"the address redirects more than {MAX_REDIRECTS} times.",
        "Open it in a browser and pass the address where it ends.",
    )


def _opener() -> OpenerDirector:
    """An opener for http and https alone; redirects surface as HTTPError."""
    from urllib import request

    opener = request.OpenerDirector()
    for handler in (
        request.ProxyHandler(),
        request.HTTPHandler(),
        request.HTTPSHandler(),
        request.HTTPDefaultErrorHandler(),
        request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    opener.addheaders = [("User-Agent", f"facekit/{__version__}")]
    return opener


def _request(url: str, name: str) -> Request:
    from urllib.request import Request

    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ImageError(
            name,
            f"it leads to a {parts.scheme or 'nameless'} address; only http and https are read.",
            "Pass the http or https address of the picture itself.",
        )
    user, at, host = parts.netloc.rpartition("@")
    host = host if host.isascii() else host.encode("idna").decode()
    path, query = (quote(p, safe=string.punctuation) for p in (parts.path, parts.query))
    request = Request(urlunsplit((parts.scheme, host, path, query, "")))
    if at:
        token = base64.b64encode(unquote_to_bytes(user)).decode()
        request.add_header("Authorization", f"Basic {token}")
    return request


def _body(response: Any, name: str, deadline: float) -> bytes:
    def read() -> bytes:
        if time.monotonic() > deadline:
            raise _too_slow(name)
        return response.read1(_CHUNK)

    announced = response.headers.get("Content-Length", "")
    if announced.isdecimal() and int(announced) > MAX_URL_BYTES:
        raise _too_large(name, MAX_URL_BYTES)
    data = _collect(read, name, MAX_URL_BYTES)
    if announced.isdecimal() and len(data) < int(announced):
        from http.client import IncompleteRead

        raise IncompleteRead(b"", int(announced) - len(data))
    return data
