"""A gallery in Milvus."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from facekit.errors import GalleryError, InvalidArgument
from facekit.gallery import accepted
from facekit.gallery.backend import Forgotten
from facekit.gallery.milvus import address, changes, forgetting, lite, nearest, rows
from facekit.gallery.milvus.address import Address
from facekit.gallery.milvus.changes import Change
from facekit.gallery.milvus.register import Register
from facekit.gallery.milvus.server import Server
from facekit.gallery.milvus.turns import Turns, View, collection, make_collections
from facekit.gallery.records import (
    EVERYTHING,
    Entry,
    Hit,
    Origin,
    Person,
    Photo,
    PhotoChange,
    StoredFace,
    Where,
)

_DTYPE = "float32"
_INDEXES = {
    "exact": {"index_type": "FLAT", "metric_type": "COSINE"},
    "hnsw": {
        "index_type": "HNSW",
        "metric_type": "COSINE",
        "params": {"M": 32, "efConstruction": 256},
    },
}
_ROWS = 1000  # with vectors, copied at a time


class MilvusGallery:
    """A gallery in Milvus; the methods are those of ``facekit.gallery.backend.Backend``.

    What it promises, and where Milvus sets a limit:

    - A change is seen as a whole or not at all, by everybody at the same moment, and a
      writer that is killed leaves nothing that is seen (``turns``). A search sees one
      state. Writers wait for each other; one that gives no sign of life for half a minute
      counts as dead, and if it comes back it is told that nothing was stored.
    - What was stored outlives a crash: a server's as its log is kept, Milvus Lite's because
      its files are synchronised before ``add`` returns.
    - Milvus Lite serves one process at a time; another gets an error. A server serves any.
    - Searches are exact, by the angle through Milvus' own index; the euclidean distance,
      ``k`` None without ``within``, and thousands of equal faces have every vector read
      and measured here, which takes longer.
    - Deleted rows are not given out any more, but a server's files and log keep their bytes
      until it has compacted them and its own time for dropped files is over: see ``forget``.
    - Vectors are float32, of lengths between 1e-12 and 1e12.

    Parameters
    ----------
    place : str
        See ``facekit.gallery.milvus.address.parse``.

    Raises
    ------
    GalleryError
        When no gallery is there, or no server answers.
    InvalidArgument, UnknownName
        When the address is none.
    MissingDependency
    """

    def __init__(self, place: str) -> None:
        where = address.parse(place)
        self._open(where, Server(where))

    def _open(self, where: Address, server: Server) -> None:
        self._server = server
        self._turns = Turns(server, where.name)
        self._indexing = Register(server, f"{where.name}_index")
        try:
            state = self._turns.state()
            if state is None:
                raise GalleryError(
                    f"{where.shown} is not a gallery.", "Make one there by adding faces."
                )
            view = self._turns.view()
            for kind in ("faces", "records"):
                server.load(view.collection(kind))
            self.origin = _origin(server, view)
            hnsw = server.index_of(view.collection("faces")) == "HNSW"
        except GalleryError:
            server.close()
            raise
        self._index = "hnsw" if hnsw else "exact"
        if where.index == "hnsw" and not hnsw:
            server.close()
            raise InvalidArgument(
                f"{where.shown} was made for exact search.",
                "Leave out index=hnsw, or export it and import it into a new gallery.",
            )
        self._approximate = where.ef if where.index == "hnsw" else 0

    @classmethod
    def create(cls, place: str, origin: Origin, dtype: str = _DTYPE) -> MilvusGallery:
        """The gallery of an address, made when there is none.

        Parameters
        ----------
        place : str
            ``index=hnsw`` in it gives a new gallery an index for approximate search.
        origin : Origin
            The pipeline; a gallery of another one is refused.
        dtype : str
            Of a new gallery: ``float32``.

        Raises
        ------
        GalleryError
            When no server answers, or its vectors are another pipeline's.
        InvalidArgument
            For another dtype.
        """
        where = address.parse(place)
        if dtype != _DTYPE and not present(place):
            raise InvalidArgument(
                f"A gallery in Milvus cannot be of {dtype}.", f"Leave out dtype, for {_DTYPE}."
            )
        server = Server(where, make=True)
        try:
            _make(server, where, origin)
            made = cls.__new__(cls)
            made._open(where, server)
            made.origin.check(origin, where.shown)
        except BaseException:
            server.close()
            raise
        return made

    def close(self) -> None:
        """Let go of the server; Milvus Lite ends when nobody in this process uses it."""
        self._server.close()

    def __enter__(self) -> MilvusGallery:
        """The gallery itself; closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- adding and searching ------------------------------------------------------------

    def add(self, entries: Iterable[Entry]) -> list[list[int]]:
        """See ``Backend.add``."""
        group = list(entries)
        if not group:
            return []
        vectors = accepted.faces(group, self.origin, _DTYPE)
        rows.check(group, vectors)
        with self._turns.writing() as turn:
            change, ids, highest = changes.added(self._server, turn, group, vectors)
            turn.commit(change, highest)
        return ids

    def search(
        self,
        vectors: np.ndarray,
        k: int | None = 10,
        metric: str = "cosine",
        within: float | None = None,
        where: Where = EVERYTHING,
    ) -> list[list[Hit]]:
        """See ``Backend.search``; approximate only where the address asks for it."""
        queries = accepted.question(vectors, self.origin, k, metric, within)
        some = rows.condition(where)
        if some is None or not len(queries):
            return [[] for _ in queries]

        def work(view: View) -> list[list[Hit]]:
            condition = view.condition("faces", some)
            # An index for approximate search has no exact answers: all vectors are read.
            if self._index == "exact" or self._approximate:
                asked = nearest.Question(k, metric, within, condition, self._approximate)
                return nearest.nearest(self._server, view, queries, asked)
            return nearest.scanned(
                self._server, view, queries, nearest.Question(k, metric, within, condition)
            )

        return self._turns.steady(work)

    def faces(self, where: Where = EVERYTHING) -> Iterator[tuple[StoredFace, np.ndarray]]:
        """See ``Backend.faces``."""
        some = rows.condition(where)
        last = -1
        size = nearest.block_rows(self.origin.dimension)
        while some is not None:
            view = self._turns.view()
            more = f"face > {last}" + (f" and {some}" if some else "")
            place = view.collection("faces")
            condition = view.condition("faces", more)

            def listed(place: str = place, condition: str = condition) -> list[tuple[int, int]]:
                found = self._server.select(place, condition, ["face"])
                return sorted((row["face"], row["row"]) for row in found)

            pairs = self._if_still(view, listed)
            if not pairs and pairs is not None:
                return
            for start in range(0, len(pairs or ()), size):
                part = [row for _, row in (pairs or ())[start : start + size]]

                def read(place: str = place, part: list[int] = part) -> list[dict[str, Any]]:
                    fields = [*rows.FACE, "vector"]
                    return list(self._server.fetch(place, part, fields, size))

                found = self._if_still(view, read)
                if found is None:
                    break  # go on in the new state, after the last face
                for row in sorted(found, key=lambda row: row["face"]):
                    last = row["face"]
                    yield rows.stored_face(row), np.array(row["vector"], np.float32)

    def _if_still(self, view: View, work: Any) -> Any:
        """What a read gives, or None when others removed rows meanwhile."""
        try:
            found = work()
        except GalleryError:
            if self._turns.still(view):
                raise
            return None
        return found if self._turns.still(view) else None

    def thumbnail(self, face: int) -> bytes | None:
        """See ``Backend.thumbnail``."""

        def work(view: View) -> bytes | None:
            kinds = json.dumps(list(rows.THUMBNAILS))
            some = view.condition("records", f'kind in {kinds} and key == "{int(face)}"')
            found = list(self._server.select(view.collection("records"), some, ["data"], 64))
            return rows.picture_of(found) if found else None

        return self._turns.steady(work)

    # -- people and photos ---------------------------------------------------------------

    def people(self) -> list[Person]:
        """See ``Backend.people``."""
        return self._turns.steady(lambda view: changes.people(self._server, view))

    def photos(self) -> list[Photo]:
        """See ``Backend.photos``."""

        def work(view: View) -> list[Photo]:
            some = view.condition("records", f"kind in {json.dumps(list(rows.PHOTOS))}")
            found = self._server.select(view.collection("records"), some, rows.RECORD)
            return sorted((rows.photo_of(row) for row in found), key=lambda photo: photo.path)

        return self._turns.steady(work)

    @contextmanager
    def indexing(self) -> Iterator[None]:
        """See ``Backend.indexing``; who is killed meanwhile keeps others for half a minute."""
        self._indexing.ensure()
        with self._indexing.held("brings its photos up to date"):
            yield

    def update_photos(self, moves: Sequence[PhotoChange]) -> None:
        """See ``Backend.update_photos``."""
        if moves:
            with self._turns.writing() as turn:
                turn.commit(changes.moved(self._server, turn.view, moves))

    def remove_photos(self, paths: Sequence[str]) -> int:
        """See ``Backend.remove_photos``."""
        if not paths:
            return 0
        with self._turns.writing() as turn:
            change, count = changes.removed(self._server, turn.view, paths)
            turn.commit(change)
        return count

    def rename(self, old: str, new: str) -> int:
        """See ``Backend.rename``."""
        with self._turns.writing() as turn:
            change, count = changes.renamed(self._server, turn, old, new)
            turn.commit(change)
        return count

    def merge(self, sources: Sequence[str], into: str) -> int:
        """See ``Backend.merge``."""
        with self._turns.writing() as turn:
            change, count = changes.merged(self._server, turn, sources, into)
            turn.commit(change)
        return count

    def forget(self, person: str) -> Forgotten:
        """See ``Backend.forget``.

        Milvus Lite's files are written anew without the person, and looked through byte by
        byte. A server is asked to compact its files, and every row that it gives out is
        looked through: ``left`` counts what it still gives out. What compaction left behind
        stays in its object storage until the server drops it (``dataCoord.gc``, an hour and
        more), and in its log of messages until that is cut; nobody can see that from here.
        """
        with self._turns.writing() as turn:
            change, found = forgetting.traced(
                self._server, turn.view, person, self.origin.dimension
            )
            turn.commit(change)
            turn.delete_void()
        if self._server.lite is not None:
            self.compact()
        view = self._turns.view()
        places = [view.collection(kind) for kind in ("faces", "records")]
        if self._server.lite is None:
            for place in places:
                self._server.compact(place)
        same = self.search(found.vectors, 1, "euclidean", 0)
        unique = [not hits for hits in same]
        return forgetting.proved(self._server, view, found, places, unique)

    def log(self) -> list[dict[str, Any]]:
        """See ``Backend.log``."""
        found = self._turns.steady(lambda view: list(changes.log_rows(self._server, view)))
        lines = sorted((*json.loads(row["data"]), rows.decoded(row["key"])) for row in found)
        return [
            {"time": time, "action": action, "person": person, "detail": detail}
            for _, time, action, detail, person in lines
        ]

    def info(self) -> dict[str, Any]:
        """See ``Backend.info``; ``bytes`` of a server are those of the vectors alone."""

        def work(view: View) -> dict[str, Any]:
            def count(*kinds: str) -> int:
                some = view.condition("records", f"kind in {json.dumps(kinds)}")
                return self._server.count(view.collection("records"), some)

            faces = self._server.count(view.collection("faces"), view.condition("faces"))
            return {
                "faces": faces,
                "photos": count(*rows.PHOTOS),
                "people": len(changes.people(self._server, view)),
                "thumbnails": count(rows.THUMBNAILS[0]),
                "photos_without_face": count(rows.PHOTOS[1]),
                "index": self._index,
                "bytes": 4 * self.origin.dimension * faces,
            }

        counts = self._turns.steady(work)
        if self._server.lite is not None:
            files = lite.files(self._server.lite.folder)
            counts["bytes"] = sum(path.stat().st_size for path in files)
        return {
            "gallery": self._server.shown,
            "model": self.origin.model,
            "detector_backend": self.origin.detector,
            "fingerprint": self.origin.fingerprint,
            "dimension": self.origin.dimension,
            "dtype": _DTYPE,
            **counts,
        }

    def compact(self) -> None:
        """Write all rows that are seen into new collections, and drop the old ones."""
        with self._turns.writing() as turn:
            view, state = turn.view, turn.state
            name, files = self._turns.name, state.files + 1
            self._drop(name, files)
            make_collections(
                self._server, name, files, self.origin.dimension, _INDEXES[self._index]
            )
            for kind, fields in (("faces", rows.WHOLE_FACE), ("records", rows.RECORD)):
                place = collection(name, kind, files)
                part: list[dict[str, Any]] = []
                some = view.condition(kind)
                if kind == "records":
                    some += ' and kind not in ["void", "gone"]'
                wanted = ["born", *fields]
                for row in self._server.select(view.collection(kind), some, wanted, _ROWS):
                    part.append(_as_stored(row, kind, wanted))
                    if len(part) == _ROWS:
                        self._server.insert(place, part)
                        part = []
                self._server.insert(place, part)
            turn.say(
                replace(state, files=files, seen=turn.number, removed=turn.number, void=0),
                free=True,
            )
        self._drop(name, state.files)

    def _drop(self, name: str, files: int) -> None:
        for kind in ("faces", "records"):
            self._server.drop(collection(name, kind, files))


