"""Where a gallery in PostgreSQL is: its URL taken apart, and shown without the password."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from facekit.errors import InvalidArgument
from facekit.gallery.urls import without_secrets

DEFAULT_NAME = "facekit"
_LONGEST = 63  # bytes of a name in PostgreSQL
_OURS = ("gallery",)
_PATIENCE = 10  # seconds for a server to answer


@dataclass(frozen=True)
class Address:
    """A gallery's URL, taken apart.

    Attributes
    ----------
    server : str
        What libpq needs to connect; holds the password, so it is never shown.
    schema : str
        The schema that holds the gallery's tables.
    shown : str
        The URL without secrets.
    """

    server: str
    schema: str
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
        ``PGSERVICE``, ...) and files; ``gallery`` is ``facekit`` by default. libpq's own
        parameters, such as ``sslmode``, may follow.

    Raises
    ------
    InvalidArgument
    """
    shown = without_secrets(url)
    try:
        if "@" in (urlsplit(url).password or ""):
            raise ValueError("an @ ends the password")
        scheme, _, rest = url.partition("://")
        head, _, query = rest.partition("?")
        ours, theirs = _split(query)
        end = f"?{'&'.join(theirs)}" if theirs else ""
        server = conninfo_to_dict(f"{scheme.lower()}://{head}{end}")
    except (ProgrammingError, ValueError) as error:
        raise InvalidArgument(
            f"{shown} is not an address of PostgreSQL.",
            "Write it like postgresql://user@host/database?gallery=name; in a password / is "
            "%2F, : is %3A and @ is %40.",
        ) from error
    schema = ours.get("gallery", DEFAULT_NAME)
    if not 0 < len(schema.encode()) <= _LONGEST or schema.startswith("pg_") or "\0" in schema:
        raise InvalidArgument(
            f"A gallery cannot be called {schema!r} in PostgreSQL.",
            f"Name it with 1 to {_LONGEST} letters, not beginning with pg_.",
        )
    return Address(_complete(server), schema, shown)


def _complete(server: dict[str, Any]) -> str:
    """What libpq is told, with defaults where neither URL, environment nor a service says more."""
    told = {"fallback_application_name": "facekit", **server, "client_encoding": "utf8"}
    if not {"service", "connect_timeout"} & set(server) and not (
        {"PGSERVICE", "PGCONNECT_TIMEOUT"} & set(os.environ)
    ):
        told["connect_timeout"] = _PATIENCE
    return make_conninfo(**told)


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
