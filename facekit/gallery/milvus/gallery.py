"""A gallery in Milvus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from facekit import checks
from facekit.errors import GalleryError, InvalidArgument
from facekit.gallery import approximation
from facekit.gallery.backend import Backend, Forgotten
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
    Search,
    StoredFace,
    Where,
)


class MilvusGallery(Backend):
    """A gallery in Milvus.

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

    dtype = "float32"

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
        except BaseException:
            server.close()
            raise

    @classmethod
    def create(cls, place: str, origin: Origin, dtype: str = dtype) -> MilvusGallery:
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
        if dtype != cls.dtype and not making.present(place):
            raise InvalidArgument(
                f"A gallery in Milvus cannot be of {dtype}.", f"Leave out dtype, for {cls.dtype}."
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

    @property
    def place(self) -> str:
        """The address without the token."""
        return self._server.shown

    # -- adding and searching ------------------------------------------------------------

    def _add(self, entries: list[Entry], vectors: np.ndarray) -> list[list[int]]:
        rows.check(entries, vectors)
        with self._turns.writing() as turn:
            change, ids, highest = changes.added(self._server, turn, entries, vectors)
            turn.commit(change, highest)
        return ids

    def _search(self, asked: Search) -> Answers[list[Hit]]:
        some = rows.condition(asked.where)
        if some is None or not len(asked.queries):
            return Answers([] for _ in asked.queries)

        def work(view: View) -> Answers[list[Hit]]:
            index = None if asked.recall is None else hnsw.known(self._server, view)
            ef, share = approximation.effort(index, asked)
            condition = view.condition("faces", some)
            question = nearest.Question(asked.k, asked.metric, asked.within, condition, ef)
            return Answers(nearest.nearest(self._server, view, asked.queries, question), share)

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
        """See ``Backend.append_log``."""
        with self._turns.writing() as turn:
            turn.commit(changes.logged(turn, lines))

    def _info(self) -> dict[str, Any]:
        counts, index = self._turns.steady(
            lambda view: (reading.counts(self._server, view), hnsw.known(self._server, view))
        )
        # Of a server those of the vectors alone.
        size = 4 * self.origin.dimension * counts["faces"]
        if self._server.lite is not None:
            files = lite.files(self._server.lite.folder)
            size = sum(path.stat().st_size for path in files)
        return {
            **counts,
            "bytes": size,
            "server": self._server.version(),
            **({} if index is None else index.told()),
        }

    # -- what lies on disk -----------------------------------------------------------------

    def compact(self) -> None:
        """Write all rows that are seen into new collections, and drop the old ones."""
        making.compact(self._server, self._turns, self.origin.dimension)

    def make_index(
        self, recall: float = 0.99, metric: str = "cosine", ef: int | None = None
    ) -> dict[str, Any]:
        """See ``Backend.make_index``: HNSW.

        The vectors are then in the server's memory twice: exact searches stay as they were.

        Returns
        -------
        dict
            See ``facekit.gallery.approximation.Approximation``; as in ``info``.

        Raises
        ------
        InvalidArgument
            For ``euclidean``.
        """
        hnsw.check(metric)
        checks.check_fraction("recall", recall)
        if ef is not None:
            checks.check_count("ef", ef)
        making.compact(self._server, self._turns, self.origin.dimension, indexed=True)
        least, most = hnsw.EFFORTS
        return approximation.tried(
            ef,
            least,
            most,
            recall,
            lambda number: hnsw.measured(self._server, self._turns, number),
        ).told()

    def remove_index(self) -> bool:
        """See ``Backend.remove_index``."""
        if not self._turns.view().state.indexed:
            return False
        making.compact(self._server, self._turns, self.origin.dimension, indexed=False)
        return True
