"""What a network is asked to do: say what its teachers say, and tell people apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from facekit import extras
from facekit.distance import l2_normalize
from facekit.errors import InvalidArgument


def centred(vectors: np.ndarray) -> np.ndarray:
    """A teacher's embeddings without their mean, of unit length.

    Embeddings of faces have a large part in common; a network that learns it well has learnt the
    mean face, and the loss says that it is nearly done.
    """
    return l2_normalize(vectors - vectors.mean(0))


class Distillation(nn.Module):
    """1 - cosine between what the network says for each teacher and what the teacher says.

    Parameters
    ----------
    weights : mapping of str to float
        Of each teacher.
    """

    def __init__(self, weights: Mapping[str, float]) -> None:
        super().__init__()
        self.weights = dict(weights)

    def forward(self, said: list[torch.Tensor], targets: list[torch.Tensor]) -> torch.Tensor:
        """Mean over the faces, weighted mean over the teachers."""
        total = said[0].new_zeros((), dtype=torch.float32)
        for weight, vectors, target in zip(self.weights.values(), said, targets, strict=True):
            cosine = nn.functional.cosine_similarity(vectors.float(), target, dim=1)
            total = total + weight * (1 - cosine).mean()
        return total / sum(self.weights.values())


class Identity(nn.Module):
    """A loss that tells people apart, on the faces whose people are known.

    Parameters
    ----------
    name : str
        A key of ``IDENTITY``.
    people : int
        Classes.
    dimension : int
        Length of the embedding.
    options : mapping
        Arguments of the loss, by its own names.

    Raises
    ------
    InvalidArgument
        For an argument that the loss does not have.
    """

    def __init__(self, name: str, people: int, dimension: int, options: Mapping[str, Any]) -> None:
        super().__init__()
        try:
            self.loss = IDENTITY[name](people, dimension, options)
        except (TypeError, ValueError) as error:
            raise InvalidArgument(
                f"identity: the loss {name} cannot be made ({error}).",
                "docs/training.md says which arguments it has.",
            ) from error

    def forward(self, embeddings: torch.Tensor, people: torch.Tensor) -> torch.Tensor:
        """0 where the batch has nobody known."""
        known = people >= 0
        if not bool(known.any()):
            return embeddings.sum() * 0  # has a gradient: it may be the only loss
        return self.loss(embeddings[known], people[known])


def _published(name: str, *, classes: bool) -> Callable[[int, int, Mapping[str, Any]], nn.Module]:
    """A loss of pytorch-metric-learning; one of classes keeps a vector for each of the people."""

    def make(people: int, dimension: int, options: Mapping[str, Any]) -> nn.Module:
        losses = extras.load("pytorch_metric_learning.losses", f"The loss {name}")
        sizes = {"num_classes": people, "embedding_size": dimension} if classes else {}
        return getattr(losses, name)(**sizes, **options)

    return make


# Called with people, dimension and options; gives a module of (embeddings, people).
IDENTITY: dict[str, Callable[[int, int, Mapping[str, Any]], nn.Module]] = {
    "arcface": _published("ArcFaceLoss", classes=True),
    "cosface": _published("CosFaceLoss", classes=True),
    "triplet": _published("TripletMarginLoss", classes=False),
}
