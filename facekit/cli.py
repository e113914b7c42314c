"""The shell: `facekit verify|represent|extract_faces|models|weights|version`.

Fire reads the arguments; a command is then run outside of Fire, so that every
mistake of the caller ends as one line on stderr and exit code 2. What a command
needs is imported when it runs: `facekit version` loads no numpy.
"""

from __future__ import annotations

import contextlib
import difflib
import io
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from facekit import zoo
from facekit.errors import FaceKitError, InvalidArgument

EXIT_OK, EXIT_DIFFERENT, EXIT_BAD_INPUT, EXIT_INTERRUPTED = 0, 1, 2, 130
_FACES = "prominent"


@dataclass(frozen=True)
class Job:
    """A command with its arguments bound: what Fire returns instead of running it.

    ``make`` gives the value to print: a JSON value, or an iterator of JSON values
    that are printed as one array while they come. ``show`` turns the value (each
    value of an iterator) into text for people. ``code`` gives the exit code.
    """

    make: Callable[[], Any]
    show: Callable[[Any], str]
    pretty: bool | None = None
    code: Callable[[Any], int] = lambda value: EXIT_OK  # noqa: ARG005

    def __dir__(self) -> list[str]:
        return []  # Fire would offer the fields as sub-commands


def _strings(*names: str) -> Callable:
    """These arguments stay as typed: `1e5.jpg` is no number and `[a].jpg` no list."""
    from fire.decorators import SetParseFns

    return SetParseFns(**dict.fromkeys(names, str))


