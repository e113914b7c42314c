"""Bring a weight file into the cache: mirrors, hash, licence, lock, offline switch."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from facekit.errors import DownloadError
from facekit.store import integrity, layout, locate, manifest
from facekit.store.manifest import WeightFile
from facekit.store.transfer import OnProgress, RefusedError, discard, size_of, transfer
from facekit.store.unpack import unpack

_HTML = (b"<!doctype html", b"<html", b"<head")


def fetch(entry: WeightFile, progress: bool | None = None) -> Path:
    """Download a weight file into the cache, once however many processes ask.

    A file that is in the cache and has the right hash is not downloaded again; one that
    is damaged is replaced. What an interrupted download left is continued.

    Parameters
    ----------
    entry : WeightFile
        What to fetch.
    progress : bool or None
        Whether to draw a progress bar on stderr; None draws one on a terminal.

    Returns
    -------
    Path
        The file, its hash checked.

    Raises
    ------
    WeightsUnavailable
        If it has no address, ``FACEKIT_OFFLINE`` is set, or the cache cannot be written.
    DownloadError
        If every address failed; says how each did.
    """
    if not entry.urls:
        raise locate.unavailable(entry)
    target = layout.weights_dir() / entry.file
    if _intact(entry, target):
        return target
    if offline():
        raise locate.unavailable(
            entry,
            f"{locate.describe(entry)} is not on this machine and FACEKIT_OFFLINE forbids "
            "downloading it.",
        )
    notice = f"facekit: waiting for another process that downloads {entry.file}"
    try:
        with layout.lock(entry.file, notice=notice):
            if not _intact(entry, target):
                target.parent.mkdir(parents=True, exist_ok=True)
                _from_any(entry, target, progress)
    except OSError as error:
        raise layout.cannot_write(error, locate.describe(entry)) from error
    return target


def offline() -> bool:
    """Whether ``FACEKIT_OFFLINE`` forbids downloads."""
    value = os.environ.get("FACEKIT_OFFLINE", "").strip().lower()
    return value not in ("", "0", "false", "no", "off")


def _intact(entry: WeightFile, target: Path) -> bool:
    return integrity.is_intact(target, entry.sha256, entry.size)


def _from_any(entry: WeightFile, target: Path, progress: bool | None) -> None:
    layout.say(f"facekit: downloading {locate.describe(entry)}")
    failures = []
    with progress_bar(entry, progress) as on_progress:
        for url in entry.urls:
            try:
                fetch_from(url, entry, target, on_progress)
                return
            except RefusedError as error:
                failures.append(f"{url}: {error}")
    raise locate.unavailable(
        entry,
        f"{locate.describe(entry)} could not be downloaded. {'; '.join(failures)}.",
        DownloadError,
    )


def fetch_from(url: str, entry: WeightFile, target: Path, on_progress: OnProgress) -> None:
    """Fetch a file from one address, resumed, checked and put in its place whole.

    Raises
    ------
    RefusedError
        When the address does not answer, or what it gives is another file.
    """
    address, _, member = url.partition("#")
    # A pack lies under its own name, so that all its members share one download.
    name = urlsplit(address).path.split("/")[-1] if member else target.name
    part = layout.part_of(target.with_name(name))
    archived = bool(entry.unpack or member)
    resumed = size_of(part) > 0
    while True:
        transfer(
            address,
            part,
            expected=entry.download_size if archived else entry.size,
            checked=bool(entry.sha256 or entry.download_sha256),
            on_progress=on_progress,
        )
        try:
            _accept(entry, part, target, member)
            if member:
                _take_siblings(entry, address, part)
            discard(part)
            return
        except RefusedError:
            discard(part)
            # What was there from another time or mirror may be what is wrong.
            if not resumed:
                raise
            resumed = False


def _accept(entry: WeightFile, part: Path, target: Path, member: str) -> None:
    """Give a complete download its final name, if it is the right file."""
    whole = part
    page = _is_html(part)
    try:
        if entry.unpack or member:
            _compare(part, entry.download_size, entry.download_sha256)
            whole = layout.unpacking(target)
            unpack(part, whole, member=member, limit=entry.size)
        _compare(whole, entry.size, entry.sha256)
        if page and entry.sha256 is None:
            raise RefusedError("")
        layout.publish(whole, target, lambda there: _intact(entry, there))
    except RefusedError as error:
        if page:
            raise RefusedError(
                "got an HTML page instead of the file (it may have moved or need a login)"
            ) from error
        raise
    finally:
        if whole != part:
            whole.unlink(missing_ok=True)


def _take_siblings(entry: WeightFile, address: str, part: Path) -> None:
    """Unpack the other weights that a downloaded pack holds: it is fetched once for all of them."""
    for other in manifest.everything().values():
        members = [url.partition("#")[2] for url in other.urls if url.startswith(f"{address}#")]
        target = layout.weights_dir() / other.file
        if other.key == entry.key or not members or layout.is_file(target):
            continue
        # What does not work here says why when it is asked for.
        with suppress(RefusedError, layout.BusyError), layout.lock(other.file, wait=False):
            _accept(other, part, target, members[0])


def _compare(path: Path, size: int | None, sha256: str | None) -> None:
    there = size_of(path)
    if size is not None and there != size:
        more = "more than " if there > size else f"{there} bytes instead of "
        raise RefusedError(f"got {more}{size} bytes")
    if sha256 is not None and (actual := integrity.sha256_of(path)) != sha256:
        raise RefusedError(f"got a file with sha256 {actual}, expected {sha256}")


def _is_html(part: Path) -> bool:
    with part.open("rb") as file:
        return file.read(512).lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_HTML)


@contextmanager
def progress_bar(entry: WeightFile, progress: bool | None) -> Iterator[OnProgress]:
    """What to call with the bytes done and their total; by default a bar on a terminal."""
    if progress is None:
        progress = sys.stderr is not None and sys.stderr.isatty()
    if not progress:
        yield lambda *_: None
        return
    from tqdm import tqdm

    with tqdm(desc=entry.file, unit="B", unit_scale=True, file=sys.stderr) as bar:

        def advance(done: int, total: int | None) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield advance
