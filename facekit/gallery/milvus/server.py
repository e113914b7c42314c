"""The Milvus server that keeps a gallery, and the few things that are asked of it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

from facekit import extras
from facekit.errors import GalleryError
from facekit.gallery.milvus import lite
from facekit.gallery.milvus.address import TOKEN, Address

PAGE = 16384  # rows of one answer: Milvus' limit
_CONNECT = 10.0  # seconds for the server to answer at all
_TIMEOUT = 120.0  # seconds of one request
_LOAD = 600.0  # seconds until vectors are in the server's memory
_INSERT_BYTES = 1 << 23  # of one request; Milvus' limit is 64 MiB
_TRIES = 3
# pymilvus pings every 10 seconds, also while nothing is asked: a server with gRPC's own limits,
# as Milvus Lite's, hangs up after two minutes ("too many pings"). During requests they stay, so
# that a server that is gone is noticed before _TIMEOUT. Without its own pool, the channel that
# follows a closed one would be given the closed one's socket.
_GRPC = {
    "grpc.keepalive_permit_without_calls": 0,
    "grpc.keepalive_time_ms": 60_000,
    "grpc.use_local_subchannel_pool": 1,
}
_LOGGERS = ("pymilvus", "milvus_lite")
_speaking = threading.local()
# Milvus Lite cannot list collections while one gets another name.
_names: dict[str, threading.Lock] = {}


class Server:
    """A connection; any number of threads may use it.

    Parameters
    ----------
    address : Address
    make : bool
        Let Milvus Lite make its folder when there is none.

    Raises
    ------
    GalleryError
        When no server answers, it refuses the token, or the folder cannot be used.
    MissingDependency
        Without pymilvus, or milvus-lite where it is needed.
    """

    def __init__(self, address: Address, *, make: bool = False) -> None:
        extras.load("pymilvus", "A gallery in Milvus")
        _silence()
        self.shown = address.shown
        self.alone = address.path is not None
        self.key = address.uri + address.database
        self._secret = address.token
        self._lite: lite.Lite | None = None
        uri = address.uri
        if address.path is not None:
            self._lite = lite.Lite(address.path, make=make)
            self.key, uri = str(self._lite.folder), self._lite.uri
        self._names = _names.setdefault(self.key, threading.Lock())
        try:
            with self._spoken(_no_answer(address)):
                self._client = _connected(uri, address)
        except GalleryError:
            if self._lite is not None:
                self._lite.close()
            raise

    def close(self) -> None:
        """Let go of the connection; Milvus Lite ends with the last one."""
        with suppress(GalleryError), self._spoken():
            self._client.close()
        if self._lite is not None:
            self._lite.close()

    # -- collections -------------------------------------------------------------------

    def names(self) -> list[str]:
        """Every collection of the database."""
        for _ in range(_TRIES - 1):  # one that gets another name meanwhile is an error
            with suppress(GalleryError), self._spoken(), self._names:
                return list(self._client.list_collections(timeout=_TIMEOUT))
        with self._spoken(), self._names:
            return list(self._client.list_collections(timeout=_TIMEOUT))

    def rename(self, old: str, new: str) -> bool:
        """Give a collection a name that nobody has had; whether it still had the old one."""
        try:
            with self._spoken(), self._names:
                self._client.rename_collection(old, new, timeout=_TIMEOUT)
        except GalleryError:
            # An answer may be lost, and the request sent twice: what is true now decides.
            names = self.names()
            if old in names:
                raise
            return new in names
        return True

    def make_empty(self, name: str) -> None:
        """Make a collection for the sake of its name."""
        with self._spoken():
            schema = self._schema({}, {"vector": 2})
            self._client.create_collection(name, schema=schema, timeout=_TIMEOUT)

    def make(
        self,
        name: str,
        fields: dict[str, tuple[str, dict[str, Any]]],
        vectors: dict[str, int],
        indexes: dict[str, dict[str, Any]],
    ) -> None:
        """Make a collection with scalar fields, vectors of so many numbers and their indexes."""
        with self._spoken():
            self._client.create_collection(
                name,
                schema=self._schema(fields, vectors),
                consistency_level="Strong",
                timeout=_TIMEOUT,
            )
            params = self._client.prepare_index_params()
            for field, index in indexes.items():
                params.add_index(field, **index)
            # Not waited for: there is nothing in it yet.
            self._client.create_index(name, params, timeout=_TIMEOUT, sync=False)
            self._client.load_collection(name, timeout=_LOAD)

    def load(self, name: str) -> None:
        """Have a collection in the server's memory."""
        with self._spoken():
            self._client.load_collection(name, timeout=_LOAD)

    def drop(self, name: str) -> None:
        """Remove a collection with all it holds."""
        with self._spoken():
            self._client.drop_collection(name, timeout=_TIMEOUT)

    def _schema(
        self, fields: dict[str, tuple[str, dict[str, Any]]], vectors: dict[str, int]
    ) -> Any:
        kinds = extras.load("pymilvus", "A gallery in Milvus").DataType
        made = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
        made.add_field("row", kinds.INT64, is_primary=True)
        for name, (kind, given) in fields.items():
            options = dict(given)
            if "element_type" in options:
                options["element_type"] = kinds[options["element_type"]]
            made.add_field(name, kinds[kind], **options)
        for name, dimension in vectors.items():
            made.add_field(name, kinds.FLOAT_VECTOR, dim=dimension)
        return made

    # -- rows --------------------------------------------------------------------------

    def insert(self, name: str, rows: Sequence[dict[str, Any]]) -> None:
        """Add rows; what other requests see of them is the caller's care."""
        part: list[dict[str, Any]] = []
        size = 0
        for row in rows:
            part.append(row)
            size += _size(row)
            if size >= _INSERT_BYTES:
                self._insert(name, part)
                part, size = [], 0
        if part:
            self._insert(name, part)

    def _insert(self, name: str, rows: list[dict[str, Any]]) -> None:
        with self._spoken():
            self._client.insert(name, rows, timeout=_TIMEOUT)

    def delete(self, name: str, rows: Sequence[int]) -> None:
        """Take rows out by their numbers."""
        for some in _parts(rows, PAGE):
            with self._spoken():
                self._client.delete(name, ids=some, timeout=_TIMEOUT)

    def select(
        self, name: str, condition: str, fields: Sequence[str], at_once: int = PAGE
    ) -> Iterator[dict[str, Any]]:
        """The rows for which a condition holds, in the order of their numbers."""
        last = -1
        while True:
            with self._spoken():
                found = self._client.query(
                    name,
                    filter=f"row > {last} and ({condition})",
                    output_fields=["row", *fields],
                    limit=at_once,
                    consistency_level="Strong",
                    timeout=_TIMEOUT,
                    # As pymilvus pages through a collection; the answer is in order.
                    iterator="True",
                    reduce_stop_for_best="False",
                )
            yield from found
            if len(found) < at_once:
                return
            last = found[-1]["row"]

    def fetch(
        self, name: str, rows: Sequence[int], fields: Sequence[str], at_once: int = 4096
    ) -> Iterator[dict[str, Any]]:
        """Rows by their numbers, in any order; those that are not there are left out."""
        for some in _parts(rows, at_once):
            with self._spoken():
                yield from self._client.query(
                    name,
                    filter=f"row in {some}",
                    output_fields=["row", *fields],
                    consistency_level="Strong",
                    timeout=_TIMEOUT,
                )

    def count(self, name: str, condition: str) -> int:
        """For how many rows a condition holds."""
        with self._spoken():
            found = self._client.query(
                name,
                filter=condition,
                output_fields=["count(*)"],
                consistency_level="Strong",
                timeout=_TIMEOUT,
            )
        return int(found[0]["count(*)"])

    def nearest(
        self,
        name: str,
        queries: np.ndarray,
        limit: int,
        condition: str,
        fields: Sequence[str],
        ef: int = 0,
    ) -> list[list[tuple[float, dict[str, Any]]]]:
        """For each query the ``limit`` rows that Milvus thinks are nearest, with its score.

        With ``ef``, so many candidates are kept by the index for approximate search.
        """
        params = {"ef": max(ef, limit)} if ef else {}
        with self._spoken():
            found = self._client.search(
                name,
                data=list(queries),
                anns_field="near" if ef else "vector",
                filter=condition,
                limit=limit,
                output_fields=list(fields),
                search_params={"metric_type": "COSINE", "params": params},
                consistency_level="Strong",
                timeout=_TIMEOUT,
            )
        return [[(float(hit["distance"]), hit["entity"]) for hit in hits] for hits in found]

    # -- what lies on disk ---------------------------------------------------------------

    def settle(self) -> None:
        """Wait until what was written outlives a power cut, where that is our care."""
        if self._lite is not None:
            self._lite.settle()

    def version(self) -> str:
        """Which Milvus it is."""
        with self._spoken():
            found = self._client.get_server_version(timeout=_TIMEOUT)
        number = str(found).removeprefix("milvus_lite-")
        return f"Milvus {number}" if self._lite is None else f"Milvus Lite {number}"

    def compact(self, name: str) -> None:
        """Ask the server to rewrite a collection's files without the rows that were deleted."""
        with self._spoken():
            self._client.flush(name, timeout=_LOAD)
            self._client.compact(name, timeout=_TIMEOUT)

    @property
    def lite(self) -> lite.Lite | None:
        """Milvus Lite's folder, if it is no server."""
        return self._lite

    @contextmanager
    def _spoken(self, remedy: str = "") -> Iterator[None]:
        """Errors of pymilvus as a sentence, without what it prints itself."""
        import grpc
        from pymilvus.exceptions import MilvusException

        before = getattr(_speaking, "now", False)
        _speaking.now = True
        try:
            yield
        except (MilvusException, grpc.RpcError) as error:
            text = str(getattr(error, "message", "") or error).strip() or type(error).__name__
            text = text.splitlines()[0].rstrip(".")[:300]
            if self._secret:
                text = text.replace(self._secret, "...")
            raise GalleryError(
                f"{self.shown}: Milvus says: {text}.", remedy or "Look at the server."
            ) from error
        finally:
            _speaking.now = before


