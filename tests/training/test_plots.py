"""The plots of a run are pictures of it."""

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("matplotlib")
pytest.importorskip("sklearn")
pytest.importorskip("yaml")

from facekit.errors import TrainingError
from facekit.training import plots
from facekit.training.recipe import made
from facekit.training.trainer import Trainer

from . import tiny

NAMES = ["held_out", "loss", "map", "rate", "roc"]


def texts(figure):
    return " ".join(text.get_text() for axes in figure.axes for text in axes.findobj(text_of))


def text_of(artist):
    return hasattr(artist, "get_text")


def test_a_run_is_drawn(prepared, tmp_path):
    Trainer(made(tiny.recipe(prepared, tmp_path / "run", epochs=3, identity={}))).run()
    files = plots.plot(str(tmp_path / "run"))
    assert sorted(file.stem for file in files) == NAMES
    for file in files:
        picture = cv2.imread(str(file))
        assert picture.shape[1] == 1200
        assert picture.std() > 5
        assert file.parent == tmp_path / "run" / "plots"


def test_figures_say_what_they_show():
    rows = [{"step": s, "loss": 1.0 / s, "distill": 0.9 / s, "rate": 0.1} for s in range(1, 9)]
    rows[3] |= {"tar": 0.75, "accuracy": 0.9}
    rows[7] |= {"tar": 0.5, "accuracy": 0.8}
    assert "0.7500, at step 4" in texts(plots._looks(rows))
    assert len(plots._losses(rows).axes) == 1
    assert len(plots._losses([row | {"identity": 3.0} for row in rows]).axes) == 3
    people = np.repeat(np.arange(4), 3)
    vectors = np.eye(4)[people] + 0.01 * np.random.default_rng(0).normal(size=(12, 4))
    said = texts(plots._roc(vectors, people, 1234))
    assert "4 held-out people" in said
    assert "1,234" in said
    assert "AUC 1.0000, EER 0.0000" in said
    assert "12 pairs of one person" in said
    assert "54 pairs of strangers" in said


def test_the_same_faces_lie_at_the_same_places():
    vectors = np.random.default_rng(0).normal(size=(12, 5))
    assert np.array_equal(plots._flat(vectors), plots._flat(vectors))


def test_a_folder_without_a_run(tmp_path):
    with pytest.raises(TrainingError, match="holds no run"):
        plots.plot(str(tmp_path))
