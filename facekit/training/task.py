"""What a recipe asks of its network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from facekit.errors import TrainingError, UnknownName
from facekit.training import losses
from facekit.training.network import Embedder
from facekit.training.recipe import Recipe


class Task:
    """What a recipe asks of a network: what its teachers say, and to tell people apart.

    Parameters
    ----------
    recipe : Recipe
    targets : sequence of numpy.ndarray
        Of the faces, ``float32 (N, D)`` a teacher.
    people : numpy.ndarray
        ``int64 (N,)``, -1 where nobody knows.
    embedder : Embedder
    dimension : int
        Of its embedding.
    device : torch.device

    Attributes
    ----------
    identity : Identity or None
    classes : numpy.ndarray
        ``int64 (N,)``, -1 for people whom the identity loss leaves out.

    Raises
    ------
    InvalidArgument, TrainingError, UnknownName
        When there is no such loss, or nobody for it.
    """

    def __init__(
        self,
        recipe: Recipe,
        targets: Sequence[np.ndarray],
        people: np.ndarray,
        embedder: Embedder,
        dimension: int,
        device: torch.device,
    ) -> None:
        self._targets = [torch.from_numpy(losses.centred(vectors)) for vectors in targets]
        self._embedder, self._device = embedder, device
        options = {k: v for k, v in recipe.identity.items() if k != "dimension"}
        self._weight = float(options.pop("weight", 1.0))
        least = int(options.pop("photos", 2))
        name = options.pop("loss", None)
        self.distillation = losses.Distillation(recipe.teachers) if recipe.teachers else None
        self.identity: losses.Identity | None = None
        self.classes = np.full(len(people), -1, np.int64)
        if name is not None:
            if name not in losses.IDENTITY:
                raise UnknownName("identity loss", name, losses.IDENTITY)
            self.classes = classes(people, least)
            count = int(self.classes.max()) + 1
            self.identity = losses.Identity(name, count, dimension, options).to(device)

    def parameters(self) -> list[nn.Parameter]:
        """Weights of the identity loss, which learn with the network."""
        return [] if self.identity is None else list(self.identity.parameters())

    def __call__(self, said: list[torch.Tensor], rows: np.ndarray) -> dict[str, torch.Tensor]:
        """What the network says of some faces -> distill, identity, and the loss of both."""
        told: dict[str, torch.Tensor] = {}
        if self.distillation is not None:
            places = torch.from_numpy(rows)
            targets = [target[places].to(self._device) for target in self._targets]
            told["distill"] = self.distillation(said, targets)
        if self.identity is not None:
            people = torch.from_numpy(self.classes[rows]).to(self._device)
            told["identity"] = self.identity(self._embedder.join(said), people)
        nothing = torch.zeros(())
        told["loss"] = told.get("distill", nothing) + self._weight * told.get("identity", nothing)
        return told


def classes(people: np.ndarray, least: int) -> np.ndarray:
    """Number of each face's class, -1 for people that are unknown or have too few pictures."""
    counts = np.bincount(people[people >= 0]) if (people >= 0).any() else np.zeros(0, int)
    numbers = np.full(len(counts), -1, np.int64)
    enough = np.flatnonzero(counts >= least)
    if not len(enough):
        raise TrainingError(
            f"No known person has {least} pictures.", "Leave the identity loss out of the recipe."
        )
    numbers[enough] = np.arange(len(enough))
    return np.where(people >= 0, numbers[np.maximum(people, 0)], -1)