def _connected(uri: str, address: Address) -> Any:
    """A client of its own connection, to which the server has answered."""
    import grpc
    import pymilvus

    for left in reversed(range(_TRIES)):
        try:
            client = pymilvus.MilvusClient(
                uri,
                token=address.token,
                db_name=address.database,
                timeout=_CONNECT,
                dedicated=True,  # whatever else this process asks of the server, and how
                grpc_options=_GRPC,
            )
            break
        except pymilvus.MilvusException as error:
            cause = error.__cause__
            gone = isinstance(cause, grpc.RpcError) and cause.code() == grpc.StatusCode.UNAVAILABLE
            if not (left and gone):
                raise
    try:
        client.list_collections(timeout=_CONNECT)
    except Exception:
        client.close()
        raise
    return client


def _parts(rows: Sequence[int], size: int) -> Iterator[list[int]]:
    for start in range(0, len(rows), size):
        yield list(rows[start : start + size])


def _size(row: dict[str, Any]) -> int:
    """About how many bytes a row takes."""
    return 64 + sum(
        value.nbytes if isinstance(value, np.ndarray) else len(value)
        for value in row.values()
        if isinstance(value, (str, np.ndarray))
    )


def _no_answer(address: Address) -> str:
    if address.path is not None:
        return "Name another file."
    return f"Check that the server runs there, and the token in {TOKEN} if it asks for one."


class _OnlyOthers(logging.Filter):
    """Lets through what was not caused by a request of ours: we say it in our own words."""

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002
        return not getattr(_speaking, "now", False)


_others = _OnlyOthers()


def _silence() -> None:
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())
        for handler in logger.handlers:
            handler.addFilter(_others)
