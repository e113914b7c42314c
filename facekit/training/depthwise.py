"""Depthwise convolutions whose training does not wait for one slow kernel.

On CPUs torch's gradient of depthwise weights is the slowest part of a step in bf16
(`benchmarks/train_speed.py`). As products of matrices, one for each channel, it is fast.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import nn

_WHOLE = 14  # side of the largest map that is one tile: the product has side**4 numbers a channel
_TILE = 7


class Depthwise(nn.Conv2d):
    """A convolution of each channel by itself, same weights and results as ``torch.nn.Conv2d``.

    Parameters
    ----------
    width : int
        Channels.
    kernel : int
        Side of the kernel.
    padding : int
    """

    def __init__(self, width: int, kernel: int, padding: int = 0) -> None:
        super().__init__(width, width, kernel, padding=padding, groups=width, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``(N, C, H, W)`` -> ``(N, C, H', W')``."""
        # In fp32 torch's own gradient is as fast; on a GPU nothing was measured.
        if torch.is_grad_enabled() and x.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
            kind = torch.get_autocast_dtype("cpu")
            padding = int(self.padding[0])
            made: torch.Tensor = _Convolved.apply(x.to(kind), self.weight.to(kind), padding)
            return made
        return super().forward(x)


class _Convolved(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, padding: int) -> torch.Tensor:
        ctx.save_for_backward(x, weight)
        ctx.padding = padding
        return nn.functional.conv2d(x, weight, padding=padding, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None]:
        x, weight = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        of_x = torch.nn.grad.conv2d_input(
            x.shape, weight, gradient, padding=ctx.padding, groups=len(weight)
        )
        of_weight = weight_gradient(x, gradient, weight.shape[-1], ctx.padding)
        return of_x, of_weight.to(weight.dtype), None


def weight_gradient(
    x: torch.Tensor, gradient: torch.Tensor, kernel: int, padding: int
) -> torch.Tensor:
    """Gradient of a depthwise convolution's weights.

    Parameters
    ----------
    x : torch.Tensor
        ``(N, C, H, H)``, what was convolved.
    gradient : torch.Tensor
        ``(N, C, H', H')``, of what came out.
    kernel, padding : int
        Odd kernels with a padding of half their side, or no padding.

    Returns
    -------
    torch.Tensor
        ``float32 (C, 1, kernel, kernel)``.
    """
    channels, before, after = x.shape[1], x.shape[2], gradient.shape[2]
    x, gradient = x.transpose(0, 1), gradient.transpose(0, 1)
    tile, halo = after, 0
    if padding and after > _WHOLE and after % _TILE == 0:
        # The places that a tile's gradient depends on reach over its edges.
        tile, halo = _TILE, padding
        x = nn.functional.pad(x, (halo,) * 4)
        before = tile + 2 * halo
        x = x.unfold(2, before, tile).unfold(3, before, tile)
        gradient = gradient.unfold(2, tile, tile).unfold(3, tile, tile)
    places = x.reshape(channels, -1, before * before)
    answers = gradient.reshape(channels, -1, tile * tile)
    # How each place in meets each place out; those with the same distance are one weight.
    met = torch.bmm(places.transpose(1, 2), answers).float().flatten(1)
    of_weight = met @ _distances(before, tile, halo - padding, kernel)
    return of_weight.view(channels, 1, kernel, kernel)


@lru_cache(maxsize=16)
def _distances(before: int, after: int, first: int, kernel: int) -> torch.Tensor:
    """Which weight joins a place in and a place out, one-hot, ``(before² * after², kernel²)``."""
    # A row out reads the rows in from first further up; see the two ways of padding above.
    row = torch.arange(before)[:, None] - torch.arange(after)[None] - first
    down = row[:, None, :, None].expand(before, before, after, after)
    right = row[None, :, None, :].expand_as(down)
    inside = (down >= 0) & (down < kernel) & (right >= 0) & (right < kernel)
    number = torch.where(inside, down * kernel + right, kernel * kernel)
    return nn.functional.one_hot(number.flatten(), kernel * kernel + 1)[:, :-1].float()
