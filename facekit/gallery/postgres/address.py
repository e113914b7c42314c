"""Where a gallery in PostgreSQL is: its URL taken apart, and shown without the password."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit, urlunsplit

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from facekit import checks
from facekit.errors import InvalidArgument, UnknownName
from facekit.gallery.urls import without_secrets

DEFAULT_NAME = "facekit"
INDEXES = ("exact", "hnsw")
_EF = 100  # candidates that HNSW keeps while it searches
_MOST_EF = 1000  # pgvector's limit
_LONGEST = 63  # bytes of a name in PostgreSQL
_OURS = ("gallery", "index", "ef")
# What the URL, the environment and the service file may say otherwise.
_DEFAULTS = {"connect_timeout": "10", "client_encoding": "utf8", "application_name": "facekit"}


@dataclass(frozen=True)
class Address:
    """A gallery's URL, taken apart.

    Attributes
    ----------
    server : str
        What libpq needs to connect; holds the password, so it is never shown.
    schema : str
        The schema that holds the gallery's tables.
    index : str
        ``exact``, or ``hnsw`` where the caller wants approximate answers.
    ef : int
        How many candidates HNSW keeps.
    shown : str
        The URL without secrets.
    """

    server: str
    schema: str
    index: str
    ef: int
    shown: str

    def __repr__(self) -> str:
        return f"Address({self.shown!r})"


def parsed(url: str) -> Address:
    """The address that a URL names.

    Parameters
    ----------
    url : str
        ``postgresql://user@host:port/database?gallery=NAME``, or ``postgres://``. What is
        left out comes from libpq's environment variables (``PGHOST``, ``PGPASSWORD``,
        ``PGSERVICE``, ...) and files; ``gallery`` is ``facekit`` by default; ``index=hnsw``
        asks for approximate search with ``ef`` candidates. libpq's own parameters, such as
        ``sslmode``, may follow.

    Raises
    ------
    InvalidArgument, UnknownName
    """
    shown = without_secrets(url)
    try:
        parts = urlsplit(url)
        ours, theirs = _split(parts.query)
        if parts.password and "@" in parts.password:
            raise InvalidArgument(
                f"The password of {shown} holds an @.", "Write it as %40 in the URL."
            )
        server = conninfo_to_dict(
            urlunsplit((parts.scheme, parts.netloc, parts.path, "&".join(theirs), ""))
        )
    except (ProgrammingError, ValueError) as error:
        if isinstance(error, InvalidArgument):
            raise
        raise InvalidArgument(
            f"{shown} is not an address of PostgreSQL.",
            "Write it like postgresql://user@host/database?gallery=name, with %-codes for "
            "special characters.",
        ) from error
    schema = ours.get("gallery", DEFAULT_NAME)
    if not 0 < len(schema.encode()) <= _LONGEST or schema.startswith("pg_") or "\0" in schema:
        raise InvalidArgument(
            f"A gallery cannot be called {schema!r} in PostgreSQL.",
            f"Name it with 1 to {_LONGEST} letters, not beginning with pg_.",
        )
    index = ours.get("index", INDEXES[0])
    if index not in INDEXES:
        raise UnknownName("index", index, INDEXES)
    return Address(
        make_conninfo(**{**_defaults(server), **server}),
        schema,
        index,
        _ef(ours.get("ef")),
        shown,
    )


def _defaults(server: dict[str, object]) -> dict[str, str]:
    # A service file may say these too.
    return {} if "service" in server else _DEFAULTS


def _split(query: str) -> tuple[dict[str, str], list[str]]:
    """Our own parameters decoded, and libpq's as they are."""
    ours, theirs = {}, []
    for part in filter(None, query.split("&")):
        name, _, value = part.partition("=")
        if name in _OURS:
            ours[name] = unquote(value)
        else:
            theirs.append(part)
    return ours, theirs


def _ef(text: str | None) -> int:
    if text is None:
        return _EF
    if not text.isdecimal():
        raise InvalidArgument(f"ef is {text!r}.", "Pass a number of candidates, such as 200.")
    ef = int(text)
    checks.check_count("ef", ef)
    return min(ef, _MOST_EF)
