"""What the shell's commands have in common."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

EXIT_OK, EXIT_DIFFERENT, EXIT_BAD_INPUT, EXIT_INTERRUPTED = 0, 1, 2, 130


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


def without(arguments: dict[str, Any], *names: str) -> dict[str, Any]:
    """A command's arguments but for some."""
    return {name: value for name, value in arguments.items() if name not in names}


def render(name: str) -> Callable[[Any], str]:
    """A function of ``facekit.cli.text``, such as ``models.weights``, imported when it is used."""
    module, function = name.split(".")

    def show(value: Any) -> str:
        return getattr(import_module(f"facekit.cli.text.{module}"), function)(value)

    return show


def progress() -> Callable[[str], None] | None:
    """What a long run is at, on stderr if that is a terminal."""
    if not sys.stderr.isatty():
        return None
    return lambda line: print(f"facekit: {line}", file=sys.stderr)
