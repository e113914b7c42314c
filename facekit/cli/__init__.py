"""The shell: what is typed is run here; the commands stand in `commands.py` and its neighbours.

A command is run outside of Fire, so that every mistake of the caller ends as one
line on stderr and exit code 2. What a run needs is imported when it runs: Ctrl-C
is answered in one line from the start, and `facekit version` loads no numpy.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from facekit.cli.job import Job


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code.

    Without ``argv`` it is the process's own command: then Ctrl-C and a reader that
    closes its pipe end the process at once, without waiting for pictures in work.
    """
    own = argv is None
    # Not where the caller has it ignored, as nohup does.
    if own and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupted)
    from facekit.cli.arguments import Usage, parse
    from facekit.cli.commands import COMMANDS
    from facekit.cli.job import EXIT_BAD_INPUT, EXIT_INTERRUPTED, EXIT_OK
    from facekit.errors import FaceKitError

    _never_fail_to_encode()
    try:
        try:
            code = _print(parse(sys.argv[1:] if argv is None else argv, COMMANDS))
        except Usage as usage:
            print(usage.text, file=sys.stderr if usage.wrong else sys.stdout)
            code = EXIT_BAD_INPUT if usage.wrong else EXIT_OK
        sys.stdout.flush()
        return code
    except FaceKitError as error:
        print(f"facekit: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except BrokenPipeError:
        # The reader (head, less) has seen enough. Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if own:
            os._exit(EXIT_OK)
        return EXIT_OK
    except KeyboardInterrupt:
        print("facekit: interrupted.", file=sys.stderr)
        return EXIT_INTERRUPTED


def _interrupted(*_: object) -> NoReturn:
    # Nothing is left half done: files of the cache are written aside and then renamed.
    new_line = b"\n" if os.isatty(2) else b""  # after ^C or a progress bar
    os.write(2, new_line + b"facekit: interrupted.\n")
    os._exit(130)


def _never_fail_to_encode() -> None:
    """File names may hold what the terminal's encoding lacks; a "?" beats a traceback."""
    import io

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _print(job: Job) -> int:
    import json

    pretty = sys.stdout.isatty() if job.pretty is None else job.pretty
    value = job.make()
    if isinstance(value, Iterator):
        return _print_each(job, value, pretty)
    print(job.show(value) if pretty else json.dumps(value, ensure_ascii=False))
    return job.code(value)


def _print_each(job: Job, values: Iterator[dict[str, Any]], pretty: bool) -> int:
    """One JSON array, item by item; fails when every item did."""
    import json

    from facekit.cli.job import EXIT_BAD_INPUT, EXIT_OK

    count = failed = 0
    for value in values:
        text = job.show(value) if pretty else json.dumps(value, ensure_ascii=False)
        print(text if pretty else f"{',' if count else '['}{text}", flush=True)
        count += 1
        failed += "error" in value
    if not pretty:
        print("]" if count else "[]")
    return EXIT_BAD_INPUT if failed and failed == count else EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
