"""Which weights follow which optimizer, and how far."""

from __future__ import annotations

import copy

import pytest

pytest.importorskip("torch")

import torch

from facekit.training.network import ConvNeXt
from facekit.training.optimizers import OPTIMIZERS
from facekit.training.recipe import Recipe

SMALL = {"dims": [8, 16], "depths": [1, 1], "head": 16}


def network():
    torch.manual_seed(0)
    return ConvNeXt({"A": 5}, **SMALL).to(memory_format=torch.channels_last)


def changes(name, **keys):
    """What a first step at full rate changes, by the weight's name."""
    made = network()
    before = {key: weight.detach().clone() for key, weight in made.named_parameters()}
    optimizer = OPTIMIZERS[name](Recipe(optimizer=name, weight_decay=0.0, **keys), made, [])
    optimizer.follow(1.0)
    made(torch.randn(4, 3, 112, 112))[0].pow(2).sum().backward()
    optimizer.step()
    return {key: weight.detach() - before[key] for key, weight in made.named_parameters()}


def test_muon_turns_a_convolution_the_same_in_all_directions():
    moved = changes("muon", matrix_rate=0.1)["body.5.expand.weight"]
    assert moved.shape == (24, 8, 1, 1)
    sizes = torch.linalg.svdvals(moved.flatten(1))
    # 8 directions, each of a length near the rate times sqrt(out / in).
    assert sizes.min() > 0.5 * 0.1 * 3**0.5
    assert sizes.max() < 1.5 * 0.1 * 3**0.5


def test_muon_has_the_convolutions_that_mix_channels_and_adam_the_rest():
    # Adam's first step is as long as its rate, which here changes no weight.
    slow = changes("muon", rate=1e-12, matrix_rate=0.1)
    moved = {key for key, change in slow.items() if change.abs().max() > 1e-6}
    assert moved == {
        "body.3.weight",
        "body.5.expand.weight",
        "body.5.reduce.weight",
        "body.6.weight",
        "body.8.expand.weight",
        "body.8.reduce.weight",
        "head.0.weight",
    }
    assert all(change.any() for change in changes("muon").values())


def test_gradients_do_not_add_up_over_steps():
    """One zero_grad forgets those of all parts."""
    made = network()
    optimizer = OPTIMIZERS["muon"](Recipe(optimizer="muon"), made, [])
    made(torch.randn(4, 3, 112, 112))[0].sum().backward()
    optimizer.zero_grad()
    assert all(weight.grad is None for weight in made.parameters())


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_rates_follow_each_from_its_own_peak(name):
    optimizer = OPTIMIZERS[name](Recipe(optimizer=name, rate=2e-3, matrix_rate=0.5), network(), [])
    for share in (0.5, 0.25):  # of the peak, not of the rate before
        optimizer.follow(share)
    assert optimizer.rate == pytest.approx(0.25 * 2e-3)
    groups = [group for part in optimizer.state_dict() for group in part["param_groups"]]
    expected = [0.25 * 2e-3] * 2 + [0.125] * (name == "muon")
    assert [group["lr"] for group in groups] == pytest.approx(expected)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_what_is_kept_goes_on_as_if_nothing_had_been(name):
    def learn(made, optimizer, seed):
        optimizer.zero_grad()
        x = torch.randn(4, 3, 112, 112, generator=torch.Generator().manual_seed(seed))
        made(x)[0].pow(2).sum().backward()
        optimizer.step()

    one = network()
    first = OPTIMIZERS[name](Recipe(optimizer=name), one, [])
    learn(one, first, 1)
    other = network()
    other.load_state_dict(one.state_dict())
    second = OPTIMIZERS[name](Recipe(optimizer=name), other, [])
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    learn(one, first, 2)
    learn(other, second, 2)
    for mine, theirs in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(mine, theirs)
