"""A recipe is read as it is meant, or refused in one sentence."""

from pathlib import Path

import pytest

pytest.importorskip("yaml")

from facekit.errors import InvalidArgument, UnknownName
from facekit.training.recipe import made, packaged, read


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(
        "data: [faces]\nteachers: {Dlib: 1}\nnetwork: {kind: convnext, dims: [8, 16, 24]}\n"
        "rate: 3e-3\nepochs: 2\n"
    )
    return str(file)


def test_values_are_typed_as_their_keys_want_them(file):
    recipe = read(file, ["clip=2", "weight_decay=5e-2", "identity.scale=3e1", "augment.flip=1"])
    assert (recipe.rate, recipe.clip, recipe.weight_decay) == (0.003, 2.0, 0.05)
    assert recipe.teachers == {"Dlib": 1.0}
    assert recipe.identity == {"scale": 30.0}
    assert recipe.augment == {"flip": 1.0}
    for value in (recipe.rate, recipe.clip, recipe.teachers["Dlib"], recipe.augment["flip"]):
        assert type(value) is float
    assert read(file, ["batch=1e2"]).batch == 100


def test_single_values_are_replaced(file):
    recipe = read(
        file,
        ["data=[a,b]", "out=runs/x", "network.depths=[1,1,2]", "init=best.pt", "teachers.A=0.5"],
    )
    assert recipe.data == ["a", "b"]
    assert recipe.out == "runs/x"
    assert recipe.network == {"kind": "convnext", "dims": [8, 16, 24], "depths": [1, 1, 2]}
    assert recipe.teachers == {"Dlib": 1.0, "A": 0.5}
    assert recipe.init == "best.pt"
    assert read(file, ["data=one"]).data == ["one"]
    assert read(file, ["identity="]).identity == {}
    assert read(file, ["init="]).init is None


def test_what_is_written_is_the_recipe(file):
    recipe = read(file, ["rate=1e-5", "identity.loss=arcface", "identity.margin=2e1"])
    assert made(recipe.to_dict()) == recipe
    assert made(recipe.to_dict()).decisive() == recipe.decisive()


def test_where_and_how_fast_are_not_what_is_learnt(file):
    one = read(file).decisive()
    same = ["out=x", "device=cpu", "threads=1", "workers=3", "validate_every=7", "save_every=9"]
    assert read(file, same).decisive() == one
    for change in ("seed=2", "rate=1e-3", "data=[other]", "augment.flip=0", "network.head=64"):
        assert read(file, [change]).decisive() != one, change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("epoch=3", "no key of a recipe named 'epoch'. Did you mean epochs?"),
        ("qqqqqq=3", "docs/training.md shows them"),
        ("augment.flipp=0", "no augmentation named 'flipp'. Did you mean flip?"),
        ("epochs=many", "epochs is 'many'. It must be a whole number."),
        ("epochs=1.5", "epochs is 1.5. It must be a whole number."),
        ("epochs=true", "epochs is True."),
        ("epochs=0", "epochs is 0. It must be at least 1."),
        ("rate=fast", "rate is 'fast'. It must be a number."),
        ("rate=.nan", "It must be a number."),
        ("rate=0", "rate is 0. It must be above 0."),
        ("share=1.5", "share is 1.5. It must be between 0 and 1."),
        ("share=0", "share is 0. It must be above 0."),
        ("hold=-1", "hold is -1."),
        ("augment.flip=2", "augment.flip is 2. It must be between 0 and 1."),
        ("augment.rotation=-1", "augment.rotation is -1. It must be at least 0."),
        ("teachers.Dlib=-1", "teachers.Dlib is -1. It must be above 0."),
        ("teachers.Dlib=much", "teachers.Dlib is 'much'. It must be a number."),
        ("teachers=Dlib", "teachers is 'Dlib'. It must be a section"),
        ("teachers=", "neither teachers nor an identity loss"),
        ("data=[]", "names no data"),
        ("data=", "names no data"),
        ("data=5", "data is 5. It must be a list."),
        ("out=", "out is None. It must be a text."),
        ("precision=fp16", "no precision named 'fp16'. Did you mean"),
        ("device=gpu", "no device named 'gpu'."),
        ("epochs", "'epochs' changes nothing in a recipe. Write it as key=value"),
        ("data=[a", "no YAML"),
        ("epochs.x=1", "epochs.x cannot be set: epochs is a single value."),
    ],
)
def test_mistakes_are_one_sentence(file, change, message):
    with pytest.raises((InvalidArgument, UnknownName)) as caught:
        read(file, [change])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_amounts_of_augmentation_may_exceed_one(file):
    assert read(file, ["augment.rotation=30"]).augment == {"rotation": 30.0}


def test_files_that_are_no_recipe(tmp_path):
    (tmp_path / "list.yaml").write_text("- a\n")
    (tmp_path / "bad.yaml").write_text("a: [\n")
    for name, message in (
        ("nothing.yaml", "cannot be read as a recipe (No such file"),
        ("list.yaml", "is no recipe"),
        ("bad.yaml", "cannot be read as a recipe"),
    ):
        with pytest.raises(InvalidArgument) as caught:
            read(str(tmp_path / name))
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)


def test_recipes_that_come_with_facekit(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path("convnext").mkdir()  # a folder of the name is no recipe
    assert "convnext" in packaged()
    for name in packaged():
        recipe = read(name, ["data=[faces]"])
        assert recipe.data == ["faces"]
    with pytest.raises(UnknownName, match="Did you mean convnext"):
        read("convnet", [])
