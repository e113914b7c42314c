"""pgvector's approximate index: made on request, its recall measured when it is made."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from psycopg import Connection

from facekit import distance
from facekit.errors import GalleryError, InvalidArgument
from facekit.gallery.postgres.address import MOST_EF
from facekit.gallery.postgres.schema import pgvector_version
from facekit.gallery.postgres.vectors import TYPES
from facekit.gallery.records import MOST_MEASURED, Hit

if TYPE_CHECKING:
    from facekit.gallery.postgres.gallery import PostgresGallery

NAME = "face_hnsw"
_LONGEST = {"float32": 2000, "float16": 4000}  # pgvector's limits
_LEAST_PGVECTOR = (0, 8)  # goes on where a filter let too few through
_QUERIES = 100
_NEAREST = 10


@dataclass(frozen=True)
class How:
    """Whether a search is ``exact``, or by the index ``hnsw`` with ``ef`` candidates."""

    index: str = "exact"
    ef: int = 0


EXACT = How()


@dataclass(frozen=True)
class Approximation:
    """What is known of the index.

    Attributes
    ----------
    metric : str
        ``euclidean``, or ``cosine``, which orders faces as the other metrics of the angle do.
    recall : float or None
        Which part of the ten nearest other faces it finds; None when there was no face.
    queries, faces : int
        How many were asked for, of how many, when it was made.
    ef : int
        How many candidates it kept.
    """

    metric: str
    recall: float | None
    queries: int
    faces: int
    ef: int


def known(db: Connection[Any]) -> Approximation | None:
    """What is known of the index, if there is one."""
    row = db.execute("SELECT metric, recall, queries, faces, ef FROM approximation").fetchone()
    return None if row is None else Approximation(*row)


def efforts(least: int) -> list[int]:
    """Numbers of candidates to try, each twice as many as the one before."""
    doubled = [least << i for i in range(16)]
    return [*(ef for ef in doubled if ef < MOST_EF), MOST_EF]


def choice(
    index: Approximation | None, asked: How, k: int, metric: str, recall: float | None
) -> tuple[How, float]:
    """How to search, and which part of the nearest it is known to find; 0 for unknown.

    Parameters
    ----------
    index : Approximation or None
    asked : How
        What the URL says.
    k, metric, recall
        See ``Backend.search``.
    """
    known = min((index.recall if index is not None else None) or 0.0, MOST_MEASURED)
    if asked.index == "hnsw":
        return asked, known if index is not None and asked.ef >= index.ef else 0.0
    if index is None or recall is None or known < recall or k > index.ef:
        return asked, 1.0
    return (How("hnsw", index.ef), known) if index.metric == angle(metric) else (asked, 1.0)


def angle(metric: str) -> str:
    """The metric of an index that orders faces as ``metric`` does."""
    distance.check(metric)
    return "euclidean" if metric == "euclidean" else "cosine"


def build(gallery: PostgresGallery, metric: str) -> None:
    """Make the index anew, without its recall; others cannot write meanwhile.

    Raises
    ------
    InvalidArgument
        When the vectors are too long for it.
    GalleryError
        When pgvector is too old.
    """
    dimension, dtype = gallery.origin.dimension, gallery.dtype
    if dimension > _LONGEST[dtype]:
        half = ", or keep them as float16" if dimension <= _LONGEST["float16"] else ""
        raise InvalidArgument(
            f"pgvector indexes vectors of at most {_LONGEST[dtype]} numbers of {dtype}, "
            f"not of {dimension}.",
            f"Search them exactly, without an index{half}.",
        )
    operators = f"{TYPES[dtype]}_{'l2' if angle(metric) == 'euclidean' else 'cosine'}_ops"
    with gallery.database.writing() as db:
        version = gallery.database.learn_types(db)
        if version is None or pgvector_version(version) < _LEAST_PGVECTOR:
            raise GalleryError(
                f"An index needs pgvector 0.8 or later, not {version}.",
                "Update it: ALTER EXTENSION vector UPDATE.",
            )
        db.execute(f"DROP INDEX IF EXISTS {NAME}")
        db.execute(f"CREATE INDEX {NAME} ON face USING hnsw (embedding {operators})")
        db.execute("DELETE FROM approximation")
        db.execute("INSERT INTO approximation (metric) VALUES (%s)", (angle(metric),))


def remove(gallery: PostgresGallery) -> bool:
    """Remove the index; whether there was one."""
    with gallery.database.writing() as db:
        db.execute(f"DROP INDEX IF EXISTS {NAME}")
        return bool(db.execute("DELETE FROM approximation").rowcount)


def measure(gallery: PostgresGallery, metric: str, ef: int) -> Approximation:
    """Ask the index for the nearest other faces of some, compare, and note the recall."""
    from facekit.gallery.postgres.searching import search  # which looks at the index first

    with gallery.database.reading() as db:
        row = db.execute("SELECT count(*) FROM face").fetchone()
        assert row is not None
        faces = int(row[0])
        step = max(1, faces // _QUERIES)
        query = (
            "SELECT id, embedding FROM (SELECT id, row_number() OVER (ORDER BY id) AS place "
            "FROM face) AS placed JOIN face USING (id) WHERE place %% %s = 0 ORDER BY id LIMIT %s"
        )
        asked = db.execute(query, (step, _QUERIES), binary=True).fetchall()
    right = total = 0
    for number, vector in asked:
        answers = []
        for how in (How(), How("hnsw", ef)):
            (hits,) = search(gallery, vector[None], _NEAREST + 1, metric, how=how)
            answers.append(_others(hits, number))
        exact, found = answers
        # Of faces at the same distance any will do.
        farthest = max((hit.distance for hit in exact), default=0.0)
        right += sum(hit.distance <= farthest for hit in found)
        total += len(exact)
    known_now = Approximation(
        angle(metric), right / total if total else None, len(asked), faces, ef
    )
    with gallery.database.writing() as db:
        values = (known_now.recall, known_now.queries, faces, ef)
        db.execute(
            "UPDATE approximation SET recall = %s, queries = %s, faces = %s, ef = %s", values
        )
    return known_now


def told(index: Approximation) -> dict[str, Any]:
    """What is known of the index, as ``info`` says it."""
    return {f"index_{name}": value for name, value in asdict(index).items()}


def _others(hits: list[Hit], number: int) -> list[Hit]:
    return [hit for hit in hits if hit.face.id != number][:_NEAREST]
