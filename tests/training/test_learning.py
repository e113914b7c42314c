"""Networks, losses, means and figures, against what they should be by hand."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("pytorch_metric_learning")

import torch

from facekit.errors import FaceKitError, InvalidArgument, TrainingError, UnknownName
from facekit.training import building, history, losses, task
from facekit.training.collection import Collection
from facekit.training.ema import Mean
from facekit.training.export import export
from facekit.training.network import NETWORKS, ConvNeXt, Embedder
from facekit.training.recipe import made
from facekit.training.trainer import Trainer, embed, tensor
from facekit.training.verification import verify

from . import tiny

CPU = torch.device("cpu")
SMALL = {"dims": [8, 16], "depths": [1, 1], "head": 16}


def drawn(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape).astype(np.float32))


# -- networks ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        SMALL,
        {"dims": [8, 16, 24], "depths": [1, 0, 2], "head": 20, "kernel": 3, "expansion": 2},
        {"dims": [6, 8, 10, 12], "depths": [1, 1, 1, 1], "head": 8, "activation": "gelu"},
    ],
)
def test_a_network_has_a_vector_for_each_teacher(options):
    network = ConvNeXt({"A": 5, "B": 7}, **options).eval()
    said = network(drawn(3, 3, 112, 112))
    assert [tuple(vectors.shape) for vectors in said] == [(3, 5), (3, 7)]
    one = network(drawn(3, 3, 112, 112)[1:2])
    assert torch.allclose(one[0][0], said[0][1], atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "convnet"}, "Did you mean convnext"),
        ({"dim": [8]}, "Did you mean dims"),
        ({"activation": "rely"}, "Did you mean relu"),
        ({"kernel": 4}, "kernel is 4. It must be odd."),
        ({"depths": [1]}, "describe no network"),
        ({"dims": [4] * 6, "depths": [1] * 6}, "describe no network"),
        ({"dims": ["a", "b", "c"]}, "convnext cannot be made"),
    ],
)
def test_a_network_that_cannot_be_is_one_sentence(options, message):
    with pytest.raises(FaceKitError) as caught:
        building.network(options, {"A": 5})
    assert message in str(caught.value)


def test_an_embedding_is_both_vectors_by_their_weights():
    embedder = Embedder(NETWORKS["convnext"]({"A": 5, "B": 7}, **SMALL).eval(), [1.0, 0.5])
    vectors = embedder(drawn(4, 3, 112, 112))
    assert vectors.shape == (4, 12)
    assert torch.allclose(vectors[:, :5].norm(dim=1), torch.ones(4))
    assert torch.allclose(vectors[:, 5:].norm(dim=1), torch.full((4,), 0.5))


# -- losses --------------------------------------------------------------------------


def test_a_teachers_common_part_does_not_count():
    vectors = np.random.default_rng(0).normal(size=(50, 6))
    apart = losses.centred(vectors)
    assert losses.centred(vectors + 100) == pytest.approx(apart)
    assert np.linalg.norm(apart, axis=1) == pytest.approx(1)
    # Without it, strangers would be alike.
    assert np.abs((apart @ apart.T).mean()) < 0.1


def test_distillation_is_0_for_who_says_the_same_and_weighs_teachers():
    one, two = drawn(6, 4), drawn(6, 3, seed=1)
    targets = [vectors / vectors.norm(dim=1, keepdim=True) for vectors in (one, two)]
    loss = losses.Distillation({"A": 1.0, "B": 0.5})
    assert float(loss([3 * one, 0.1 * two], targets)) == pytest.approx(0, abs=1e-6)
    assert float(loss([one, -two], targets)) == pytest.approx(2 * 0.5 / 1.5)
    assert float(loss([-one, two], targets)) == pytest.approx(2 * 1.0 / 1.5)


@pytest.mark.parametrize("name", losses.IDENTITY)
def test_an_identity_loss_ignores_people_that_nobody_knows(name):
    torch.manual_seed(0)
    loss = losses.Identity(name, 3, 4, {})
    vectors, people = drawn(6, 4), torch.tensor([0, 0, 1, 1, 2, -1])
    known = float(loss(vectors, people).detach())
    assert known > 0
    stranger = 9 * drawn(1, 4, seed=2)
    assert float(loss(torch.cat([vectors[:5], stranger]), people).detach()) == known
    nobody = drawn(6, 4).requires_grad_()
    lone = loss(nobody, torch.full((6,), -1))
    lone.backward()  # it may be the only loss
    assert float(lone.detach()) == 0
    assert not nobody.grad.any()


def test_an_identity_loss_falls_as_people_come_together():
    torch.manual_seed(0)
    loss = losses.Identity("arcface", 2, 4, {"margin": 20.0, "scale": 16})
    people = torch.tensor([0, 1])
    right = loss.loss.W.detach().T
    with torch.no_grad():
        assert float(loss(right, people)) < float(loss(right.flip(0), people))


def test_an_argument_that_the_loss_lacks_is_one_sentence():
    with pytest.raises(InvalidArgument, match=r"loss arcface cannot be made.*margins"):
        losses.Identity("arcface", 2, 4, {"margins": 20.0})


def test_people_with_too_few_pictures_are_no_class():
    people = np.array([0, 1, 1, 2, 2, 2, -1])
    assert task.classes(people, 2).tolist() == [-1, 0, 0, 1, 1, 1, -1]
    assert task.classes(people, 3).tolist() == [-1, -1, -1, 0, 0, 0, -1]
    for nobody in (people, np.full(4, -1)):
        with pytest.raises(TrainingError, match="No known person has 4 pictures"):
            task.classes(nobody, 4)


# -- means, figures, warnings --------------------------------------------------------


def test_the_mean_follows_the_weights():
    network = torch.nn.Sequential(torch.nn.Linear(1, 1, bias=False), torch.nn.BatchNorm1d(1))
    network[0].weight.data.fill_(0.0)
    mean = Mean(network, 0.9)
    assert not any(p.requires_grad for p in mean.network.parameters())
    network[0].weight.data.fill_(1.0)
    network[1].running_mean.fill_(5.0)
    mean.follow(network, 0)  # young: a tenth stays
    assert float(mean.network[0].weight) == pytest.approx(0.9)
    assert float(mean.network[1].running_mean) == 5.0
    mean.follow(network, 10_000)
    assert float(mean.network[0].weight) == pytest.approx(0.9 + 0.1 * 0.1)


def test_the_mean_measures_what_its_own_weights_make_of_faces():
    network = torch.nn.Sequential(torch.nn.Linear(1, 1, bias=False), torch.nn.BatchNorm1d(1))
    network[0].weight.data.fill_(2.0)
    network[1].running_mean.fill_(70.0)  # what far larger weights left there
    mean = Mean(network, 0.9)
    faces = torch.tensor([[1.0], [2.0], [3.0], [6.0]])
    mean.measure([faces[:2], faces[2:]])
    norm = mean.network[1]
    assert float(norm.running_mean) == pytest.approx(2 * 3.0)
    assert float(norm.running_var) == pytest.approx((2.0 + 18.0) / 2)  # 2 x faces, in two batches
    assert not mean.network.training
    assert float(network[1].running_mean) == 70.0


def test_verification_by_hand():
    # A person along each axis; one face of the second lies nearer to the first.
    vectors = np.array([[1, 0], [2, 0], [0, 1], [0.9, 0.5]], np.float32)
    found = verify(vectors, np.array([0, 0, 1, 1]))
    # Pairs of one person: cosine 1 and 0.486; of strangers: 0, 0, 0.874, 0.874.
    assert found.tar == pytest.approx(0.5)
    assert found.accuracy == pytest.approx(0.75)
    assert found.auc == pytest.approx((1 + 0.5) / 2)
    perfect = verify(np.array([[1, 0], [2, 0.1], [0, 1]], np.float32), np.array([5, 5, 7]))
    assert perfect[:3] == (1.0, 1.0, 1.0)


def looks(*figures):
    return [{"step": i, "loss": loss, "tar": tar} for i, (loss, tar) in enumerate(figures)]


def test_learning_by_heart_is_told():
    falling = [(0.9, 0.5), (0.8, 0.4), (0.7, 0.3), (0.6, 0.2)]
    assert "by heart" in history.overfitting(looks(*falling))
    between = looks(*falling)
    between.insert(2, {"step": 9, "loss": 5.0})  # no look
    assert history.overfitting(between)
    assert history.overfitting(looks(*falling[:3])) is None
    assert history.overfitting(looks(*falling[:3], (0.6, 0.31))) is None
    assert history.overfitting(looks(*falling[:3], (0.95, 0.2))) is None  # the loss rises too


# -- whole runs ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def learnt(prepared, tmp_path_factory):
    """A run with teachers and identities."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    trainer = Trainer(made(tiny.recipe(prepared, folder)))
    began = trainer.validate()
    return folder, began, trainer.run()


