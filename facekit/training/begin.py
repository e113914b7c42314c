"""Weights to begin with: another run's ``best.pt``, or a network that was exported."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import nn

from facekit.convert import convnext
from facekit.errors import TrainingError
from facekit.training import checkpoint


def begin(network: nn.Module, path: Path, faces: Callable[[], torch.Tensor]) -> None:
    """Give a network the weights of a file.

    Parameters
    ----------
    network : torch.nn.Module
        Of the same form as the file's.
    path : pathlib.Path
        ``best.pt`` of a run, or an ONNX file of ``export``.
    faces : callable
        Gives ``float32 (N, 3, 112, 112)``, asked for an ONNX file; see ``settle``.

    Raises
    ------
    TrainingError
        When the file cannot be read, or holds another network.
    """
    if not path.is_file():
        raise TrainingError(
            f"{path}, to begin with, is not there.",
            "init names best.pt of a run, or a network that `facekit export` wrote.",
        )
    exported = not zipfile.is_zipfile(path)  # torch's files are zip archives
    try:
        if exported:
            _load(network, convnext.folded(path))
        else:
            network.load_state_dict(checkpoint.load(path)["network"])
    except (KeyError, RuntimeError) as error:
        raise TrainingError(
            f"{path} holds another network than the recipe's.",
            "Describe the same network in the recipe, or leave init out.",
        ) from error
    except ValueError as error:
        raise TrainingError(
            f"{path} cannot be begun with: {error}.",
            "init names best.pt of a run, or a network that `facekit export` wrote.",
        ) from error
    if exported:
        settle(network, faces())


@torch.no_grad()
def _load(network: nn.Module, folded: dict) -> None:
    """Weights in which BatchNorms and scales are folded; those are made to change nothing."""
    state = network.state_dict()
    given = {name: torch.from_numpy(array.copy()) for name, array in folded.items()}
    for convolution, norm in norms(network):
        given[f"{norm}.bias"] = given.pop(f"{convolution}.bias")
        given[f"{norm}.weight"] = torch.ones_like(state[f"{norm}.weight"])
        given[f"{norm}.running_mean"] = torch.zeros_like(state[f"{norm}.running_mean"])
        module = network.get_submodule(norm)
        assert isinstance(module, nn.BatchNorm2d)
        given[f"{norm}.running_var"] = torch.ones_like(state[f"{norm}.running_var"]) - module.eps
        given[f"{norm}.num_batches_tracked"] = state[f"{norm}.num_batches_tracked"]
    for name, value in state.items():
        if name.endswith(".scale"):
            given[name] = torch.ones_like(value)
    network.load_state_dict(given)


def norms(network: nn.Module) -> Iterator[tuple[str, str]]:
    """Names of each convolution that a BatchNorm follows, and of that."""
    last = ""
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            last = name
        elif isinstance(module, nn.BatchNorm2d):
            yield last, name


@torch.no_grad()
def settle(network: nn.Module, faces: torch.Tensor) -> None:
    """Let every BatchNorm normalize by what it sees on faces, and undo that by its weights.

    The network computes what it computed before. But in training a BatchNorm takes the batch's
    mean and variance, whatever it holds: without this, one that changes nothing would begin
    to change everything at the first step.

    Parameters
    ----------
    network : torch.nn.Module
    faces : torch.Tensor
        ``float32 (N, 3, 112, 112)``, a few hundred, as they are trained on.
    """
    network.eval()
    seen: list[tuple[nn.BatchNorm2d, torch.Tensor, torch.Tensor]] = []

    def look(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        assert isinstance(module, nn.BatchNorm2d)
        # In float64: a mean is subtracted here and added again there.
        variance, mean = torch.var_mean(inputs[0].double(), (0, 2, 3), correction=0)
        seen.append((module, mean, variance))

    modules = [network.get_submodule(norm) for _, norm in norms(network)]
    hooks = [module.register_forward_pre_hook(look) for module in modules]
    try:
        network(faces)
    finally:
        for hook in hooks:
            hook.remove()
    for module, mean, variance in seen:
        assert module.running_mean is not None
        assert module.running_var is not None
        # What it does now is gain * x + shift.
        gain = module.weight.double() / (module.running_var.double() + module.eps).sqrt()
        shift = module.bias.double() - gain * module.running_mean.double()
        module.running_mean.copy_(mean)
        module.running_var.copy_(variance)
        module.weight.copy_(gain * (variance + module.eps).sqrt())
        module.bias.copy_(shift + gain * mean)
