"""From a downloaded archive to the file, never writing more or elsewhere than asked."""

from __future__ import annotations

import bz2
import zipfile
import zlib
from pathlib import Path
from typing import IO

from facekit.store.transfer import RefusedError

# For a file whose size the manifest does not state: larger than any network of the
# field, smaller than what an archive made to fill a disk unpacks to.
_MOST = 4 << 30
_CHUNK = 1 << 20


def unpack(archive: Path, target: Path, *, member: str = "", limit: int | None = None) -> None:
    """Write the content of an archive to ``target``.

    Parameters
    ----------
    archive : Path
        A bz2 file, or a zip file if a member is named.
    target : Path
        Where the one file goes; names in the archive have no say in that.
    member : str
        The member of a zip file.
    limit : int or None
        Bytes that it may unpack to.

    Raises
    ------
    RefusedError
        If the archive is damaged, lacks the member or unpacks to more.
    OSError
        If the target cannot be written.
    """
    if not member:
        with bz2.open(archive) as source:
            _copy(source, target, limit)
        return
    try:
        with zipfile.ZipFile(archive) as box, box.open(member) as source:
            _copy(source, target, limit)
    except KeyError as error:
        raise RefusedError(f"the zip archive has no member {member}") from error
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise RefusedError(f"the zip archive cannot be read ({error})") from error


def _copy(source: IO[bytes], target: Path, limit: int | None) -> None:
    most = _MOST if limit is None else limit
    done = 0
    with target.open("wb") as out:
        while True:
            # Apart from the writing below: a full disk is not a damaged archive.
            try:
                piece = source.read(_CHUNK)
            except (OSError, EOFError, ValueError, zlib.error, zipfile.BadZipFile) as error:
                raise RefusedError(f"the archive is damaged ({error})") from error
            if not piece:
                return
            done += len(piece)
            if done > most:
                raise RefusedError(f"the archive unpacks to more than the {most} bytes expected")
            out.write(piece)
