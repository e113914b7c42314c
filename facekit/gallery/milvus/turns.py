"""Which rows are seen, and how a writer makes a change seen as a whole.

Milvus has no transactions. Here a writer takes a turn, which has a number; its rows carry
that number and are not seen before the register says that the turn is over. Rows are never
changed: a changed face is a new row, and the old one stands on a list of rows that are
gone from the same moment on, and are then deleted. What a turn left that did not come to
its end is never seen, whenever it may arrive, and is deleted by the next writer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass, field, replace
from typing import Any

from facekit.errors import GalleryError
from facekit.gallery.milvus.register import Lease, Mark, Register
from facekit.gallery.milvus.server import Server

WAIT = 120.0  # seconds for another writer who is alive
_PER_TURN = 1 << 32  # numbers for rows
_AT_ONCE = 2000  # numbers in one row of a list
_LETTERS = "fsrpvhi"  # of a state's numbers, in the name of the register
_KINDS = ("faces", "records")
NO_VECTOR = (0.0, 0.0)  # every collection of Milvus needs some


@dataclass(frozen=True)
class State:
    """What the register says.

    Attributes
    ----------
    files : int
        Which collections hold the rows, by the turn that made them; new ones after they were
        written anew.
    seen : int
        The last turn whose rows are seen.
    removed : int
        The last turn that made rows go.
    pending : int
        1 while rows that are gone still have to be deleted.
    void : int
        How many turns up to ``seen`` did not come to their end.
    highest : int
        Number of the last face.
    indexed : int
        1 where the faces have an index for approximate search too.
    """

    files: int = 0
    seen: int = 0
    removed: int = 0
    pending: int = 0
    void: int = 0
    highest: int = 0
    indexed: int = 0

    @property
    def values(self) -> tuple[int, ...]:
        """As the register keeps them."""
        return astuple(self)


@dataclass(frozen=True)
class View:
    """One state, and the rows that are seen in it.

    Attributes
    ----------
    state : State
    name : str
        Of the gallery.
    shown : dict
        For each kind of row the condition that those which are seen fulfil.
    """

    state: State
    name: str
    shown: dict[str, str] = field(default_factory=dict)

    def collection(self, kind: str) -> str:
        """The collection of faces, or of records."""
        return collection(self.name, kind, self.state.files)

    def condition(self, kind: str, more: str = "") -> str:
        """Seen rows for which something else holds too."""
        return f"{self.shown[kind]} and {more}" if more else self.shown[kind]


@dataclass
class Change:
    """What a turn adds and takes away.

    Attributes
    ----------
    faces, records : list of dict
        Rows without ``row`` and ``born``.
    gone : dict
        Numbers of rows, of faces and of records.
    """

    faces: list[dict[str, Any]] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)
    gone: dict[str, list[int]] = field(default_factory=lambda: {"faces": [], "records": []})


def collection(name: str, kind: str, files: int) -> str:
    """A collection's name."""
    return f"{name}_{kind}_{files}"


def state_of(mark: Mark) -> State:
    """What a mark says."""
    return State(*mark.values)


class Turns:
    """The turns of a gallery's writers.

    Parameters
    ----------
    server : Server
    name : str
        Of the gallery.
    """

    def __init__(self, server: Server, name: str) -> None:
        self.server = server
        self.name = name
        self.register = Register(server, f"{name}_state", _LETTERS)
        self._known_void: tuple[tuple[int, int], list[int]] = ((0, 0), [])

    first = State()  # of a gallery that is being made

    def state(self) -> State | None:
        """The state now; None where there is no gallery."""
        mark = self.register.read()
        return None if mark is None or not mark.values[1] else state_of(mark)

    def view(self) -> View:
        """What is seen now."""
        found = self.state()
        if found is None:
            raise GalleryError(
                f"{self.server.shown} is not a gallery any more.", "Somebody removed it."
            )
        return self._view(found)

    def _view(self, state: State) -> View:
        shown = f"born <= {state.seen}"
        view = View(state, self.name, dict.fromkeys(_KINDS, shown))
        void = self._void(view)
        if void:
            shown += f" and born not in {void}"
        lists = self._gone(View(state, self.name, dict.fromkeys(_KINDS, shown)))
        for kind, gone in lists.items():
            view.shown[kind] = shown + (f" and row not in {gone}" if gone else "")
        return view

    def _void(self, view: View) -> list[int]:
        """Turns that did not come to their end, rising."""
        if not view.state.void:
            return []
        key = (view.state.files, view.state.void)
        known, void = self._known_void
        if known != key:
            place = view.collection("records")
            some = view.condition("records", 'kind == "void"')
            found = self.server.select(place, some, ["data"])
            void = sorted({turn for row in found for turn in json.loads(row["data"])})
            self._known_void = (key, void)
        return void

    def _gone(self, view: View) -> dict[str, list[int]]:
        """Rows that are gone, but perhaps not yet deleted."""
        gone: dict[str, list[int]] = {kind: [] for kind in _KINDS}
        if view.state.pending:
            place = view.collection("records")
            some = f'kind == "gone" and born == {view.state.removed}'
            for row in self.server.select(place, some, ["key", "data"], 64):
                gone[row["key"]] += json.loads(row["data"])
        return gone

    def steady(self, work: Callable[[View], Any], attempts: int = 20) -> Any:
        """The result of reading one state.

        Raises
        ------
        GalleryError
            When others remove rows again and again while it is read.
        """
        for _ in range(attempts):
            view = self.view()
            try:
                found = work(view)
            except GalleryError:
                if self.still(view):
                    raise
                continue
            if self.still(view):
                return found
        raise GalleryError(
            f"{self.server.shown} changes faster than it can be read.", "Try again later."
        )

    def still(self, view: View) -> bool:
        """Whether no row that is seen in a view was deleted since."""
        now = self.state()
        return now is not None and (now.files, now.removed) == (
            view.state.files,
            view.state.removed,
        )

    def ended(self, turn: int) -> bool:
        """Whether a turn came to its end, and is seen."""
        state = self.view().state
        return state.seen >= turn and turn not in self._void(self._view(state))

    @contextmanager
    def writing(self) -> Iterator[Turn]:
        """The turn of the only writer; without a word of its end nothing of it is seen.

        Raises
        ------
        GalleryError
            When another writer does not end within two minutes.
        """
        with self.register.held("writes", WAIT) as lease:
            turn = Turn(self, lease)
            try:
                yield turn
            except BaseException:
                with suppress(GalleryError):
                    turn.give_up()
                raise


