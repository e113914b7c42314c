"""What was typed -> a command's arguments: through Fire, with help and mistakes in plain words."""

from __future__ import annotations

import contextlib
import difflib
import inspect
import io
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import fire
from fire import docstrings
from fire.core import FireExit
from fire.decorators import SetParseFn, SetParseFns
from fire.parser import DefaultParseValue

from facekit.cli.text.layout import columns
from facekit.errors import InvalidArgument

Picture = str  # a path, address or base64, whatever it looks like
Command = Callable[..., Any]
Commands = Mapping[str, Any]  # name -> command, or a group of them

_GROUPS = {
    "weights": "Manage weight files",
    "gallery": "Keep people",
    "dataset": "Collect faces to train on",
    "benchmark": "Measure models and detectors",
}
_HELP = ("-h", "--help", "-help")
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
_ABSENT = "True"  # what Fire gives for an option without a value


class Usage(Exception):
    """The end of a run before a command began: help that was asked for, or a mistake."""

    def __init__(self, text: str, *, wrong: bool) -> None:
        super().__init__(text)
        self.text, self.wrong = text, wrong


def parse(argv: Sequence[str], commands: Commands) -> Any:
    """What the command returns that ``argv`` names.

    Raises
    ------
    Usage
        When help was asked for, or the arguments are not the command's.
    """
    words = list(argv)
    if words[:1] == ["help"]:
        words = [*words[1:], "--help"]
    if words[:1] == ["--version"]:
        words[0] = "version"
    name, command = "facekit", commands
    while isinstance(command, Mapping) and words and words[0] in command:
        name, command = f"{name} {words[0]}", command[words.pop(0)]
    if isinstance(command, Mapping):
        if not words and command is not commands:
            text = f"{name} needs a command: {', '.join(command)}. See {name} --help."
            raise Usage(text, wrong=True)
        if not words or words[0] in _HELP:
            raise Usage(_group_help(name, command), wrong=False)
        raise Usage(_unknown(name, words[0], {key: key for key in command}), wrong=True)
    words = list(_plain(words, command))
    if any(word in _HELP for word in words):
        raise Usage(_command_help(name, command), wrong=False)
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            # Fire would print what the command returns. "-" means nothing special here.
            line = [*words, "--", "--separator=\n"]
            return fire.Fire(command, line, name=name, serialize=lambda _: "")
    except FireExit:
        raise Usage(_mistake(name, said.getvalue(), command), wrong=True) from None


# -- reading values ------------------------------------------------------------


def typed(command: Command) -> Command:
    """Read a command's arguments by the types in its signature.

    Fire's own guess would make a number of the file name ``1e5`` and a list of ``[a]``.
    """
    readers = {
        name: _READERS[parameter.annotation.removesuffix(" | None")](name)
        for name, parameter in inspect.signature(command).parameters.items()
        if parameter.kind is not parameter.VAR_POSITIONAL
    }
    return SetParseFns(**readers)(SetParseFn(str)(command))


def _text(name: str) -> Callable[[str], str]:
    def read(typed: str) -> str:
        if typed == _ABSENT:
            raise InvalidArgument(f"--{name} needs a value.")
        return typed

    return read


def _flag(name: str) -> Callable[[str], bool]:
    def read(typed: str) -> bool:
        if typed.lower() not in _TRUE + _FALSE:
            raise InvalidArgument(f"--{name} is {typed!r}.", "It must be true or false.")
        return typed.lower() in _TRUE

    return read


def _number(name: str) -> Callable[[str], float]:
    def read(typed: str) -> float:
        for kind in (int, float):
            with contextlib.suppress(ValueError):
                return kind(typed)
        if typed == _ABSENT:
            raise InvalidArgument(f"--{name} needs a number.")
        raise InvalidArgument(f"--{name} is {typed!r}.", "It must be a number.")

    return read


def _options(name: str) -> Callable[[str], dict]:
    def read(typed: str) -> dict:
        value = DefaultParseValue(typed)
        if not isinstance(value, dict):
            raise InvalidArgument(
                f"--{name} is {typed!r}.", "Write it like \"{'min_face_size': 40}\"."
            )
        return value

    return read


_READERS: dict[str, Callable[[str], Callable[[str], Any]]] = {
    "Picture": lambda _: str,
    "str": _text,
    "bool": _flag,
    "int": _number,
    "float": _number,
    "dict": _options,
}