def present(place: str) -> bool:
    """Whether there is a gallery.

    Raises
    ------
    GalleryError
        When no server answers, or the file is something else.
    """
    where = address.parse(place)
    if where.path is not None and not lite.present(where.path):
        return False
    server = Server(where)
    try:
        return Turns(server, where.name).state() is not None
    finally:
        server.close()


def _make(server: Server, where: Address, origin: Origin) -> None:
    turns = Turns(server, where.name)
    if turns.state() is not None:
        return None
    turns.register.ensure(turns.first.values)
    with turns.writing() as turn:
        if turn.state.seen:
            return turn.commit(Change())  # another process was faster
        for kind in ("faces", "records"):  # of one that was killed
            server.drop(collection(where.name, kind, turn.state.files))
        make_collections(
            *(server, where.name, turn.state.files, origin.dimension), _INDEXES[where.index]
        )
        data = json.dumps(
            {
                "model": origin.model,
                "detector": origin.detector,
                "fingerprint": origin.fingerprint,
                "dimension": origin.dimension,
                "options": dict(origin.options),
            }
        )
        turn.commit(Change(records=[{"kind": "origin", "key": "", "data": rows.checked(data)}]))
    return None


def _origin(server: Server, view: View) -> Origin:
    some = view.condition("records", 'kind == "origin"')
    for row in server.select(view.collection("records"), some, ["data"]):
        return Origin(**json.loads(row["data"]))
    raise GalleryError(f"{server.shown} is damaged: its origin is lost.", "Index the photos anew.")


def _as_stored(row: dict[str, Any], kind: str, fields: Sequence[str]) -> dict[str, Any]:
    made = {name: row[name] for name in ("row", *fields)}
    if kind == "faces":
        made["tags"] = list(row["tags"])
        made["vector"] = np.array(row["vector"], np.float32)
    else:
        made["vector"] = [0.0, 0.0]
    return made