def commands() -> dict[str, Any]:
    """The commands by name, as Fire wants them."""

    @_strings(
        "img1_path",
        "img2_path",
        "model_name",
        "detector_backend",
        "distance_metric",
        "normalization",
        "faces",
    )
    def verify(
        img1_path,
        img2_path,
        model_name=zoo.DEFAULT_RECOGNIZER,
        detector_backend=zoo.DEFAULT_DETECTOR,
        distance_metric="cosine",
        enforce_detection=True,
        align=True,
        expand_percentage=0,
        normalization=None,
        threshold=None,
        anti_spoofing=False,
        far=0.001,
        faces=_FACES,
        flip=None,
        detector_options=None,
        exit_code=False,
        pretty=None,
    ):
        """Say whether two pictures show the same person.

        Args:
            img1_path: Path, URL or base64 of the first picture.
            img2_path: The second picture.
            model_name: Recognizer; see `facekit models`.
            detector_backend: Detector, or `skip` when the pictures are faces already.
            distance_metric: cosine, euclidean, euclidean_l2 or angular.
            enforce_detection: A picture without a face is an error; with False it is compared whole.
            align: Align faces by their five points.
            expand_percentage: Widen the crops by this many percent.
            normalization: base, raw, Facenet, Facenet2018, VGGFace, VGGFace2 or ArcFace, in place of the network's own.
            threshold: Own threshold on the distance.
            anti_spoofing: Not available yet.
            far: False acceptance rate of the fitted threshold: 0.01, 0.001 or 0.0001.
            faces: Which of several faces is compared: prominent, largest, most_confident, center or closest.
            flip: Add the mirror image's embedding: more accurate, slower.
            detector_options: Arguments of the detector, such as "{'min_face_size': 40}".
            exit_code: Leave with 1 when the people differ.
            pretty: Text for people instead of JSON; chosen by itself on a terminal.
        """
        options = dict(locals())
        for name in ("exit_code", "pretty"):
            del options[name]

        def code(result: dict) -> int:
            return EXIT_DIFFERENT if exit_code and not result["verified"] else EXIT_OK

        return Job(lambda: _verbs().verify(**options), _render("verdict"), pretty, code)

    @_strings("img_path", "model_name", "detector_backend", "normalization", "faces")
    def represent(
        *pictures,
        img_path=None,
        model_name=zoo.DEFAULT_RECOGNIZER,
        enforce_detection=True,
        detector_backend=zoo.DEFAULT_DETECTOR,
        align=True,
        expand_percentage=0,
        normalization=None,
        anti_spoofing=False,
        max_faces=None,
        l2_normalize=False,
        faces=_FACES,
        flip=None,
        detector_options=None,
        pretty=None,
    ):
        """Turn faces into vectors.

        Args:
            pictures: Pictures, directories or glob patterns.
            img_path: The same as an option.
            model_name: Recognizer; see `facekit models`.
            enforce_detection: A picture without a face is an error; with False it is embedded whole.
            detector_backend: Detector, or `skip` when the pictures are faces already.
            align: Align faces by their five points.
            expand_percentage: Widen the crops by this many percent.
            normalization: base, raw, Facenet, Facenet2018, VGGFace, VGGFace2 or ArcFace, in place of the network's own.
            anti_spoofing: Not available yet.
            max_faces: Keep only so many faces of a picture.
            l2_normalize: Scale every vector to unit length.
            faces: Which of several faces comes first: prominent, largest, most_confident or center.
            flip: Add the mirror image's embedding: more accurate, slower.
            detector_options: Arguments of the detector, such as "{'min_face_size': 40}".
            pretty: Text for people instead of JSON; chosen by itself on a terminal.
        """
        options = {k: v for k, v in locals().items() if k not in ("pictures", "img_path", "pretty")}

        def make():
            return _over(_sources(pictures, img_path), lambda s: _verbs().represent(s, **options))

        return Job(make, _render("embeddings"), pretty, _all_failed)

    @_strings("img_path", "detector_backend", "faces", "output_dir")
    def extract_faces(
        *pictures,
        img_path=None,
        output_dir=None,
        detector_backend=zoo.DEFAULT_DETECTOR,
        enforce_detection=True,
        align=True,
        expand_percentage=0,
        anti_spoofing=False,
        max_faces=None,
        faces=_FACES,
        detector_options=None,
        pretty=None,
    ):
        """Find the faces of pictures, and cut them out into a folder.

        Args:
            pictures: Pictures, directories or glob patterns.
            img_path: The same as an option.
            output_dir: Folder for the faces as PNG; without it only their places are printed.
            detector_backend: Detector; see `facekit models`.
            enforce_detection: A picture without a face is an error; with False it is taken whole.
            align: Turn faces so that the eyes are level.
            expand_percentage: Widen the crops by this many percent.
            anti_spoofing: Not available yet.
            max_faces: Keep only so many faces of a picture.
            faces: Which of several faces comes first: prominent, largest, most_confident or center.
            detector_options: Arguments of the detector, such as "{'min_face_size': 40}".
            pretty: Text for people instead of JSON; chosen by itself on a terminal.
        """
        options = {
            k: v
            for k, v in locals().items()
            if k not in ("pictures", "img_path", "output_dir", "pretty")
        }

        def make():
            from facekit.face_files import FaceFiles

            files = FaceFiles(output_dir)

            def extract(source):
                found = _verbs().extract_faces(
                    source, color_face="bgr", normalize_face=False, **options
                )
                if isinstance(found, dict):
                    return found
                return files.keep(source, found)

            return _over(_sources(pictures, img_path), extract)

        return Job(make, _render("places"), pretty, _all_failed)

    @_strings("task")
    def models(task=None, available=False, pretty=None):
        """List recognizers and detectors, and whether they can be used at once.

        Args:
            task: recognizer or detector; both by default.
            available: Only those whose weights are on this machine.
            pretty: A table for people instead of JSON; chosen by itself on a terminal.
        """

        def make():
            from facekit.catalog import rows

            return rows(task, available=available)

        return Job(make, _render("models"), pretty)

    def version(pretty=None):
        """Print the versions of facekit and of what it runs on.

        Args:
            pretty: Text for people instead of JSON; chosen by itself on a terminal.
        """

        def make():
            from facekit.catalog import versions

            return versions()

        return Job(make, _render("versions"), pretty)

    return {
        "verify": verify,
        "represent": represent,
        "extract_faces": extract_faces,
        "models": models,
        "weights": _weights_commands(),
        "version": version,
    }


