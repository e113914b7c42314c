"""One value that many processes change by turns: the name of a collection without rows.

Milvus has no transactions, but it gives a collection a new name at once, for all or not at
all, and only if nobody gave it another before. So a name serves as a value that is compared
and swapped: by it writers take turns, and by it what they wrote is seen, all at once.
"""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from facekit.errors import GalleryError
from facekit.gallery.milvus.server import Server

FREE = "free"
PATIENCE = 30.0  # seconds without a sign of life after which a holder counts as dead
_BEATS = 5  # signs of life in that time
_LOOKS = 50  # for a register that must be there
_POLL = (0.02, 0.5)  # seconds between looks at a register that somebody holds
# What the one of our own process leaves to the next, without asking the server in vain.
_at_home: dict[tuple[str, str], threading.Lock] = {}
_at_home_lock = threading.Lock()
_HERE = secrets.token_hex(4)  # this process


@dataclass(frozen=True)
class Mark:
    """What the name of a register says.

    Attributes
    ----------
    turn : int
        Rises with every holder.
    owner : str
        Who holds it; ``free`` for nobody.
    beat : int
        Rises while the holder lives.
    values : tuple of int
        Whatever it is kept for.
    """

    turn: int
    owner: str
    beat: int
    values: tuple[int, ...] = ()


class Register:
    """A value in a server, changed by one at a time.

    Parameters
    ----------
    server : Server
    prefix : str
        Of the collection's name.
    letters : str
        One for each of the values.
    """

    def __init__(self, server: Server, prefix: str, letters: str = "") -> None:
        self._server = server
        self.shown = server.shown
        self._prefix = prefix
        self._rows = f"{prefix.rpartition('_')[0]}_faces_"
        self._letters = letters
        numbers = "".join(rf"{letter}(\d+)_" for letter in letters)
        self._form = re.compile(rf"{re.escape(prefix)}_{numbers}t(\d+)_([0-9a-z]+)_(\d+)")
        with _at_home_lock:
            self._lock = _at_home.setdefault((server.key, prefix), threading.Lock())

    def name(self, mark: Mark) -> str:
        """The collection's name that says this."""
        values = "".join(
            f"{letter}{value}_" for letter, value in zip(self._letters, mark.values, strict=True)
        )
        return f"{self._prefix}_{values}t{mark.turn}_{mark.owner}_{mark.beat}"

    def marks(self, names: Sequence[str]) -> list[Mark]:
        """What the registers among some collections say, the valid one last.

        Of several the one of the highest turn is valid; who makes the first one may be so
        late that others have had theirs renamed meanwhile.
        """
        made = []
        for name in names:
            found = self._form.fullmatch(name)
            if found:
                *values, turn, owner, beat = found.groups()
                numbers = tuple(int(value) for value in values)
                made.append(Mark(int(turn), owner, int(beat), numbers))
        return sorted(made, key=lambda mark: (mark.turn, mark.beat))

    def read(self) -> Mark | None:
        """What it says now; None where there is none."""
        for _ in range(_LOOKS):
            names = self._server.names()
            found = self.marks(names)
            if found:
                return found[-1]
            if not any(name.startswith(self._rows) for name in names):
                return None
            # A gallery without its register: Milvus Lite leaves out what gets another name
            # in this moment.
            time.sleep(_POLL[0])
        return None

    def ensure(self, values: tuple[int, ...] = ()) -> None:
        """Make it where there is none."""
        if self.read() is None:
            name = self.name(Mark(0, FREE, 0, values))
            try:
                self._server.make_empty(name)
            except GalleryError:
                if self.read() is None:
                    raise

    def swap(self, old: Mark, new: Mark) -> bool:
        """Let it say something new if it says the old; whether it did."""
        return self._server.rename(self.name(old), self.name(new))

    @contextmanager
    def held(self, what: str, wait: float | None = None) -> Iterator[Lease]:
        """Hold it: at the end of the block it is free, whatever happened.

        Parameters
        ----------
        what : str
            What others do who hold it, for the message.
        wait : float, optional
            Seconds after which others who are alive are not waited for any longer.

        Raises
        ------
        GalleryError
            When the wait is over.
        """
        end = None if wait is None else time.monotonic() + wait
        if not self._lock.acquire(timeout=-1 if wait is None else wait):
            raise self._busy(what)
        try:
            lease = self._taken(what, end)
            try:
                yield lease
            except BaseException:
                with suppress(GalleryError):  # what went wrong first is told
                    lease.free()
                raise
            lease.free()
        finally:
            self._lock.release()

    def _taken(self, what: str, end: float | None) -> Lease:
        # Nobody's clock is compared with another's: dead is who gave no sign while we looked.
        last, since = None, 0.0
        pause = _POLL[0]
        while True:
            mark = self.read()
            now = time.monotonic()
            if mark is None:
                raise GalleryError(
                    f"{self._server.shown} is not a gallery any more.", "Somebody removed it."
                )
            if mark != last:
                last, since = mark, now
            if mark.owner == FREE or now - since > PATIENCE or self._left_behind(mark.owner):
                new = replace(mark, turn=mark.turn + 1, owner=_new_owner(), beat=0)
                if self.swap(mark, new):
                    return Lease(self, new)
                continue
            if end is not None and now > end:
                raise self._busy(what)
            time.sleep(pause)
            pause = min(2 * pause, _POLL[1])

    def _busy(self, what: str) -> GalleryError:
        return GalleryError(
            f"{self._server.shown}: somebody {what} and does not come to an end.", "Try again."
        )

    def _left_behind(self, owner: str) -> bool:
        """Whether a holder can only be dead: Milvus Lite serves one process at a time."""
        return self._server.alone and not owner.startswith(_HERE)


class Lease:
    """A register in one's hands; while it lasts, signs of life go to the server."""

    def __init__(self, register: Register, mark: Mark) -> None:
        self.mark = mark
        self._register = register
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._pulse = threading.Thread(target=self._live, name="facekit-lease", daemon=True)
        self._pulse.start()

    def say(self, values: tuple[int, ...], *, free: bool = False) -> bool:
        """Let the register say something else, and with ``free`` let go of it.

        False when somebody has it now: this process was thought to be dead, or the answer
        was lost and it was free for the next one already.
        """
        with self._lock:
            owner = FREE if free else self.mark.owner
            new = replace(self.mark, values=values, owner=owner, beat=self.mark.beat + 1)
            if not self._register.swap(self.mark, new):
                self._over.set()
                self.mark = replace(self.mark, owner=FREE)
                return False
            self.mark = new
            if free:
                self._over.set()
            return True

    def free(self) -> None:
        """Let go of it, if it is still held."""
        self._over.set()
        with self._lock:
            if self.mark.owner == FREE:
                return
            new = replace(self.mark, owner=FREE, beat=self.mark.beat + 1)
            self._register.swap(self.mark, new)
            self.mark = new

    def _live(self) -> None:
        while not self._over.wait(PATIENCE / _BEATS):
            with self._lock:
                if self._over.is_set():
                    return
                new = replace(self.mark, beat=self.mark.beat + 1)
                try:
                    if not self._register.swap(self.mark, new):
                        return  # who holds it now is told at the next word
                except GalleryError:
                    continue  # the server may come back
                self.mark = new


def _new_owner() -> str:
    return f"{_HERE}{secrets.token_hex(4)}"