class Turn:
    """The only writer's.

    Attributes
    ----------
    number : int
    state : State
        As the last one left it.
    view : View
        What is seen.
    """

    def __init__(self, turns: Turns, lease: Lease) -> None:
        self._turns = turns
        self._server = turns.server
        self._lease = lease
        self._used = 0
        self.number = lease.mark.turn
        self.state = state_of(lease.mark)
        self._tidy()
        if self.state.seen:
            self.view = turns._view(self.state)

    def _tidy(self) -> None:
        """Delete what others left: rows that are gone, of turns without an end, old files."""
        name, state = self._turns.name, self.state
        current = {collection(name, kind, state.files) for kind in _KINDS if state.seen}
        names = self._server.names()
        for other in names:
            head, _, files = other.rpartition("_")
            ours = head in {f"{name}_{kind}" for kind in _KINDS} and files.isdecimal()
            if ours and other not in current:
                self._server.drop(other)
        for mark in self._turns.register.marks(names)[:-1]:
            self._server.drop(self._turns.register.name(mark))
        if state.pending:
            self._delete_gone()
        if state.seen:
            self._delete_of(self.void())

    def delete_void(self) -> None:
        """Delete what came late of turns that did not come to their end."""
        self._delete_of(self._turns._void(self._turns._view(self.state)))

    def _delete_of(self, void: Sequence[int]) -> None:
        """Delete what turns left that did not come to their end."""
        for kind in _KINDS:
            place = collection(self._turns.name, kind, self.state.files)
            for some in range(0, len(void), _AT_ONCE):
                found = self._server.select(
                    place, f"born in {list(void[some : some + _AT_ONCE])}", []
                )
                self._server.delete(place, [row["row"] for row in found])

    def _delete_gone(self) -> None:
        before = View(self.state, self._turns.name, {})
        for kind, gone in self._turns._gone(before).items():
            self._server.delete(before.collection(kind), gone)
        place = before.collection("records")
        some = f'kind == "gone" and born <= {self.state.removed}'
        found = self._server.select(place, some, [])
        self._server.delete(place, [row["row"] for row in found])
        self.state = replace(self.state, pending=0)

    def void(self) -> list[int]:
        """Turns since the last one that is seen, which did not come to their end."""
        return list(range(self.state.seen + 1, self.number))

    def next_row(self) -> int:
        """The number of the row that is added next."""
        return self.number * _PER_TURN + self._used

    def add(self, kind: str, new: Sequence[dict[str, Any]]) -> None:
        """Write rows that are not seen yet."""
        self._server.insert(
            collection(self._turns.name, kind, self.state.files), self.numbered(kind, new)
        )

    def numbered(self, kind: str, new: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Rows as they are written."""
        made = []
        for row in new:
            full = {"row": self.next_row(), "born": self.number, **row}
            if kind == "records":
                full["vector"] = list(NO_VECTOR)
            elif self.state.indexed:
                full["near"] = row["vector"]
            made.append(full)
            self._used += 1
        return made

    def commit(self, change: Change, highest: int | None = None) -> None:
        """Make a change seen as a whole, and delete what is gone."""
        state = self.state
        void = self.void()
        self.add("faces", change.faces)
        self.add("records", change.records)
        self.add("records", list(lists("void", "", void)))
        gone = any(change.gone.values())
        for kind, some in change.gone.items():
            self.add("records", list(lists("gone", kind, some)))
        state = replace(
            state,
            seen=self.number,
            void=state.void + len(void),
            highest=state.highest if highest is None else highest,
            removed=self.number if gone else state.removed,
            pending=int(gone),
        )
        self.say(state, free=not gone)
        if gone:
            self._delete_gone()
            self.say(self.state, free=True)

    def give_up(self) -> None:
        """End without a change, so that nobody has to remember this turn, if it left nothing."""
        if not self._used and self.state.seen and self._lease.mark.turn == self.number:
            self.commit(Change())

    def say(self, state: State, *, free: bool) -> None:
        """Make a state the one that is seen, once all of it is on the disk."""
        self._server.settle()
        if not self._lease.say(state.values, free=free) and not self._turns.ended(self.number):
            raise GalleryError(
                f"{self._server.shown}: this process stood still for so long that another took "
                "over; nothing was stored.",
                "Try again.",
            )
        self._server.settle()
        self.state = state


def lists(kind: str, key: str, numbers: Sequence[int]) -> Iterator[dict[str, Any]]:
    for start in range(0, len(numbers), _AT_ONCE):
        some = numbers[start : start + _AT_ONCE]
        yield {"kind": kind, "key": key, "data": json.dumps(some)}
