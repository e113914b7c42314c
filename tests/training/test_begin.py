"""Weights that a run begins with."""

from __future__ import annotations

import numpy as np
import pytest

from facekit.errors import TrainingError

torch = pytest.importorskip("torch", reason="torch trains networks: facekit[train]")

from facekit.training import begin as beginning  # noqa: E402
from facekit.training.begin import begin  # noqa: E402
from facekit.training.export import export  # noqa: E402


def faces(count=32, seed=3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, 112, 112, generator=generator) * 2 - 1


def never():
    raise AssertionError("nobody needs faces here")


@torch.no_grad()
def same(one, other, pictures, most=1e-5):
    for a, b in zip(one(pictures), other(pictures), strict=True):
        scale = float(a.norm(dim=1).max())  # outputs of unit length, about
        np.testing.assert_allclose(a.numpy() / scale, b.numpy() / scale, atol=most, rtol=0)


@pytest.mark.parametrize(("precision", "most"), [("fp32", 1e-5), ("fp16", 1e-2)])
def test_a_network_comes_back_from_its_file(a_run, drawn, precision, most):
    folder, network = a_run()
    path = export(folder, precision=precision)["path"]
    new = drawn(seed=1)
    begin(new, beginning.Path(path), faces)
    same(network, new.eval(), faces(8, seed=4), most)


def test_a_file_that_came_back_is_the_same_file_again(a_run, drawn):
    folder, _ = a_run()
    first = export(folder)
    new = drawn(seed=1)
    begin(new, beginning.Path(first["path"]), faces)
    again, _ = a_run("again", network=new.eval())
    second = export(again)
    from facekit.convert import convnext

    ours, theirs = (convnext.folded(beginning.Path(made["path"])) for made in (first, second))
    assert ours.keys() == theirs.keys()
    for name, array in ours.items():
        np.testing.assert_allclose(array, theirs[name], rtol=1e-4, atol=1e-5, err_msg=name)


def test_in_training_it_begins_as_the_network_that_it_was(a_run, drawn):
    folder, network = a_run()
    new = drawn(seed=1)
    begin(new, beginning.Path(export(folder)["path"]), faces)
    same(network, new.train(), faces(), 1e-4)


def test_it_can_be_trained_on(a_run, drawn):
    folder, _ = a_run()
    new = drawn(seed=1)
    begin(new, beginning.Path(export(folder)["path"]), faces)
    new.train().requires_grad_(True)
    optimizer = torch.optim.SGD(new.parameters(), lr=1e-2)
    target = faces(8, seed=5).mean((2, 3)).repeat(1, 6)[:, :16]
    losses = []
    for _ in range(5):
        loss = (new(faces(8))[1] - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert all(parameter.grad is not None for parameter in new.outputs[1].parameters())
    assert losses[-1] < losses[0]


def test_another_runs_state_is_taken_as_it_is(a_run, drawn):
    folder, network = a_run()
    new = drawn(seed=1)
    begin(new, folder / "best.pt", never)
    for name, value in network.state_dict().items():
        assert torch.equal(value, new.state_dict()[name])


@pytest.mark.parametrize("changes", [{"depths": [1, 2, 1]}, {"head": 16}])
@pytest.mark.parametrize("kind", ["best.pt", "MyConvNeXt.onnx"])
def test_another_network_is_refused(a_run, drawn, changes, kind):
    folder, _ = a_run()
    export(folder)
    with pytest.raises(TrainingError, match="another network than the recipe's"):
        begin(drawn(**changes), folder / kind, never)


def test_files_that_are_nothing_to_begin_with(drawn, tmp_path, flattening):
    with pytest.raises(TrainingError, match=r"is not there.*facekit export"):
        begin(drawn(), tmp_path / "none.onnx", never)
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(TrainingError, match="no ONNX file"):
        begin(drawn(), tmp_path / "text.onnx", never)
    with pytest.raises(TrainingError, match="not one of facekit's own"):
        begin(drawn(), flattening(3, 4, 4), never)
