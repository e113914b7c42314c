"""For runs: a prepared folder, which nobody writes into, and a network drawn at random."""

from __future__ import annotations

import json

import pytest

from . import tiny

NETWORK = {"dims": [8, 16, 24], "depths": [1, 1, 1], "head": 32}
TEACHERS = {"Dlib": 24, "MobileFaceNet-Foamliu": 16}


@pytest.fixture(scope="session")
def drawn():
    """Make a network; its BatchNorms have statistics that change what passes."""
    torch = pytest.importorskip("torch", reason="torch trains networks: facekit[train]")
    from facekit.training.network import ConvNeXt

    torch.set_num_threads(1)  # two that wait for each other on a busy machine take minutes

    def make(seed=0, **changes):
        torch.manual_seed(seed)
        network = ConvNeXt(TEACHERS, **{**NETWORK, **changes}).eval()
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.normal_(std=0.3)
                module.running_var.uniform_(0.3, 3)
                torch.nn.init.normal_(module.weight, 1, 0.3)
                torch.nn.init.normal_(module.bias, 0, 0.3)
        for name, value in network.named_parameters():
            if name.endswith(".scale"):
                torch.nn.init.normal_(value, 0.5, 0.3)
        return network

    return make


@pytest.fixture
def a_run(drawn, tmp_path):
    """Make the folder of a run and its network."""
    from facekit.training import checkpoint
    from facekit.training.run_folder import BEST

    def make(folder="run", data=(), network=None, **changes):
        network = network or drawn(**changes)
        recipe = {
            "data": [str(place) for place in data or ["nowhere"]],
            "teachers": dict.fromkeys(TEACHERS, 1.0),
            "out": str(tmp_path / folder),
            "init": "/somewhere/else/best.pt",
            "network": {"kind": "convnext", **NETWORK, **changes},
            "rate": 0.003,
        }
        state = {
            "network": network.state_dict(),
            "recipe": json.dumps(recipe),
            "teachers": network.teachers,
            "weights": [0.75, 1.0],
            "step": 1234,
            "tar": 0.875,
            "accuracy": 0.9375,
        }
        checkpoint.save(tmp_path / folder / BEST, state)
        return tmp_path / folder, network

    return make


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    return tiny.prepare(tmp_path_factory.mktemp("faces") / "tiny")
