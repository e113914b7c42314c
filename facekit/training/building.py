"""From a recipe: its network; and the network that a run kept."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from facekit.errors import FaceKitError, InvalidArgument, TrainingError, UnknownName
from facekit.training import checkpoint
from facekit.training import recipe as recipes
from facekit.training.network import NETWORKS, Embedder
from facekit.training.recipe import Recipe

_SHOWN = "docs/training.md shows them"


def device(name: str) -> torch.device:
    """Of a recipe's name for it.

    Raises
    ------
    InvalidArgument
        For cuda where there is none.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise InvalidArgument("device is cuda, and there is none.", "Take device=cpu.")
    return torch.device(name)


def network(options: Mapping[str, Any], outputs: Mapping[str, int]) -> nn.Module:
    """The network of a recipe's section, with an output for each teacher.

    Raises
    ------
    InvalidArgument, UnknownName
        When the section does not describe one.
    """
    options = dict(options)
    kind = options.pop("kind", "convnext")
    if kind not in NETWORKS:
        raise UnknownName("network", kind, NETWORKS)
    known = set(inspect.signature(NETWORKS[kind]).parameters) - {"outputs"}
    for name in options:
        if name not in known:
            raise UnknownName(f"key of the network {kind}", name, known, _SHOWN)
    try:
        return NETWORKS[kind](outputs, **options)
    except FaceKitError:
        raise
    except (TypeError, KeyError, IndexError, ValueError, RuntimeError) as error:
        raise InvalidArgument(
            f"network: {kind} cannot be made ({error}).", "docs/training.md describes its keys."
        ) from error


def outputs(recipe: Recipe, targets: Mapping[str, np.ndarray]) -> dict[str, int]:
    """Length of the network's vector for each teacher; without teachers, of the one vector."""
    if targets:
        return {name: vectors.shape[1] for name, vectors in targets.items()}
    return {"identity": int(recipe.identity.get("dimension", 256))}


def embedder(recipe: Recipe, made: nn.Module, names: Sequence[str]) -> Embedder:
    """The network's vectors as one, so that a teacher weighs in cosines as it does in the loss."""
    return Embedder(made, [recipe.teachers.get(name, 1.0) ** 0.5 for name in names])


class Kept(NamedTuple):
    """A network from ``best.pt``.

    Attributes
    ----------
    embedder : Embedder
        In evaluation.
    recipe : Recipe
    step : int
    tar, accuracy : float
        Of held-out people; see ``verification.Verified``.
    """

    embedder: Embedder
    recipe: Recipe
    step: int
    tar: float
    accuracy: float


def kept(file: Path) -> Kept:
    """Read the best state of a run.

    Raises
    ------
    TrainingError
        When the file holds none.
    """
    state = checkpoint.load(file)
    try:
        recipe = recipes.made(json.loads(state["recipe"]))
        weights = state["network"]
        sizes = {
            name: weights[f"outputs.{number}.weight"].shape[0]
            for number, name in enumerate(state["teachers"])
        }
        made = network(recipe.network, sizes)
        made.load_state_dict(weights)
        return Kept(
            Embedder(made, state["weights"]).eval().requires_grad_(False),
            recipe,
            int(state["step"]),
            float(state["tar"]),
            float(state["accuracy"]),
        )
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise TrainingError(
            f"{file} is no best state of a run of this facekit ({error}).",
            "Name a run's best.pt, and take the facekit that trained it.",
        ) from error
