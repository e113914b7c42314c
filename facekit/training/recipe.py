"""A recipe: all that decides what a run learns, as YAML; a caller may replace single values."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from importlib import import_module
from pathlib import Path
from typing import Any

from facekit import extras
from facekit.errors import InvalidArgument, UnknownName
from facekit.image_fetch import user_path
from facekit.training.augment import Augmentation


@dataclass(frozen=True)
class Recipe:
    """What a run learns from, with which network and how.

    Attributes
    ----------
    data : list of str
        Folders of prepared faces.
    out : str
        Folder of the run.
    share : float
        Of the faces that are used.
    network : mapping
        ``kind`` (a key of ``network.NETWORKS``) and that network's arguments.
    teachers : mapping of str to float
        Recognizers that are learnt from, and the weight of each in the loss.
    identity : mapping
        ``loss`` (a key of ``losses.IDENTITY``), ``weight``, ``photos`` (least number of a person
        to be a class) and the loss's own arguments; empty for none.
    augment : mapping
        See ``Augmentation``.
    sampler : str
        A key of ``sampler.SAMPLERS``: which faces come in which step.
    epochs, batch : int
    optimizer : str
        A key of ``optimizers.OPTIMIZERS``.
    rate, warmup, hold, last_rate : float
        Peak of AdamW's learning rate, steps of warm-up, share of the steps at the peak, and the
        last rate as a share of the peak; see ``schedule.rate``.
    matrix_rate : float
        Peak of Muon's learning rate, where the optimizer is muon.
    weight_decay, clip : float
        Of the optimizer; largest norm of the gradient.
    ema : float
        Decay of the mean of the weights, which is what is kept.
    precision : str
        fp32, or bf16 where the machine computes it (faster on CPUs with AVX512-BF16 and on GPUs).
    seed : int
    init : str or None
        ``best.pt`` of another run with the same network and teachers, or a file that
        ``facekit export`` wrote of one, to begin with.
    device : str
        cpu, cuda or auto.
    threads, workers : int
        CPUs for the network (0: all) and threads that prepare batches.
    validate_every, save_every : int
        Steps between looks at held-out people, and between states on disk.
    """

    data: list[str] = field(default_factory=list)
    out: str = "runs/convnext"
    share: float = 1.0
    network: Mapping[str, Any] = field(default_factory=lambda: {"kind": "convnext"})
    teachers: Mapping[str, float] = field(default_factory=dict)
    identity: Mapping[str, Any] = field(default_factory=dict)
    augment: Mapping[str, float] = field(default_factory=dict)
    sampler: str = "shuffled"
    epochs: int = 20
    batch: int = 128
    optimizer: str = "adamw"
    rate: float = 3e-3
    matrix_rate: float = 0.04
    warmup: int = 200
    hold: float = 0.0
    last_rate: float = 0.01
    weight_decay: float = 0.05
    clip: float = 5.0
    ema: float = 0.999
    precision: str = "fp32"
    seed: int = 1
    init: str | None = None
    device: str = "auto"
    threads: int = 0
    workers: int = 2
    validate_every: int = 500
    save_every: int = 100

    def to_dict(self) -> dict[str, Any]:
        """As it may be written."""
        return asdict(self)

    def decisive(self) -> str:
        """What must be the same for a run to be resumed: all but where and how fast."""
        fixed = self.to_dict()
        for name in ("out", "device", "threads", "workers", "validate_every", "save_every"):
            del fixed[name]
        return json.dumps(fixed, sort_keys=True)


_KEYS = "docs/training.md shows them"
_OPTIONS = {"precision": ("fp32", "bf16"), "device": ("auto", "cpu", "cuda")}
# Least and largest; None where there is no limit.
_LIMITS: dict[str, tuple[float, float | None]] = {
    **dict.fromkeys(("epochs", "batch", "workers", "validate_every", "save_every"), (1, None)),
    **dict.fromkeys(("warmup", "threads", "seed", "weight_decay", "last_rate"), (0, None)),
    **dict.fromkeys(("hold", "ema"), (0, 1)),
}
_ABOVE_ZERO = ("rate", "matrix_rate", "clip", "share")


def packaged() -> list[str]:
    """Names of the recipes that come with facekit."""
    return sorted(file.stem for file in _shelf().glob("*.yaml"))


def _shelf() -> Path:
    return Path(str(import_module("facekit.recipes").__file__)).parent


def _file(named: str) -> Path:
    """A recipe's file: a path, or the bare name of a packaged one."""
    file = user_path(named)
    if file.is_file() or file.suffix or file.name != named:
        return file
    if named not in packaged():
        raise UnknownName("recipe", named, packaged())
    return _shelf() / f"{named}.yaml"