def _plain(words: Sequence[str], command: Command) -> Iterator[str]:
    """The words without two traps, ``--json`` and ``--noSWITCH`` spelled out.

    Fire would take the word after a switch for its value, as in ``--pretty a.jpg``, and
    knows no ``--`` in front of file names that begin with a dash.
    """
    parameters = inspect.signature(command).parameters.values()
    json = "--pretty=False" if "pretty" in (p.name for p in parameters) else "--json"
    switches = {p.name for p in parameters if p.annotation.startswith("bool")}
    for at, word in enumerate(words):
        if word == "--":
            yield from (f"./{name}" if name.startswith("-") else name for name in words[at + 1 :])
            return
        following = words[at + 1].lower() if at + 1 < len(words) else ""
        name = word.lstrip("-").replace("-", "_")
        bare = word.startswith("-") and name in switches
        off = name.removeprefix("no").removeprefix("_")
        if word == "--json":
            yield json
        elif word.startswith("--no") and not bare and off in switches:
            yield f"--{off}=False"
        else:
            yield f"{word}=True" if bare and following not in _TRUE + _FALSE else word


# -- answers -------------------------------------------------------------------


def _group_help(name: str, commands: Commands) -> str:
    lines = [f"Usage: {name} COMMAND [ARGUMENTS]", ""]
    for key, command in commands.items():
        if isinstance(command, Mapping):
            about = f"{_GROUPS[key]}: {', '.join(command)}."
        else:
            about = docstrings.parse(inspect.getdoc(command)).summary
        lines += _row(key, about, 17)
    return "\n".join([*lines, "", f"{name} COMMAND --help shows a command's arguments."])


def _command_help(name: str, command: Command) -> str:
    about = docstrings.parse(inspect.getdoc(command))
    described = {argument.name: argument.description for argument in about.args or ()}
    usage, rows = [f"Usage: {name}"], []
    for parameter in inspect.signature(command).parameters.values():
        text = described[parameter.name]
        if parameter.kind is parameter.VAR_POSITIONAL:
            label = parameter.name.upper()
            usage.append(f"[{label} ...]")
        elif parameter.default is parameter.empty:
            label = parameter.name.upper()
            usage.append(label)
        else:
            label = "--pretty, --json" if parameter.name == "pretty" else f"--{parameter.name}"
            if parameter.default not in (None, False):
                default = "true" if parameter.default is True else parameter.default
                text = f"{text} Default: {default}."
        rows.append((label, text))
    width = max(len(label) for label, _ in rows) + 4
    lines = [" ".join([*usage, "[OPTIONS]"]), "", about.summary, ""]
    for paragraph in (about.description or "").split("\n\n"):
        if paragraph:
            lines += [*textwrap.wrap(paragraph, min(columns(), 100)), ""]
    for label, text in rows:
        lines += _row(label, text, width)
    return "\n".join(lines)


def _row(label: str, text: str, width: int) -> list[str]:
    """A label and what it means in a column beside it, as wide as the terminal."""
    return textwrap.wrap(
        text,
        max(min(columns(), 100), width + 30),
        initial_indent=f"  {label}".ljust(width),
        subsequent_indent=" " * width,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _mistake(name: str, said: str, command: Command) -> str:
    """Fire's complaint as one sentence."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", said)
    found = re.search(r"ERROR: (.*)", plain)
    complaint = found.group(1).strip() if found else "The arguments cannot be read."
    stranger = re.match(r"Could not consume arg(?:uments)?: (.+)", complaint)
    if stranger:
        options = {key: f"--{key}" for key in inspect.signature(command).parameters}
        return _unknown(name, stranger.group(1), options)
    missing = re.search(r"required argument: (\w+)", complaint)
    if missing:
        return f"{name} needs {missing.group(1).upper()}. See {name} --help."
    ambiguous = re.match(r"The argument '(.+?)' is ambiguous.*\[(.*)\]", complaint)
    if ambiguous:
        choices = " or ".join(f"--{key}" for key in re.findall(r"\w+", ambiguous.group(2)))
        return f"{name}: {ambiguous.group(1)} may be {choices}. See {name} --help."
    return f"{name}: {complaint} See {name} --help."


def _unknown(name: str, word: str, known: Mapping[str, str]) -> str:
    """Complaint about a word that stands for nothing, with the nearest name that does."""
    option = word.split("=")[0] if word.startswith("--") else word
    text = f"{name} does not know {option!r}."
    near = difflib.get_close_matches(option.lstrip("-"), known, n=1, cutoff=0.5)
    if word.startswith("-") and Path(word).exists():
        text += f" Write ./{word} for the file of that name."
    elif near:
        text += f" Did you mean {known[near[0]]}?"
    return f"{text} See {name} --help."
