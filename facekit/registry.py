"""A registry of named things; it knows no model.

Names are case-insensitive and may have aliases; packages add their own through
an entry point group, read only when a name is not found among the built-in ones
or when everything is listed. A source has more names, asked anew each time: they may come and go.
A prefix before a colon opens the door to names that nobody lists: ``deepface:VGG-Face``.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Generic, Protocol, TypeVar

from facekit.errors import FaceKitError, InvalidArgument, UnknownName


class Named(Protocol):
    """What a registry holds: a frozen description with a name and aliases."""

    @property
    def name(self) -> str: ...

    @property
    def aliases(self) -> tuple[str, ...]: ...


Spec = TypeVar("Spec", bound=Named)


class Registry(Generic[Spec]):
    """Specs by name.

    Parameters
    ----------
    kind : str
        What the names stand for ("recognizer"), used in error messages.
    entry_point_group : str or None
        Group whose entry points are callables that register more specs.
    """

    def __init__(self, kind: str, entry_point_group: str | None = None) -> None:
        self.kind = kind
        self._group = entry_point_group
        self._specs: dict[str, Spec] = {}
        self._keys: dict[str, str] = {}
        self._makers: dict[str, Callable[[str], Spec]] = {}
        self._sources: list[Callable[[], Mapping[str, Callable[[], Spec]]]] = []

    def register(self, spec: Spec, *, replace: bool = False) -> Spec:
        """Add a spec under its name and aliases.

        Raises
        ------
        InvalidArgument
            If a name is taken and ``replace`` is False.
        """
        keys = [n.casefold() for n in (spec.name, *spec.aliases)]
        taken = [k for k in keys if k in self._keys]
        if taken and not replace:
            raise InvalidArgument(
                f"A {self.kind} named {taken[0]!r} is already registered.",
                "Choose another name or pass replace=True.",
            )
        for key in taken:
            if key in self._keys:
                self.unregister(self._keys[key])
        self._specs[spec.name] = spec
        self._keys.update(dict.fromkeys(keys, spec.name))
        return spec

    def register_prefix(self, prefix: str, make: Callable[[str], Spec]) -> None:
        """Let ``prefix:NAME`` stand for a spec that is made when it is asked for.

        Parameters
        ----------
        prefix : str
            What stands before the colon, whatever its case.
        make : callable
            Gives the spec of what stands behind it, or raises ``UnknownName``.

        Raises
        ------
        InvalidArgument
            If the prefix is taken, or holds a colon.
        """
        key = prefix.casefold()
        if ":" in key or not key or key in self._makers:
            raise InvalidArgument(
                f"{prefix!r} cannot be a prefix of {self.kind}s: it is taken or no name."
            )
        self._makers[key] = make

    def register_source(self, source: Callable[[], Mapping[str, Callable[[], Spec]]]) -> None:
        """Look for names that are not registered in a source too.

        Parameters
        ----------
        source : callable
            Gives what makes the spec of each name that it has at the moment.
        """
        self._sources.append(source)

    def unregister(self, name: str) -> None:
        """Forget a spec and all its aliases; what a source has stays with it."""
        spec = self._registered(name)
        if spec is None:
            raise UnknownName(self.kind, name, self._specs)
        del self._specs[spec.name]
        self._keys = {k: v for k, v in self._keys.items() if v != spec.name}

    def get(self, name: str) -> Spec:
        """The spec of a name or alias, whatever its case.

        Raises
        ------
        UnknownName
            With the nearest names.
        """
        spec = self._find(name)
        if spec is not None:
            return spec
        prefix, colon, rest = str(name).partition(":")
        make = self._makers.get(prefix.casefold()) if colon else None
        if make is None:
            raise UnknownName(self.kind, name, {*self._specs, *self._elsewhere()})
        return make(rest)

    def names(self) -> list[str]:
        """All names, sorted, without aliases."""
        return [spec.name for spec in self]

    def __iter__(self) -> Iterator[Spec]:
        self._load_entry_points()
        found = {**self._specs, **self._made_elsewhere()}
        return iter([found[n] for n in sorted(found, key=str.casefold)])

    def __contains__(self, name: object) -> bool:
        """Whether a name is registered or a source has it; what a prefix could make is not."""
        return self._find(name) is not None

    def is_registered(self, name: object) -> bool:
        """Whether a name is registered; what a source has is not."""
        return self._registered(name) is not None

    def _registered(self, name: object) -> Spec | None:
        key = str(name).casefold()
        if key not in self._keys:
            self._load_entry_points()
        return self._specs[self._keys[key]] if key in self._keys else None

    def _find(self, name: object) -> Spec | None:
        spec = self._registered(name)
        if spec is not None:
            return spec
        key = str(name).casefold()
        return next((make() for n, make in self._elsewhere().items() if n.casefold() == key), None)

    def _elsewhere(self) -> dict[str, Callable[[], Spec]]:
        """What the sources have; a registered name stands before theirs."""
        return {
            name: make
            for source in self._sources
            for name, make in source().items()
            if name.casefold() not in self._keys
        }

    def _made_elsewhere(self) -> dict[str, Spec]:
        made = {}
        for name, make in self._elsewhere().items():
            try:
                made[name] = make()
            except FaceKitError as error:  # one bad file must not hide all models
                warnings.warn(
                    f"The {self.kind} {name!r} is left out: {error}", RuntimeWarning, stacklevel=4
                )
        return made

    def _load_entry_points(self) -> None:
        group, self._group = self._group, None
        if group is None:
            return
        from importlib.metadata import entry_points

        for entry in entry_points(group=group):
            try:
                entry.load()()
            except Exception as error:  # another package's code; the others must not suffer
                warnings.warn(
                    f"The entry point {entry.name!r} of {group} failed "
                    f"({type(error).__name__}: {error}); its {self.kind}s are missing.",
                    RuntimeWarning,
                    stacklevel=3,
                )