def read(path: str, changes: Sequence[str] = ()) -> Recipe:
    """A recipe file, with single values replaced.

    Parameters
    ----------
    path : str
        A file, or the name of a recipe that comes with facekit: ``convnext``.
    changes : sequence of str
        ``key=value``, such as ``epochs=5`` or ``network.depths=[1,1,2]``; values are YAML.

    Raises
    ------
    InvalidArgument, UnknownName
        When the file or a value cannot be used.
    MissingDependency
        Without PyYAML.
    """
    yaml = extras.load("yaml", "A recipe")
    file = _file(path)
    try:
        held = yaml.safe_load(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        cause = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise InvalidArgument(
            f"{file} cannot be read as a recipe ({cause}).",
            f"Name a YAML file, or a recipe that comes with facekit: {', '.join(packaged())}.",
        ) from error
    if not isinstance(held, dict):
        raise InvalidArgument(f"{file} is no recipe.", "It must be YAML of keys and values.")
    for change in changes:
        key, equals, value = change.partition("=")
        if not equals:
            raise InvalidArgument(
                f"{change!r} changes nothing in a recipe.", "Write it as key=value: epochs=5."
            )
        try:
            _set(held, key.split("."), yaml.safe_load(value))
        except yaml.YAMLError:
            raise InvalidArgument(
                f"{key} is {value!r}, which is no YAML.", "Write a list as [a,b]."
            ) from None
    return made(held)


def _set(held: dict[str, Any], path: Sequence[str], value: Any) -> None:
    *above, last = path
    for name in above:
        if held.get(name) is None:
            held[name] = {}
        held = held[name]
        if not isinstance(held, dict):
            raise InvalidArgument(
                f"{'.'.join(path)} cannot be set: {name} is a single value.", f"Set {name} itself."
            )
    held[last] = value


def made(held: Mapping[str, Any]) -> Recipe:
    """A recipe of plain values, checked as far as that needs no torch.

    Raises
    ------
    InvalidArgument, UnknownName
        When a value cannot be used.
    """
    known = {f.name: str(f.type) for f in fields(Recipe)}
    for name in held:
        if name not in known:
            raise UnknownName("key of a recipe", str(name), known, _KEYS)
    recipe = Recipe(**{name: _typed(name, known[name], value) for name, value in held.items()})
    if not recipe.data:
        raise InvalidArgument("The recipe names no data.", "Add data=[FOLDER] of prepared faces.")
    if not recipe.teachers and "loss" not in recipe.identity:
        raise InvalidArgument(
            "The recipe has neither teachers nor an identity loss.", "Name at least one."
        )
    for name, options in _OPTIONS.items():
        if getattr(recipe, name) not in options:
            raise UnknownName(name, getattr(recipe, name), options)
    for name, (least, most) in _LIMITS.items():
        _check(name, getattr(recipe, name), least, most)
    for name in _ABOVE_ZERO:
        _check_above(name, getattr(recipe, name))
    _check("share", recipe.share, 0, 1)
    for name, weight in recipe.teachers.items():
        _check_above(f"teachers.{name}", weight)
    for name, amount in recipe.augment.items():
        if name not in Augmentation.names():
            raise UnknownName("augmentation", name, Augmentation.names(), _KEYS)
        _check(f"augment.{name}", amount, 0, 1 if name in Augmentation.chances() else None)
    return recipe


def _check(name: str, value: float, least: float, most: float | None) -> None:
    if value < least or (most is not None and value > most):
        span = f"at least {least:g}" if most is None else f"between {least:g} and {most:g}"
        raise InvalidArgument(f"{name} is {value:g}.", f"It must be {span}.")


def _check_above(name: str, value: float) -> None:
    if value <= 0:
        raise InvalidArgument(f"{name} is {value:g}.", "It must be above 0.")


def _typed(name: str, kind: str, value: Any) -> Any:
    """A value as its field wants it; YAML reads 3e-3 as text and 1 as a whole number."""
    try:
        if kind == "float":
            return _number(value)
        if kind == "int":
            if (whole := int(number := _number(value))) != number:
                raise ValueError
            return whole
        if kind.startswith("Mapping"):
            items = dict(value or {}).items()
            if kind == "Mapping[str, float]":
                return {str(key): _typed(f"{name}.{key}", "float", v) for key, v in items}
            return {str(key): _plain(v) for key, v in items}
        if kind == "list[str]":
            return [value] if isinstance(value, str) else [str(item) for item in value or []]
        if kind == "str | None":
            return value if value is None else str(value)
        if not isinstance(value, str):
            raise TypeError
        return value
    except InvalidArgument:
        raise  # of a section's value
    except (TypeError, ValueError, OverflowError):
        what = _WHAT.get(kind.partition("[")[0], "a text")
        raise InvalidArgument(f"{name} is {value!r}.", f"It must be {what}.") from None


_WHAT = {
    "float": "a number",
    "int": "a whole number",
    "Mapping": "a section of keys and values",
    "list": "a list",
}


def _number(value: Any) -> float:
    if isinstance(value, bool) or not math.isfinite(number := float(value)):
        raise ValueError
    return number


def _plain(value: Any) -> Any:
    """A value of a section whose keys are not known here."""
    if isinstance(value, str):
        with suppress(ValueError):
            return _number(value)
    return value
