"""Where a gallery lies in Milvus: ``milvus://host:19530/name``, or ``milvus:faces.db``."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from facekit.errors import InvalidArgument, UnknownName

SCHEME = "milvus:"
TOKEN = "MILVUS_TOKEN"  # environment variable
_PORT = 19530
DEFAULT_NAME = "facekit"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,59}")
_FORM = "Write it like milvus://host:19530/name, or milvus:faces.db for Milvus Lite."


@dataclass(frozen=True)
class Address:
    """A gallery's place.

    Attributes
    ----------
    shown : str
        For people: without the token.
    name : str
        Of the gallery; its collections begin with it.
    uri : str
        Of the server; empty for Milvus Lite.
    path : Path or None
        The folder that Milvus Lite keeps.
    token, database : str
    """

    shown: str
    name: str
    uri: str = ""
    path: Path | None = None
    token: str = field(default="", repr=False)
    database: str = ""


def parse(place: str) -> Address:
    """The address that a text means.

    The token comes from the variable ``MILVUS_TOKEN`` (``user:password``, or an API key), or
    from the address, as ``user:password@`` before the host or as ``token=``; no message shows
    it.

    Raises
    ------
    InvalidArgument
        When it is none.
    UnknownName
        For an option that does not exist.
    """
    rest = place.removeprefix(SCHEME)
    if rest.startswith("//") and not rest.startswith("///"):
        return _server(place)
    return _lite(place, rest)


def _lite(place: str, rest: str) -> Address:
    text, _, query = rest.partition("?")
    options = _options(query, ("gallery",))
    if text.startswith("///"):
        text = unquote(text[2:])
        if re.match(r"/[A-Za-z]:", text):  # a drive of Windows
            text = text[1:]
    if not text.endswith(".db"):
        raise InvalidArgument(f"{place} names no file that ends with .db.", _FORM)
    name = _checked(options.get("gallery", DEFAULT_NAME))
    shown = f"{SCHEME}{text}"
    if name != DEFAULT_NAME:
        shown += f"?gallery={name}"
    return Address(shown, name, path=Path(text))


def _server(place: str) -> Address:
    try:
        parts = urlsplit(place)
        host, port = parts.hostname, parts.port or _PORT
    except ValueError:
        host = None
    if host is None:
        # The text is not repeated: it may hold a token.
        raise InvalidArgument("The address of a Milvus server is not one.", _FORM)
    options = _options(parts.query, ("database", "tls", "token"))
    tls = options.get("tls", "no")
    if tls not in ("yes", "no"):
        raise InvalidArgument(f"tls is {tls!r}.", "Write tls=yes or tls=no.")
    name = _checked(parts.path.strip("/") or DEFAULT_NAME)
    bracketed = f"[{host}]" if ":" in host else host
    database = options.get("database", "")
    return Address(
        f"milvus://{bracketed}:{port}/{name}" + (f"?database={database}" if database else ""),
        name,
        uri=f"http{'s' if tls == 'yes' else ''}://{bracketed}:{port}",
        token=_token(parts.username, parts.password, options.get("token")),
        database=database,
    )


def _token(user: str | None, password: str | None, key: str | None) -> str:
    source = "The address"
    if user is not None and password is None:
        # It may be a key, and names of users are shown.
        raise InvalidArgument(
            "The address of a Milvus server names a user without a password.",
            f"Write user:password@, or put an API key into the variable {TOKEN}.",
        )
    if user is not None:
        token = f"{unquote(user)}:{unquote(password or '')}"
    elif key is not None:
        token = key
    else:
        token, source = os.environ.get(TOKEN, ""), TOKEN
    if not re.fullmatch(r"[\x21-\x7e]*", token):
        raise InvalidArgument(
            f"{source} holds a token with blanks or other characters that none has.",
            "It is user:password, or an API key.",
        )
    return token


def _options(query: str, known: tuple[str, ...]) -> dict[str, str]:
    options = dict(parse_qsl(query, keep_blank_values=True))
    for name in options:
        if name not in known:
            raise UnknownName("option of a Milvus address", name, known)
    return options


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise InvalidArgument(
            f"A gallery in Milvus cannot be named {name!r}.",
            "Up to 60 letters without accents, digits and underscores, no digit first.",
        )
    return name
