"""How weights follow their gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn

from facekit.training.recipe import Recipe

_COLOURS = 3  # channels of a picture


class Optimizer:
    """Several optimizers, each for some of the weights, as one.

    Parameters
    ----------
    parts : sequence of torch.optim.Optimizer
        Their learning rates are the peaks.
    """

    def __init__(self, *parts: torch.optim.Optimizer) -> None:
        self._parts = parts
        self._peaks = [part.param_groups[0]["lr"] for part in parts]

    @property
    def rate(self) -> float:
        """The first one's learning rate now."""
        return float(self._parts[0].param_groups[0]["lr"])

    def follow(self, share: float) -> None:
        """Set all learning rates to a share of their peaks."""
        for part, peak in zip(self._parts, self._peaks, strict=True):
            for group in part.param_groups:
                group["lr"] = share * peak

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for part in self._parts:
            part.zero_grad(set_to_none=True)

    def step(self) -> None:
        """Change the weights."""
        for part in self._parts:
            part.step()

    def state_dict(self) -> list[dict[str, Any]]:
        """Of each part."""
        return [part.state_dict() for part in self._parts]

    def load_state_dict(self, states: list[dict[str, Any]]) -> None:
        """What ``state_dict`` gave."""
        for part, state in zip(self._parts, states, strict=True):
            part.load_state_dict(state)


class ConvolutionMuon(torch.optim.Muon):
    """Muon (Jordan et al. 2024) for convolutions: each is the matrix of its channels out.

    Parameters
    ----------
    weights : sequence of torch.nn.Parameter
        ``(out, in, H, W)`` in memory as channels-last; that must not change afterwards.
    rate, weight_decay : float
    """

    def __init__(self, weights: list[nn.Parameter], rate: float, weight_decay: float) -> None:
        self._weights = weights
        # Views: what changes them changes the weights.
        matrices = [weight.detach().permute(0, 2, 3, 1).view(len(weight), -1) for weight in weights]
        super().__init__(
            [nn.Parameter(matrix) for matrix in matrices],
            lr=rate,
            weight_decay=weight_decay,
        )

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        super().zero_grad(set_to_none)
        for weight in self._weights:
            weight.grad = None

    def step(self, closure: None = None) -> None:
        """Change the weights."""
        for weight, matrix in zip(self._weights, self.param_groups[0]["params"], strict=True):
            matrix.grad = None if weight.grad is None else _rows(weight.grad)
        super().step(closure)


def _rows(gradient: torch.Tensor) -> torch.Tensor:
    return gradient.permute(0, 2, 3, 1).flatten(1)


def _adamw(recipe: Recipe, made: nn.Module, of_task: Iterable[nn.Parameter]) -> Optimizer:
    """AdamW for all."""
    return Optimizer(_of_adam(recipe, list(made.parameters()), of_task))


def _muon(recipe: Recipe, made: nn.Module, of_task: Iterable[nn.Parameter]) -> Optimizer:
    """Muon for convolutions that mix many channels, AdamW for all else.

    The first convolution, the last layers and whatever is no matrix are left to AdamW, as Muon's
    authors advise.
    """
    rest: list[nn.Parameter] = []
    matrices: list[nn.Parameter] = []
    for weight in made.parameters():
        mixes = weight.ndim == 4 and min(weight.shape[:2]) > _COLOURS  # a scale has one row
        (matrices if mixes else rest).append(weight)
    return Optimizer(
        _of_adam(recipe, rest, of_task),
        ConvolutionMuon(matrices, recipe.matrix_rate, recipe.weight_decay),
    )


def _of_adam(
    recipe: Recipe, weights: list[nn.Parameter], of_task: Iterable[nn.Parameter]
) -> torch.optim.AdamW:
    # Norms, biases and layer scales are not decayed, the task's own weights are.
    decayed, others = list(of_task), list[nn.Parameter]()
    for weight in weights:
        (decayed if weight.ndim > 1 and len(weight) > 1 else others).append(weight)
    return torch.optim.AdamW(
        [
            {"params": decayed, "weight_decay": recipe.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ],
        lr=recipe.rate,
    )


# Called with the recipe, the network and the weights of the task.
OPTIMIZERS: dict[str, Callable[[Recipe, nn.Module, Iterable[nn.Parameter]], Optimizer]] = {
    "adamw": _adamw,
    "muon": _muon,
}
