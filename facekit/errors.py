"""Every exception that facekit raises on purpose.

One base class, one sentence for the cause, one for what to do next. The
command line prints ``str(error)`` and leaves with exit code 2; it never shows a
traceback for one of these.
"""

from __future__ import annotations

from collections.abc import Iterable

_FEW = 12  # names that one sentence may list


class FaceKitError(Exception):
    """Base of all facekit errors.

    Parameters
    ----------
    cause : str
        What is wrong, as one sentence.
    remedy : str
        What to do next, as one sentence; may be empty.
    """

    def __init__(self, cause: str, remedy: str = "") -> None:
        super().__init__(f"{cause} {remedy}".strip())
        self.cause = cause
        self.remedy = remedy

    def __reduce__(self):
        # Worker processes send errors home; subclasses have other signatures,
        # so the object is rebuilt from its state rather than its arguments.
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(kind: type[FaceKitError], args: tuple, state: dict) -> FaceKitError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


class ImageError(FaceKitError, ValueError):
    """An image source that cannot become pixels; ``source`` says which."""

    def __init__(self, source: str, cause: str, remedy: str = "") -> None:
        super().__init__(f"{source}: {cause}", remedy)
        self.source = source


class FaceNotFound(FaceKitError, ValueError):
    """No face in a picture while ``enforce_detection`` is on."""

    def __init__(self, source: str) -> None:
        super().__init__(
            f"{source}: no face was found.",
            "Use a picture that shows a face, another detector_backend, "
            "or enforce_detection=False to take the whole picture as the face.",
        )
        self.source = source


class UnknownName(FaceKitError, ValueError):
    """A model, detector, metric or option that does not exist; names the nearest ones.

    ``shown`` says where a long list of them can be seen.
    """

    def __init__(
        self,
        kind: str,
        name: object,
        known: Iterable[str],
        shown: str = "`facekit models` and `facekit weights list` show them",
    ) -> None:
        import difflib

        names = sorted(known)
        folded = {n.lower(): n for n in names}
        near = difflib.get_close_matches(str(name).lower(), folded, n=3, cutoff=0.5)
        if near:
            remedy = f"Did you mean {' or '.join(folded[n] for n in near)}?"
        elif len(names) <= _FEW:
            remedy = f"Known: {', '.join(names)}."
        else:
            remedy = f"{len(names)} are known; {shown}."
        super().__init__(f"There is no {kind} named {str(name)!r}.", remedy)
        self.kind = kind
        self.name = name
        self.nearest = tuple(folded[n] for n in near)


class InvalidArgument(FaceKitError, ValueError):
    """An argument outside what the function accepts."""


class WeightsUnavailable(FaceKitError):
    """Weights that are not on this machine and could not be (or may not be) fetched."""


class WeightsCorrupt(WeightsUnavailable):
    """A weight file whose sha256 is not the one in the manifest; it is never loaded."""


class DownloadError(WeightsUnavailable):
    """A download that failed at every address."""


class ConversionError(FaceKitError):
    """A weight file whose content is not what its converter expects."""


class MissingDependency(FaceKitError, ImportError):
    """A package of an extra that is not installed."""


class GalleryError(FaceKitError):
    """A gallery that cannot be used: damaged, of another pipeline or version, or busy."""


class BulkError(FaceKitError):
    """A folder of shards that cannot be used: of another pipeline, damaged, busy, not writable."""


class TrainingError(FaceKitError):
    """Prepared faces, a recipe or a run that training cannot use."""


class NotYetAvailable(FaceKitError, NotImplementedError):
    """An argument that the interface reserves for a coming version."""