def test_it_learns(learnt):
    folder, began, result = learnt
    rows = history.read(folder)
    assert rows[-1]["loss"] < 0.8 * rows[0]["loss"]
    assert result["accuracy"] > began.accuracy
    assert result["finished"]
    assert result["step"] == result["steps"] == 36
    assert result["tar"] == max(row["tar"] for row in rows if "tar" in row)


def test_the_best_state_can_be_used_alone(learnt, prepared):
    folder, _, result = learnt
    best = building.kept(folder / "best.pt")
    assert best.step == result["best_step"]
    trainer = Trainer(made(tiny.recipe(prepared, folder)), resume=True)
    crops = np.random.default_rng(0).integers(0, 256, (3, 112, 112, 3), np.uint8)
    vectors = embed(best.embedder.network, best.embedder, crops, CPU)
    assert vectors.shape == (3, sum(tiny.TEACHERS.values()))
    trainer.mean.network.load_state_dict(best.embedder.network.state_dict())
    found = trainer.validate()
    assert (found.accuracy, found.tar) == (result["accuracy"], result["tar"])


def test_what_is_kept_fits_its_own_weights(learnt, prepared):
    """The figures of each BatchNorm are those of batches of the faces, evenly over all of them."""
    network = building.kept(learnt[0] / "best.pt").embedder.network
    norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    kept = [(norm.running_mean.clone(), norm.running_var.clone()) for norm in norms]
    seen = {norm: [] for norm in norms}
    for norm in norms:
        norm.register_forward_pre_hook(lambda norm, x: seen[norm].append(x[0]))
    faces = Collection([str(prepared)], "train")
    groups = -(-len(faces) // 8)
    network.train()
    for first in range(groups):
        network(tensor(faces.plain(range(first, len(faces), groups)), CPU))
    for norm, (mean, variance) in zip(norms, kept, strict=True):
        means, variances = ([f(x, (0, 2, 3)) for x in seen[norm]] for f in (torch.mean, torch.var))
        torch.testing.assert_close(mean, torch.stack(means).mean(0), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(variance, torch.stack(variances).mean(0), rtol=1e-4, atol=1e-5)


def test_a_run_begins_with_what_another_learnt(learnt, prepared, tmp_path):
    folder, _, _ = learnt
    best = str(folder / "best.pt")
    trainer = Trainer(made(tiny.recipe(prepared, tmp_path / "next", init=best)))
    state = building.kept(folder / "best.pt").embedder.network.state_dict()
    for weights in (trainer.network.state_dict(), trainer.mean.network.state_dict()):
        assert all(torch.equal(weights[name], state[name]) for name in state)
    other = {"kind": "convnext", "dims": [8, 16, 32], "depths": [1, 1, 1], "head": 32}
    for changes, message in (
        ({"network": other}, "holds another network"),
        ({"init": str(tmp_path / "no.onnx")}, "is not there"),
        ({"init": str(tmp_path / "no.pt")}, "is not there"),
    ):
        recipe = tiny.recipe(prepared, tmp_path / "bad", **{"init": best, **changes})
        with pytest.raises(TrainingError, match=message):
            Trainer(made(recipe))


def test_a_run_begins_with_what_was_exported(learnt, prepared, tmp_path):
    folder, _, _ = learnt
    file = export(str(folder), out=str(tmp_path / "mine.onnx"))["path"]
    trainer = Trainer(made(tiny.recipe(prepared, tmp_path / "next", init=file)))
    crops = trainer.train.plain(range(8))
    before = building.kept(folder / "best.pt").embedder
    expected = embed(before.network, before, crops, CPU)
    for network in (trainer.network, trainer.mean.network):
        assert np.allclose(embed(network, trainer.embedder, crops, CPU), expected, atol=1e-5)


@pytest.mark.parametrize(
    "changes",
    [
        {"precision": "bf16"},
        {"identity": {}},
        {"teachers": {}, "identity": {"loss": "triplet", "dimension": 16}},
        {"teachers": {}, "identity": {"loss": "cosface", "photos": 6}},  # 5 each: nobody
    ],
    ids=["bf16", "teachers alone", "identity alone", "nobody"],
)
def test_what_a_recipe_may_ask(prepared, tmp_path, changes):
    recipe = made(tiny.recipe(prepared, tmp_path / "run", epochs=1, **changes))
    if recipe.identity.get("photos") == 6:
        with pytest.raises(TrainingError, match="No known person has 6 pictures"):
            Trainer(recipe)
        return
    before = {k: v.clone() for k, v in Trainer(recipe).network.state_dict().items()}
    trainer = Trainer(recipe, resume=True)
    assert trainer.run()["finished"]
    after = trainer.network.state_dict()
    assert any(not torch.equal(before[name], after[name]) for name in after)
    assert all(row["loss"] == row["loss"] for row in trainer.rows)


def test_names_that_a_recipe_gets_wrong(prepared, tmp_path):
    for changes, message in (
        ({"sampler": "shuffle"}, "Did you mean shuffled"),
        ({"optimizer": "moun"}, "Did you mean muon"),
        ({"identity": {"loss": "arcfase"}}, "Did you mean arcface"),
    ):
        with pytest.raises(UnknownName, match=message):
            Trainer(made(tiny.recipe(prepared, tmp_path / "run", **changes)))


def test_a_loss_that_is_no_number_ends_the_run(prepared, tmp_path):
    trainer = Trainer(made(tiny.recipe(prepared, tmp_path / "run")))
    next(trainer.network.parameters()).data.fill_(float("nan"))
    with pytest.raises(TrainingError, match=r"loss is nan at step 0.*lower rate"):
        trainer.run()
    assert not (tmp_path / "run" / "last.pt").exists()


def test_held_out_people_must_be_comparable(tmp_path):
    folder = tiny.prepare(tmp_path / "faces", each=1)
    with pytest.raises(TrainingError, match="cannot be compared"):
        Trainer(made(tiny.recipe(folder, tmp_path / "run", identity={})))
