"""Depthwise convolutions learn what torch's own would learn."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

import torch
from torch import nn

from facekit.training.depthwise import Depthwise, weight_gradient


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def way(made):
    """Who computes the gradient."""
    return made.grad_fn.name()


@pytest.mark.parametrize(
    ("side", "kernel", "padding"),
    [
        (3, 7, 3),  # a map smaller than the kernel
        (7, 7, 3),
        (14, 7, 3),
        (14, 5, 2),
        (28, 7, 3),  # in tiles
        (21, 3, 1),
        (15, 3, 1),  # too large for one tile, but no tiles fit
        (7, 7, 0),  # the head's: all of the map at once
        (9, 3, 0),
    ],
)
def test_the_gradient_of_weights_is_torchs(side, kernel, padding):
    x = drawn(5, 4, side, side)
    after = side + 2 * padding - kernel + 1
    gradient = drawn(5, 4, after, after, seed=1)
    shape = (4, 1, kernel, kernel)
    expected = nn.grad.conv2d_weight(x, shape, gradient, padding=padding, groups=4)
    for form in (torch.contiguous_format, torch.channels_last):
        found = weight_gradient(
            x.contiguous(memory_format=form),
            gradient.contiguous(memory_format=form),
            kernel,
            padding,
        )
        assert torch.allclose(found, expected, atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize(("side", "padding"), [(28, 3), (7, 3), (7, 0)])
def test_in_bf16_it_learns_as_a_plain_convolution_does(side, padding):
    ours = Depthwise(6, 7, padding)
    plain = nn.Conv2d(6, 6, 7, padding=padding, groups=6, bias=False)
    plain.load_state_dict(ours.state_dict())
    seen = {}
    for layer in (ours, plain):
        x = drawn(4, 6, side, side).requires_grad_()
        with torch.autocast("cpu", torch.bfloat16):
            made = layer(x)
        made.float().pow(2).sum().backward()
        seen[layer] = [made, x.grad, layer.weight.grad]
    assert way(seen[ours][0]) != way(seen[plain][0])  # or the one is compared with itself
    for found, expected in zip(seen[ours], seen[plain], strict=True):
        assert found.dtype == expected.dtype
        size = expected.float().abs().max()
        assert (found.float() - expected.float()).abs().max() < 0.02 * size


def test_in_fp32_it_is_torchs_convolution():
    layer, x = Depthwise(4, 7, 3), drawn(2, 4, 7, 7)
    plain = nn.functional.conv2d(x, layer.weight, padding=3, groups=4)
    assert torch.equal(layer(x), plain)
    assert way(layer(x)) == way(plain)
