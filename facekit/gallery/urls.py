"""URLs of databases as they may be shown."""

from __future__ import annotations

_SECRETS = ("password", "sslpassword", "oauth_client_secret", "token")


def without_secrets(url: str) -> str:
    """A URL without its password, wherever that is."""
    head, _, query = url.partition("?")
    scheme, mark, rest = head.partition("://")
    user, at, host = rest.rpartition("@")
    kept = [part for part in query.split("&") if part and part.partition("=")[0] not in _SECRETS]
    end = f"?{'&'.join(kept)}" if kept else ""
    return f"{scheme}{mark}{user.partition(':')[0]}{at}{host}{end}"
