"""The folder of a run: whose it is."""

from __future__ import annotations

import json
from pathlib import Path

from facekit.bulk.files import in_place
from facekit.errors import FaceKitError, TrainingError
from facekit.training import recipe as recipes
from facekit.training.recipe import Recipe

LAST, BEST, RECIPE = "last.pt", "best.pt", "recipe.json"


def check(folder: Path, recipe: Recipe, resume: bool) -> None:
    """See that the recipe may run here.

    Raises
    ------
    TrainingError
        When another recipe did, or this one did and is not to be resumed.
    """
    if not (folder / RECIPE).exists():
        return
    if not resume:
        raise TrainingError(
            f"{folder} holds a run already.",
            "Go on with it by --resume, or name another folder with out=FOLDER.",
        )
    if recipe_of(folder).decisive() != recipe.decisive():
        raise TrainingError(
            f"{folder} holds a run of another recipe.",
            f"Resume it with --config {folder / RECIPE}, or name another folder with out=FOLDER.",
        )


def recipe_of(folder: Path) -> Recipe:
    """The recipe of the run in a folder.

    Raises
    ------
    TrainingError
        When there is none.
    """
    file = folder / RECIPE
    try:
        return recipes.made(json.loads(file.read_text("utf-8")))
    except FileNotFoundError:
        raise TrainingError(f"{folder} holds no run.", "Name the folder of a run.") from None
    except (OSError, ValueError, AttributeError, FaceKitError) as error:
        raise TrainingError(
            f"{file} cannot be read as a recipe ({error}).", "Name another folder."
        ) from error


def keep_recipe(folder: Path, recipe: Recipe) -> None:
    """Write what runs here."""
    with in_place(folder / RECIPE) as aside:
        aside.write_text(json.dumps(recipe.to_dict(), indent=1), "utf-8")
