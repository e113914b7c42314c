"""``facekit benchmark download``: data sets whose terms allow fetching them.

Transfers are those of the weights: resumed, retried, compared with a known sha256 before
anything is unpacked, forbidden by ``FACEKIT_OFFLINE``.
"""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

from facekit.benchmark.sets.lfw import has_pictures
from facekit.errors import DownloadError, InvalidArgument, UnknownName
from facekit.store import download as transfers
from facekit.store import integrity, layout
from facekit.store.manifest import WeightFile
from facekit.store.transfer import RefusedError


def _file(name: str, number: int, sha256: str, about: int) -> WeightFile:
    url = f"https://ndownloader.figshare.com/files/{number}"
    return WeightFile(name, name, sha256=sha256, about=about, urls=(url,))


# The official host, vis-www.cs.umass.edu/lfw, is no more. These are scikit-learn's copies of its
# files; addresses and hashes as in its sklearn/datasets/_lfw.py. Of the deep-funneled archive
# there is no copy whose sha256 is published, so it is the funneled one.
LFW_LISTS = (
    _file(
        "pairs.txt",
        5976006,
        "ea42330c62c92989f9d7c03237ed5d591365e89b3e649747777b70e692dc1592",
        155_335,
    ),
    _file(
        "pairsDevTrain.txt",
        5976012,
        "1d454dada7dfeca0e7eab6f65dc4e97a6312d44cf142207be28d688be92aabfa",
        56_579,
    ),
    _file(
        "pairsDevTest.txt",
        5976009,
        "7cb06600ea8b2814ac26e946201cdb304296262aad67d046a16a7ec85d0ff87c",
        26_002,
    ),
)
LFW_PICTURES = _file(
    "lfw-funneled.tgz",
    5976015,
    "b47c8422c8cded889dc5a13418c4bc2abbda121092b3533a83306f90d900100a",
    243_000_000,
)
_LFW_FOLDER = "lfw_funneled"  # what the archive holds
NAMES = ("lfw",)


def download(name: str, folder: str | Path, progress: bool | None = None) -> Path:
    """Fetch a data set into a folder; what is there already is left as it is.

    Parameters
    ----------
    name : {"lfw"}
        Labeled Faces in the Wild: the funneled pictures (about 243 MB; 13,233 of 5,749
        people) and the lists of Views 1 and 2. For research; the pictures' rights are with
        their owners.
    folder : path
        Made when it is missing. Pictures that the reader finds there are not fetched again.
    progress : bool or None
        Whether to draw progress bars on stderr; None draws them on a terminal.

    Returns
    -------
    Path
        The folder, as `facekit.benchmark.sets.lfw.lfw` takes it.

    Raises
    ------
    UnknownName
        For another data set.
    DownloadError
        When an address does not give the file, or ``FACEKIT_OFFLINE`` is set.
    InvalidArgument
        When the folder cannot be written, or has another file of the same name.
    """
    if name.lower() not in NAMES:
        raise UnknownName("data set to download", name, NAMES)
    root = layout.user_path(folder)
    notice = "facekit: waiting for another process that downloads a data set"
    try:
        root.mkdir(parents=True, exist_ok=True)
        with layout.lock("benchmark-data", notice=notice):
            for remote in LFW_LISTS:
                _fetch(remote, root, progress)
            if not has_pictures(root):
                _unpack(_fetch(LFW_PICTURES, root, progress), root / _LFW_FOLDER)
    except OSError as error:
        place = error.filename or root
        raise InvalidArgument(
            f"{place} cannot be written ({error.strerror or error}).",
            "Name a folder that can be written and has room.",
        ) from error
    return root


def _fetch(entry: WeightFile, root: Path, progress: bool | None) -> Path:
    target = root / entry.file
    [url] = entry.urls
    if target.exists():
        if not integrity.is_intact(target, entry.sha256):
            raise InvalidArgument(
                f"{target} is not the file that {url} gives.", "Move it elsewhere first."
            )
        return target
    by_hand = f"By hand, put what {url} gives at {target}."
    what = f"{entry.file} ({(entry.about or 0) / 1e6:.2f} MB)"
    if transfers.offline():
        raise DownloadError(
            f"{what} is not in {root} and FACEKIT_OFFLINE forbids downloading it.", by_hand
        )
    layout.say(f"facekit: downloading {what}")
    try:
        with transfers.progress_bar(entry, progress) as on_progress:
            transfers.fetch_from(url, entry, target, on_progress)
    except RefusedError as error:
        raise DownloadError(f"{what} could not be downloaded. {url}: {error}.", by_hand) from error
    return target


def _unpack(archive: Path, target: Path) -> None:
    """Put the archive's folder beside it, whole or not at all; the archive goes."""
    if not hasattr(tarfile, "data_filter"):
        raise DownloadError(
            f"This Python cannot unpack {archive} safely.",
            "Unpack it yourself, or take Python 3.10.12, 3.11.4 or later.",
        )
    beside = layout.unpacking(target)
    shutil.rmtree(beside, ignore_errors=True)  # of a process that was killed
    try:
        with tarfile.open(archive) as box:
            # Refuses names and links that lead out of the folder.
            box.extractall(beside, filter="data")
        (beside / target.name).replace(target)
    except tarfile.TarError as error:
        raise DownloadError(f"{archive} cannot be unpacked ({error}).") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    archive.unlink()
