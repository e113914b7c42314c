"""A recipe: all that decides what a run learns, as YAML; a caller may replace single values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
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
    epochs, batch : int
    rate, warmup, hold, last_rate : float
        Peak of the learning rate, steps of warm-up, share of the steps at the peak, and the last
        rate as a share of the peak; see ``schedule.rate``.
    weight_decay, clip : float
        Of AdamW; largest norm of the gradient.
    ema : float
        Decay of the mean of the weights, which is what is kept.
    precision : str
        fp32, or bf16 where the machine computes it (faster on CPUs with AVX512-BF16 and on GPUs).
    seed : int
    init : str or None
        Exported network (ONNX) or ``best.pt`` of another run to begin with.
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
    epochs: int = 20
    batch: int = 128
    rate: float = 3e-3
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

    def identity_of_run(self) -> str:
        """What must be the same for a run to be resumed: all but where and how fast."""
        fixed = self.to_dict()
        for name in ("out", "device", "threads", "workers", "validate_every", "save_every"):
            del fixed[name]
        return json.dumps(fixed, sort_keys=True)


def read(path: str, changes: Sequence[str] = ()) -> Recipe:
    """A recipe file, with single values replaced.

    Parameters
    ----------
    path : str
    changes : sequence of str
        ``key=value``, such as ``epochs=5`` or ``network.depths=[1,1,2]``; values are YAML.

    Raises
    ------
    InvalidArgument, UnknownName
        When the file or a value cannot be used.
    """
    yaml = extras.load("yaml", "A recipe")
    file = user_path(path)
    try:
        held = yaml.safe_load(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        cause = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise InvalidArgument(
            f"{file} cannot be read as a recipe ({cause}).",
            "Name a YAML file such as recipes/convnext.yaml.",
        ) from error
    if not isinstance(held, dict):
        raise InvalidArgument(f"{file} is no recipe.", "It must be YAML of keys and values.")
    for change in changes:
        key, equals, value = change.partition("=")
        if not equals:
            raise InvalidArgument(
                f"{change!r} changes nothing in a recipe.", "Write it as key=value: epochs=5."
            )
        _set(held, key.split("."), yaml.safe_load(value))
    return made(held)


def _set(held: dict[str, Any], path: Sequence[str], value: Any) -> None:
    *above, last = path
    for name in above:
        inner = held.setdefault(name, {})
        if not isinstance(inner, dict):
            raise InvalidArgument(f"{'.'.join(path)}: {name} holds no further keys.")
        held = inner
    held[last] = value


def made(held: Mapping[str, Any]) -> Recipe:
    """A recipe of plain values, checked.

    Raises
    ------
    InvalidArgument, UnknownName
        When a value cannot be used.
    """
    known = {f.name: f.type for f in fields(Recipe)}
    for name in held:
        if name not in known:
            raise UnknownName("key of a recipe", str(name), sorted(known))
    values = {name: _typed(name, str(known[name]), value) for name, value in held.items()}
    recipe = Recipe(**values)
    for name in recipe.augment:
        if name not in Augmentation.names():
            raise UnknownName("augmentation", str(name), Augmentation.names())
    if not recipe.data:
        raise InvalidArgument("The recipe names no data.", "Add data=[FOLDER] of prepared faces.")
    if not recipe.teachers and not recipe.identity:
        raise InvalidArgument(
            "The recipe has neither teachers nor an identity loss.", "Name at least one."
        )
    for name, options in (
        ("precision", ("fp32", "bf16")),
        ("device", ("auto", "cpu", "cuda")),
    ):
        if getattr(recipe, name) not in options:
            raise UnknownName(name, getattr(recipe, name), options)
    for name in ("epochs", "batch", "workers", "validate_every", "save_every"):
        if getattr(recipe, name) < 1:
            raise InvalidArgument(f"{name} is {getattr(recipe, name)}.", "It must be 1 or more.")
    if not 0 < recipe.share <= 1:
        raise InvalidArgument(f"share is {recipe.share}.", "It must be above 0 and at most 1.")
    return recipe


def _typed(name: str, kind: str, value: Any) -> Any:
    """A value as its field wants it; YAML reads 3e-3 as text and 1 as a whole number."""
    try:
        if kind == "float":
            return float(value)
        if kind == "int":
            if int(value) != float(value):
                raise ValueError
            return int(value)
        if kind.startswith("Mapping"):
            return dict(value or {})
        if kind == "list[str]":
            return [value] if isinstance(value, str) else [str(item) for item in value]
        return value if value is None else str(value)
    except (TypeError, ValueError):
        what = {"float": "a number", "int": "a whole number"}.get(kind, "a list or a section")
        raise InvalidArgument(f"{name} is {value!r}.", f"It must be {what}.") from None
