"""The running mean of a network's weights, which verifies better than the last weights."""

from __future__ import annotations

import copy
from collections.abc import Iterable

import torch
from torch import nn
from torch.optim.swa_utils import update_bn


class Mean:
    """Follows a network.

    Parameters
    ----------
    network : torch.nn.Module
    decay : float
        Share of the mean that stays at each step; smaller at first, when the weights are young.

    Attributes
    ----------
    network : torch.nn.Module
        A copy whose weights are the mean; BatchNorm's running figures are those of the followed
        network until ``measure`` is called.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self._decay = decay

    @torch.no_grad()
    def follow(self, network: nn.Module, step: int) -> None:
        """Take a step's weights in."""
        decay = min(self._decay, (1 + step) / (10 + step))
        mine: list[torch.Tensor] = list(self.network.parameters())
        theirs: list[torch.Tensor] = list(network.parameters())
        torch._foreach_lerp_(mine, theirs, 1 - decay)
        for buffer, new in zip(self.network.buffers(), network.buffers(), strict=True):
            buffer.copy_(new)

    def measure(self, batches: Iterable[torch.Tensor]) -> None:
        """Give the BatchNorms the figures of what they see on some faces, in place of running ones.

        Those follow weights that jump about, whose outputs are spread more widely than those of
        their mean: with them the mean of the weights computes something else than what was learnt.

        Parameters
        ----------
        batches : iterable of torch.Tensor
            ``float (N, 3, 112, 112)`` each, on the network's device.
        """
        update_bn(batches, self.network)
