"""What a gallery's folder holds, in numbers."""

from __future__ import annotations

from pathlib import Path
from sqlite3 import Connection
from typing import Any

from facekit.gallery.store import approximate
from facekit.gallery.store.state import state_of


def summary(folder: Path, db: Connection) -> dict[str, Any]:
    """Counts and sizes; with ``index``, its ``index_recall`` at k and ``index_faces``."""
    state = state_of(db)
    counts = {
        f"{name}s" if name != "person" else "people": db.execute(
            f"SELECT count(*) FROM {name}"
        ).fetchone()[0]
        for name in ("face", "photo", "person", "thumbnail")
    }
    (without,) = db.execute("SELECT count(*) FROM photo WHERE reason <> ''").fetchone()
    index = approximate.facts_of(folder)
    if index is not None and not index.fits(state):
        index = None
    return {
        **counts,
        "photos_without_face": without,
        "empty_slots": state.used - counts["faces"],
        "bytes": sum(path.stat().st_size for path in folder.iterdir() if path.is_file()),
        "index": None if index is None else index.kind,
        "index_recall": {} if index is None else {e.k: e.recall for e in index.efforts},
        "index_faces": 0 if index is None else index.state.used,
    }