def _weights_commands() -> dict[str, Callable]:
    def _store():
        from facekit import store

        return store

    def list_(pretty=None):
        """List every weight file: where it is, its size and licence.

        Args:
            pretty: A table for people instead of JSON; chosen by itself on a terminal.
        """
        return Job(lambda: _store().list_weights(), _render("weights"), pretty)

    def pull(*names, all=False, commercial=False, pretty=None):
        """Fetch weights ahead of time, for a container or a machine without a network.

        Args:
            names: Names of weights (`facekit weights list`) or of models (`facekit models`).
            all: Everything that can be downloaded.
            commercial: Only weights whose licence allows commercial use.
            pretty: A table for people instead of JSON; chosen by itself on a terminal.
        """

        def make():
            if not (names or all or commercial):
                raise InvalidArgument(
                    "Nothing to pull was named.", "Name weights or models, or pass --all."
                )
            keys = _weight_keys(names)
            return _store().pull(*keys, all=all or (commercial and not keys), commercial=commercial)

        return Job(make, _render("actions"), pretty, _any_failed)

    def verify(*names, pretty=None):
        """Check the sha256 of the weights on this machine.

        Args:
            names: Weights or models; all by default.
            pretty: A table for people instead of JSON; chosen by itself on a terminal.
        """
        return Job(
            lambda: _store().verify(*_weight_keys(names)), _render("actions"), pretty, _any_failed
        )

    def path(name, pretty=None):
        """Print where a weight file lies.

        Args:
            name: A weight (`facekit weights list`).
            pretty: The bare path instead of JSON; chosen by itself on a terminal.
        """
        return Job(lambda: {"path": str(_store().path(str(name)))}, _render("path"), pretty)

    def clean(*names, all=False, pretty=None):
        """Remove downloaded and converted weights from the cache.

        Args:
            names: Weights or models.
            all: Everything in the cache that can be had again.
            pretty: A table for people instead of JSON; chosen by itself on a terminal.
        """

        def make():
            if not (names or all):
                raise InvalidArgument(
                    "Nothing to clean was named.", "Name weights or models, or pass --all."
                )
            return _store().clean(*_weight_keys(names), all=all)

        return Job(make, _render("actions"), pretty, _any_failed)

    return {"list": list_, "pull": pull, "verify": verify, "path": path, "clean": clean}


def _verbs():
    from facekit import verbs

    return verbs


def _render(name: str) -> Callable[[Any], str]:
    def show(value: Any) -> str:
        from facekit import render

        return getattr(render, name)(value)

    return show


def _weight_keys(names: Sequence[Any]) -> list[str]:
    """Keys of weights; a model's name stands for all the weights that it needs."""
    keys: list[str] = []
    for name in map(str, names):
        registry = next((r for r in (zoo.recognizers, zoo.detectors) if name in r), None)
        keys += registry.get(name).weights if registry else [name]
    return keys


def _sources(pictures: Sequence[Any], img_path: str | None) -> list[str]:
    sources = [*map(str, pictures), *([img_path] if img_path is not None else [])]
    if not sources:
        raise InvalidArgument("No picture was named.", "Name pictures, a directory or a pattern.")
    return sources


def _over(sources: list[str], verb: Callable[[Any], Any]) -> Any:
    """A verb over one picture (its value) or many (an iterator of values with their source)."""
    from facekit import images

    if len(sources) == 1 and not images.is_many(sources[0]):
        return verb(sources[0])
    return _each(sources, verb)


def _each(sources: list[str], verb: Callable[[Any], Any]) -> Iterator[dict]:
    from itertools import islice

    from facekit import images

    with _progress() as tick:
        stream = images.expand(sources)
        # Batches of this size keep both the pipeline busy and the output flowing.
        while batch := list(islice(stream, 256)):
            for source, value in zip(batch, verb(batch), strict=True):
                tick()
                if isinstance(value, dict) and "error" in value:
                    yield value
                else:
                    yield {"source": images.describe(source), "faces": value}


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[], Any]]:
    """A counter on stderr, on a terminal only."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from tqdm import tqdm

    with tqdm(unit=" pictures", file=sys.stderr, leave=False) as bar:
        yield bar.update


def _all_failed(values: Any) -> int:
    failed = isinstance(values, list) and bool(values) and all("error" in v for v in values)
    return EXIT_BAD_INPUT if failed else EXIT_OK


def _any_failed(rows: list[dict]) -> int:
    failed = any(row.get("error") or row.get("ok") is False for row in rows)
    return EXIT_BAD_INPUT if failed else EXIT_OK


# -- running -------------------------------------------------------------------


class _Usage(Exception):
    """Fire has answered itself: help, or a mistake in the arguments."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.text, self.code = text, code


