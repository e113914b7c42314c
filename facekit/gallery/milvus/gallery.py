"""A gallery in Milvus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from facekit import checks
from facekit.errors import GalleryError, InvalidArgument
from facekit.gallery import accepted
from facekit.gallery.backend import Forgotten
from facekit.gallery.milvus import (
    address,
    changes,
    forgetting,
    hnsw,
    lite,
    making,
    nearest,
    reading,
    rows,
)
from facekit.gallery.milvus.address import Address
from facekit.gallery.milvus.register import Register
from facekit.gallery.milvus.server import Server
from facekit.gallery.milvus.turns import Turns, View, collection
from facekit.gallery.records import (
    EVERYTHING,
    Answers,
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
            for kind in ("faces", "records"):
                server.load(collection(where.name, kind, state.files))
            view = self._turns.view()
            self.origin = making.origin_of(server, view)
            if where.index == "hnsw" and not view.state.indexed:
                raise GalleryError(
                    f"{where.shown} has no index for approximate search.",
                    "Make one with `facekit gallery index`, or leave out index=hnsw.",
                )
        except BaseException:
            server.close()
            raise
        self._default_ef = where.ef
        self._ef = where.ef if where.index == "hnsw" else 0

    @classmethod
    def create(cls, place: str, origin: Origin, dtype: str = _DTYPE) -> MilvusGallery:
        """The gallery of an address, made when there is none.

        Parameters
        ----------
        place : str
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
        if dtype != _DTYPE and not making.present(place):
            raise InvalidArgument(
                f"A gallery in Milvus cannot be of {dtype}.", f"Leave out dtype, for {_DTYPE}."
            )
        server = Server(where, make=True)
        try:
            making.make(server, where, origin)
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
        recall: float | None = None,
    ) -> Answers[list[Hit]]:
        """See ``Backend.search``; approximate also where the address asks for it."""
        queries = accepted.question(vectors, self.origin, k, metric, within)
        if recall is not None:
            checks.check_fraction("recall", recall)
        some = rows.condition(where)
        if some is None or not len(queries):
            return Answers([] for _ in queries)

        def work(view: View) -> Answers[list[Hit]]:
            condition = view.condition("faces", some)
            ef, share = 0, 1.0
            if view.state.indexed and metric != "euclidean" and (self._ef or recall is not None):
                told = hnsw.told(self._server, view)
                ef, share = hnsw.choice(told, self._ef, k, recall)
            asked = nearest.Question(k, metric, within, condition, ef)
            return Answers(nearest.nearest(self._server, view, queries, asked), share)

        return self._turns.steady(work)

    def faces(self, where: Where = EVERYTHING) -> Iterator[tuple[StoredFace, np.ndarray]]:
        """See ``Backend.faces``."""
        return reading.faces(self._server, self._turns, where, self.origin.dimension)

    def thumbnail(self, face: int) -> bytes | None:
        """See ``Backend.thumbnail``."""
        return self._turns.steady(lambda view: reading.thumbnail(self._server, view, face))

    # -- people and photos ---------------------------------------------------------------

    def people(self) -> list[Person]:
        """See ``Backend.people``."""
        return self._turns.steady(lambda view: changes.people(self._server, view))

    def photos(self) -> list[Photo]:
        """See ``Backend.photos``."""
        return self._turns.steady(lambda view: reading.photos(self._server, view))

    @contextmanager
    def indexing(self) -> Iterator[None]:
        """See ``Backend.indexing``; who is killed meanwhile keeps others for half a minute."""
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

    def remove_faces(self, faces: Sequence[int]) -> int:
        """See ``Backend.remove_faces``."""
        if not faces:
            return 0
        with self._turns.writing() as turn:
            change, count = changes.without(self._server, turn.view, faces)
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
        return self._turns.steady(lambda view: reading.log(self._server, view))

    def append_log(self, lines: Iterable[dict[str, Any]]) -> None:
        """Write lines of another gallery's log at the end of this one's."""
        with self._turns.writing() as turn:
            turn.commit(changes.logged(turn, lines))

    def info(self) -> dict[str, Any]:
        """See ``Backend.info``; ``bytes`` of a server are those of the vectors alone."""
        counts, told = self._turns.steady(
            lambda view: (reading.counts(self._server, view), hnsw.told(self._server, view))
        )
        size = 4 * self.origin.dimension * counts["faces"]
        if self._server.lite is not None:
            files = lite.files(self._server.lite.folder)
            size = sum(path.stat().st_size for path in files)
        return {
            "gallery": self._server.shown,
            "model": self.origin.model,
            "detector_backend": self.origin.detector,
            "fingerprint": self.origin.fingerprint,
            "dimension": self.origin.dimension,
            "dtype": _DTYPE,
            **counts,
            "bytes": size,
            "server": self._server.version(),
            "search": "approximate (hnsw)" if self._ef else "exact",
            **told,
        }

    # -- what lies on disk -----------------------------------------------------------------

    def compact(self) -> None:
        """Write all rows that are seen into new collections, and drop the old ones."""
        making.compact(self._server, self._turns, self.origin.dimension)

    def make_index(
        self, metric: str = "cosine", ef: int | None = None, recall: float = 0.99
    ) -> dict[str, Any]:
        """Make the index that approximate searches use, and measure its recall.

        The vectors are then in the server's memory twice: exact searches stay as they were.

        Parameters
        ----------
        metric : str
            One of the angle: these order faces alike.
        ef : int, optional
            How many candidates it keeps while the recall is measured; by default the
            address's, and twice as many until it finds enough.
        recall : float
            What is enough.

        Returns
        -------
        dict
            ``index_metric``, ``index_recall`` (which part of the ten nearest other faces of
            up to a hundred faces it finds; None when there was no face), ``index_queries``,
            ``index_faces`` and ``index_ef``, as in ``info``.

        Raises
        ------
        InvalidArgument
            For ``euclidean``.
        """
        hnsw.check(metric)
        checks.check_fraction("recall", recall)
        making.compact(self._server, self._turns, self.origin.dimension, indexed=True)
        for effort in [ef] if ef is not None else hnsw.efforts(self._default_ef):
            made = hnsw.measured(self._server, self._turns, effort)
            if made["index_recall"] is None or made["index_recall"] >= recall:
                break
        return made

    def remove_index(self) -> bool:
        """Remove the index; whether there was one."""
        if not self._turns.view().state.indexed:
            return False
        making.compact(self._server, self._turns, self.origin.dimension, indexed=False)
        return True
