"""What weights there are: names, hashes, addresses, licences.

The shipped list is ``weights/manifest.json``; a user's own weights join it through
:func:`register`. Nothing here looks at the cache or at the network.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import MappingProxyType
from typing import Any

from facekit.errors import InvalidArgument, UnknownName

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_CONVERTER = re.compile(r"[a-z][a-z0-9_]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Licence:
    """Terms of a weight file; ``commercial`` is None where nobody states it."""

    code: str = "not stated"
    weights: str = "not stated"
    commercial: bool | None = None


@dataclass(frozen=True)
class InPackage:
    """A place inside an installed package: ``path`` below the top-level ``module``."""

    module: str
    path: str
    distribution: str


@dataclass(frozen=True)
class Form:
    """Another published form of the same network, taken where a machine holds it already."""

    file: str
    convert: str | None = None
    size: int | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class WeightFile:
    """One weight file.

    Parameters
    ----------
    key : str
        Name by which specs and the command line call it.
    file : str
        File name, without a directory.
    size : int or None
        Bytes of the (unpacked) file; None if not known.
    about : int or None
        Bytes, roughly, where ``size`` is not known.
    sha256 : str or None
        64 hex digits of the (unpacked) file; None where nobody publishes it. Then only
        the network's own format can tell a damaged file from a good one.
    urls : tuple of str
        Addresses, the origin first, then mirrors. ``ARCHIVE.zip#MEMBER`` is a member of
        a zip archive.
    unpack : {None, "bz2"}
        How the download becomes the file.
    download_size, download_sha256
        Of the archive as downloaded, where known.
    package : tuple of InPackage
        Installed packages that contain the file.
    shipped : bool
        Whether the file lies beside the manifest.
    convert : str or None
        Name of the converter to ONNX; None for a file that is ONNX already.
    alternatives : tuple of Form
        Files that serve as well, looked for after the file itself.
    programs : tuple of str
        Other programs in whose caches it may lie: keys of ``locate.PROGRAMS``.
    local : path-like or None
        Where a user keeps the file. It is then the only place that is looked at.
    recipe : str
        How to make the file where it is not published in a form that can be read.
    note, source : str
        One line about the file; address of its project.
    """

    key: str
    file: str
    size: int | None = None
    about: int | None = None
    sha256: str | None = None
    urls: tuple[str, ...] = ()
    unpack: str | None = None
    download_size: int | None = None
    download_sha256: str | None = None
    package: tuple[InPackage, ...] = ()
    shipped: bool = False
    convert: str | None = None
    alternatives: tuple[Form, ...] = ()
    programs: tuple[str, ...] = ()
    local: str | Path | None = None
    recipe: str = ""
    note: str = ""
    licence: Licence = Licence()
    source: str = ""

    def __post_init__(self) -> None:
        for problem in _problems(self):
            raise InvalidArgument(f"The weight file {self.key!r} is not described well: {problem}.")

    @property
    def forms(self) -> tuple[Form, ...]:
        """The file itself, then its alternatives."""
        return (Form(self.file, self.convert, self.size, self.sha256), *self.alternatives)


def _problems(entry: WeightFile) -> Iterator[str]:
    # Names become paths in the cache: one with a separator could leave it.
    if not _KEY.fullmatch(entry.key):
        yield "its key may hold only letters, digits, '.', '_' and '-'"
    for form in entry.forms:
        if form.file in ("", ".", "..") or PureWindowsPath(form.file).name != form.file:
            yield f"{form.file!r} is not a plain file name"
        if form.sha256 is not None and not _SHA256.fullmatch(form.sha256):
            yield "its sha256 is not 64 lower-case hex digits"
        if form.convert is not None and not _CONVERTER.fullmatch(form.convert):
            yield f"{form.convert!r} cannot be the name of a converter"
    if entry.download_sha256 is not None and not _SHA256.fullmatch(entry.download_sha256):
        yield "its download_sha256 is not 64 lower-case hex digits"
    for name in ("size", "about", "download_size"):
        value = getattr(entry, name)
        if value is not None and (type(value) is not int or value < 0):
            yield f"its {name} is not a number of bytes"
    for url in entry.urls:
        if not url.startswith(("https://", "http://")):
            yield f"{url!r} is not an http(s) address"
        if "#" in url and not _inside(url.partition("#")[2]):
            yield f"{url!r} names no member inside its archive"
    if entry.unpack not in (None, "bz2"):
        yield f"there is no way to unpack {entry.unpack!r}"
    for place in entry.package:
        if not place.module.isidentifier() or not _inside(place.path):
            yield f"{place.path!r} is not a path inside the module {place.module!r}"
    if entry.local is not None and (entry.urls or entry.package or entry.shipped):
        yield "a local file has no other place"


def _inside(path: str) -> bool:
    """Whether a relative path stays below where it starts, on every platform."""
    windows = PureWindowsPath(path)
    return bool(path) and not (
        windows.drive or windows.root or ".." in windows.parts or PurePosixPath(path).is_absolute()
    )


def shipped_dir() -> Path:
    """Directory of the manifest and of the weights that come with facekit."""
    # Not a literal import: the room lies outside the package in a checkout.
    return Path(str(import_module("facekit.weights").__file__)).parent


@functools.cache
def load() -> Mapping[str, WeightFile]:
    """The shipped manifest by key; read once.

    Raises
    ------
    InvalidArgument
        If the manifest is not valid, naming the entry and what is wrong with it.
    """
    text = (shipped_dir() / "manifest.json").read_text(encoding="utf-8")
    return MappingProxyType(parse(json.loads(text)))


def parse(data: Any) -> dict[str, WeightFile]:
    """Entries of a manifest.

    Parameters
    ----------
    data : dict
        The decoded JSON, ``{"version": 1, "files": {key: entry}}``.

    Raises
    ------
    InvalidArgument
        Naming the first entry that is wrong, and why.
    """
    if not isinstance(data, dict) or data.get("version") != 1:
        raise InvalidArgument("The manifest is not of version 1.", "Install a matching facekit.")
    if not isinstance(data.get("files"), dict):
        raise InvalidArgument("The manifest has no table of files.")
    entries: dict[str, WeightFile] = {}
    for key, raw in data["files"].items():
        try:
            entry = _parse_entry(key, dict(raw))
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            if isinstance(error, InvalidArgument):
                raise
            raise InvalidArgument(f"The manifest's entry {key!r} is not valid: {error}.") from error
        _refuse_collision(entry, entries)
        entries[key] = entry
    return entries


def _parse_entry(key: str, raw: dict[str, Any]) -> WeightFile:
    return WeightFile(
        key=key,
        urls=tuple(raw.pop("urls", ())),
        package=tuple(InPackage(**place) for place in raw.pop("package", ())),
        alternatives=tuple(Form(**form) for form in raw.pop("alternatives", ())),
        programs=tuple(raw.pop("programs", ())),
        licence=Licence(**raw.pop("licence")),
        **raw,
    )


_registered: dict[str, WeightFile] = {}


def everything() -> dict[str, WeightFile]:
    """All weight files by key: the shipped list, then the registered ones."""
    return {**load(), **_registered}


def get(key: str) -> WeightFile:
    """The weight file of a key, whatever its case.

    Raises
    ------
    UnknownName
        With the nearest keys.
    """
    files = everything()
    if key in files:
        return files[key]
    folded = {name.casefold(): name for name in files}
    name = folded.get(str(key).casefold())
    if name is None:
        raise UnknownName("weight file", key, files)
    return files[name]


def register(entry: WeightFile, *, replace: bool = False) -> WeightFile:
    """Add a weight file of one's own.

    Raises
    ------
    InvalidArgument
        If its key or its file name is taken.
    """
    taken = everything()
    if not replace and entry.key.casefold() in {key.casefold() for key in taken}:
        raise InvalidArgument(
            f"A weight file named {entry.key!r} exists already.",
            "Choose another key or pass replace=True.",
        )
    taken.pop(entry.key, None)
    _refuse_collision(entry, taken)
    _registered[entry.key] = entry
    return entry


def unregister(key: str) -> None:
    """Forget a registered weight file; a shipped one cannot be forgotten."""
    if _registered.pop(key, None) is None:
        raise UnknownName("registered weight file", key, _registered)


def _refuse_collision(entry: WeightFile, taken: Mapping[str, WeightFile]) -> None:
    """Refuse two different files of one name: they would overwrite each other in the cache."""
    if entry.local is not None:
        return
    for other in taken.values():
        same = other.local is None and other.file.casefold() == entry.file.casefold()
        if same and (entry.sha256 is None or other.sha256 != entry.sha256):
            raise InvalidArgument(
                f"The file name {entry.file!r} of {entry.key!r} is taken by {other.key!r}.",
                "Choose another file name.",
            )