def _parse(argv: Sequence[str]) -> Job:
    import fire
    from fire.core import FireExit

    known = commands()
    if not argv or argv[0] in ("-h", "--help", "help"):
        raise _Usage(_overview(known), EXIT_OK)
    if argv[0] in ("--version", "-version"):
        argv = ["version", *argv[1:]]
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            # Fire prints what a command returns; a job prints nothing.
            job = fire.Fire(known, list(argv), name="facekit", serialize=lambda _: "")
    except FireExit as stop:
        if stop.code == 0:
            raise _Usage(said.getvalue().strip("\n"), EXIT_OK) from None
        raise _Usage(_mistake(said.getvalue(), argv, known), EXIT_BAD_INPUT) from None
    if not isinstance(job, Job):
        group = " ".join(argv)
        raise _Usage(
            f"facekit {group} needs a command: {', '.join(job)}. See facekit {group} --help.",
            EXIT_BAD_INPUT,
        )
    return job


def _overview(known: dict[str, Any]) -> str:
    lines = ["facekit: face recognition.", "", "Usage: facekit COMMAND [ARGUMENTS]", ""]
    for name, command in known.items():
        if isinstance(command, dict):
            about = f"Manage weight files: {', '.join(command)}."
        else:
            about = command.__doc__.strip().splitlines()[0]
        lines.append(f"  {name:<14}{about}")
    lines += ["", "facekit COMMAND --help shows a command's arguments."]
    return "\n".join(lines)


def _mistake(said: str, argv: Sequence[str], known: dict[str, Any]) -> str:
    """Fire's complaint as one sentence, with the nearest name."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", said)
    match = re.search(r"ERROR: (.*)", plain)
    complaint = match.group(1).strip() if match else "the arguments could not be read"
    command, path = known, []
    for word in argv:
        if not isinstance(command, dict) or word not in command:
            break
        path.append(word)
        command = command[word]
    name = " ".join(["facekit", *path])
    stranger = re.match(r"Could not consume arg: (\S+)", complaint) or re.match(
        r"Cannot find key: (\S+)", complaint
    )
    if stranger:
        word = stranger.group(1)
        if isinstance(command, dict):
            options = {key: key for key in command}
        else:
            import inspect

            options = {key: f"--{key}" for key in inspect.signature(command).parameters}
        near = difflib.get_close_matches(word.lstrip("-").split("=")[0], options, n=1, cutoff=0.5)
        hint = f" Did you mean {options[near[0]]}?" if near else ""
        complaint = f"{name} does not know {word!r}.{hint}"
    else:
        complaint = f"{name}: {complaint}"
    return f"{complaint} See {name} --help."


def _print(job: Job) -> int:
    pretty = sys.stdout.isatty() if job.pretty is None else job.pretty
    value = job.make()
    if not isinstance(value, Iterator):
        text = job.show(value) if pretty else json.dumps(value, ensure_ascii=False)
        print(text)
        return job.code(value)
    # Only the outcome of each item is kept: a folder may hold more than memory does.
    outcomes: list[dict] = []
    for item in value:
        if pretty:
            print(job.show(item))
        else:
            print("[" if not outcomes else ",", json.dumps(item, ensure_ascii=False), sep="")
        outcomes.append({"error": True} if "error" in item else {})
    if not pretty:
        print("]")
    return job.code(outcomes)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        # File names may hold what the terminal's encoding lacks; a "?" beats a traceback.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        code = _print(_parse(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
        return code
    except _Usage as usage:
        print(usage.text, file=sys.stdout if usage.code == EXIT_OK else sys.stderr)
        return usage.code
    except FaceKitError as error:
        print(f"facekit: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except BrokenPipeError:
        # The reader (head, less) has seen enough. Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK
    except KeyboardInterrupt:
        print("facekit: interrupted.", file=sys.stderr)
        return EXIT_INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
