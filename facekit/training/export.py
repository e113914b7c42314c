"""A trained network -> an ONNX file that says itself what it is and what it wants to see."""

from __future__ import annotations

import datetime
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from facekit import own_models
from facekit.bulk.files import in_place
from facekit.convert import convnext
from facekit.errors import FaceKitError, InvalidArgument, TrainingError, UnknownName
from facekit.image_fetch import user_path
from facekit.runtime import Session
from facekit.training import building
from facekit.training.building import Kept
from facekit.training.collection import Collection
from facekit.training.faces import cut
from facekit.training.faces.finish import ABOUT
from facekit.training.network import ACTIVATIONS, ConvNeXt, Embedder
from facekit.training.recipe import Recipe
from facekit.training.run_folder import BEST
from facekit.training.trainer import tensor
from facekit.zoo.specs import RecognizerSpec
from facekit.zoo.templates import ARCFACE_INPUT

PRECISIONS = ("fp32", "fp16")
# Notes in the file, beside those of own_models: JSON, and a day.
TRAINING, DATE = "facekit.training", "facekit.date"
LARGEST_DEVIATION = 1e-5  # from torch, of embeddings of unit length
_REAL, _RANDOM = 32, 8  # pictures that both compute
# Of prepared.json; why pictures were dropped may tell where they lie.
_COUNTED = ("pictures", "faces", "people", "photos_per_person", "unknown", "splits", "excluded")


class Trained(NamedTuple):
    """What is exported.

    Attributes
    ----------
    network : ConvNeXt
        With the best weights, for inference.
    weights : dict of str to float
        Of each teacher in the embedding.
    kept : Kept
        Where they come from.
    """

    network: ConvNeXt
    weights: dict[str, float]
    kept: Kept


def export(
    run: str,
    name: str = "MyConvNeXt",
    out: str | None = None,
    *,
    precision: str = "fp32",
    weights: Mapping[str, float] | None = None,
    flip: bool = False,
    licence: str = "",
    register: bool = False,
    crops: np.ndarray | None = None,
) -> dict[str, Any]:
    """Write a run's best network as ONNX, and compare the two.

    The graph takes ``float32 (N, 3, 112, 112)`` RGB, ``(pixel - 127.5) / 127.5``, and gives
    ``embedding (N, D)``; batch normalizations are folded in.

    Parameters
    ----------
    run : str
        Folder of the run.
    name : str
        Of the recognizer.
    out : str, optional
        File; by default NAME.onnx in the run's folder.
    precision : str
        fp32, or fp16 for weights of half the size; arithmetic stays float32.
    weights : mapping of str to float, optional
        Of teachers in the embedding, in place of the run's. 0 leaves a teacher out.
    flip : bool
        Whether users' commands add the mirror image's embedding by default.
    licence : str
        Terms of the weights, for the file and for `facekit models`.
    register : bool
        Also keep it in the cache directory, so that every command knows the name.
    crops : numpy.ndarray, optional
        ``uint8 (N, 112, 112, 3)`` BGR: faces to compare the two networks on. By default
        held-out ones of the recipe's data, where those are on this machine.

    Returns
    -------
    dict
        name, path, sha256, size (bytes), precision, dimension, teachers (name -> weight), step,
        tar and accuracy (of held-out people), deviation (largest from torch, of embeddings
        of unit length), faces and random (pictures that were compared), registered (path of the
        copy, or None).

    Raises
    ------
    TrainingError
        When the folder holds no run that can be exported, or the file computes something else.
    InvalidArgument, UnknownName
        For arguments that cannot be used; with ``register`` also a name that is taken.
    """
    if precision not in PRECISIONS:
        raise UnknownName("precision", precision, PRECISIONS)
    if register:
        own_models.check_name(name)
    folder = user_path(run)
    trained = _weighted(best(folder), weights or {})
    faces = _held_out(trained.kept.recipe) if crops is None else crops
    embedder = Embedder(trained.network, list(trained.weights.values())).eval()
    model = _graph(trained, half=precision == "fp16")
    found = _deviation(embedder, model.SerializeToString(), faces)
    if not found <= (LARGEST_DEVIATION if precision == "fp32" else 1):  # NaN is no number
        raise TrainingError(
            f"The exported network differs from the trained one by {found:.2g}.",
            "Export with precision fp32." if precision == "fp16" else "Report this as a bug.",
        )
    dimension = model.graph.output[0].type.tensor_type.shape.dim[1].dim_value
    spec = _spec(name, trained, dimension, flip)
    training = {
        "precision": precision,
        "deviation": found,
        "teachers": trained.weights,
        "step": trained.kept.step,
        "held_out": {"tar": trained.kept.tar, "accuracy": trained.kept.accuracy},
        "recipe": _without_places(trained.kept.recipe.to_dict()),
        "data": _counts(trained.kept.recipe),
    }
    notes = {
        own_models.SPEC: own_models.notes_of(spec),
        own_models.LICENCE: licence,
        TRAINING: json.dumps(training),
        DATE: datetime.date.today().isoformat(),
    }
    for key, text in notes.items():
        model.metadata_props.add(key=key, value=text)
    written = model.SerializeToString()
    file = (folder / f"{name}.onnx" if out is None else user_path(out)).absolute()
    with in_place(file) as aside:
        aside.write_bytes(written)
    return {
        "name": name,
        "path": str(file),
        "sha256": hashlib.sha256(written).hexdigest(),
        "size": len(written),
        "precision": precision,
        "dimension": spec.dimension,
        "teachers": trained.weights,
        "step": trained.kept.step,
        "tar": trained.kept.tar,
        "accuracy": trained.kept.accuracy,
        "deviation": found,
        "faces": len(faces),
        "random": _RANDOM,
        "registered": str(own_models.keep(file, name)) if register else None,
    }


def best(folder: Path) -> Trained:
    """The best state of a run.

    Raises
    ------
    TrainingError
        When there is none, or it is damaged.
    """
    if not folder.is_dir():
        raise TrainingError(f"{folder} is no run.", "Name the folder that `facekit train` made.")
    file = folder / BEST
    if not file.exists():
        raise TrainingError(
            f"{folder} has no {BEST} yet.",
            "It is written when the run first looks at held-out people.",
        )
    kept = building.kept(file)
    network = kept.embedder.network
    if not isinstance(network, ConvNeXt):
        raise TrainingError(
            f"{folder} holds a {type(network).__name__}, which cannot be exported.",
            "Write its graph in facekit/convert.",
        )
    weights = dict(zip(network.teachers, kept.embedder.weights, strict=True))
    return Trained(network, weights, kept)


def _weighted(trained: Trained, wanted: Mapping[str, float]) -> Trained:
    """With other weights of teachers; those without weight are taken out of the network."""
    weights = dict(trained.weights)
    for teacher, weight in wanted.items():
        if teacher not in weights:
            raise UnknownName("teacher of this run", teacher, weights)
        try:
            weights[teacher] = float(weight)
        except (TypeError, ValueError):
            weights[teacher] = math.nan
        if not 0 <= weights[teacher] < math.inf:
            raise InvalidArgument(
                f"The weight of {teacher} is {weight!r}.", "It must be a number, 0 or more."
            )
    network = trained.network
    places = [place for place, weight in enumerate(weights.values()) if weight]
    if not places:
        raise InvalidArgument("No teacher is left.", "Give one of them a weight above 0.")
    network.outputs = torch.nn.ModuleList(network.outputs[place] for place in places)
    network.teachers = [network.teachers[place] for place in places]
    return trained._replace(weights={name: w for name, w in weights.items() if w})


def _graph(trained: Trained, *, half: bool) -> Any:
    network = trained.network
    state = {name: value.numpy() for name, value in network.state_dict().items()}
    activation = next(n for n, kind in ACTIVATIONS.items() if type(network.body[2]) is kind)
    return convnext.build(state, activation, [*trained.weights.values()], half=half)


def _held_out(recipe: Recipe) -> np.ndarray:
    """Some held-out faces, ``uint8 (N, 112, 112, 3)``; none where the data are not here."""
    try:
        held = Collection(recipe.data, "validation")
    except (FaceKitError, OSError):
        return np.zeros((0, cut.SIDE, cut.SIDE, 3), np.uint8)
    rows = np.unique(np.linspace(0, len(held) - 1, _REAL).astype(int))
    return held.plain(rows)


def _deviation(embedder: Embedder, model: bytes, faces: np.ndarray) -> float:
    """Largest difference between the file's and torch's embeddings, brought to unit length."""
    noise = np.random.default_rng(0).integers(0, 256, (_RANDOM, cut.SIDE, cut.SIDE, 3), np.uint8)
    session = Session(model, threads=1)
    length = math.hypot(*embedder.weights)
    largest = 0.0
    # Batches of other sizes, too: the graph must take any.
    for part in (noise, *(faces[start : start + 5] for start in range(0, len(faces), 5))):
        pictures = tensor(part, torch.device("cpu"))
        with torch.inference_mode():
            ours = embedder(pictures).numpy()
        theirs = session.run(pictures.numpy())[0]
        largest = max(largest, float(np.abs(ours - theirs).max()) / length)
    return largest


def _spec(name: str, trained: Trained, dimension: int, flip: bool) -> RecognizerSpec:
    """As the faces of training were cut (``faces.cut``) and shown (``trainer.tensor``)."""
    return RecognizerSpec(
        name=name,
        weights=(name,),
        dimension=dimension,
        scale=1 / 127.5,
        flip=flip,
        note=f"Learnt from {', '.join(trained.weights)}; TAR of held-out people at FAR 1e-3 "
        f"{100 * trained.kept.tar:.1f} %.",
        **ARCFACE_INPUT,
    )


def _without_places(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Folders and files by their last name: where they lie is nobody's business."""
    named = dict(recipe)
    named["data"] = _names(recipe["data"])
    for key in ("out", "init"):
        if named.get(key):
            named[key] = Path(named[key]).name
    return named


def _names(folders: Sequence[str]) -> list[str]:
    return [Path(folder).name for folder in folders]


def _counts(recipe: Recipe) -> dict[str, Any]:
    """What is known of the data that are on this machine, by the folder's name."""
    counts = {}
    for folder, name in zip(recipe.data, _names(recipe.data), strict=True):
        try:
            about = json.loads((user_path(folder) / ABOUT).read_text("utf-8"))
        except (OSError, ValueError):
            continue
        counts[name] = {key: about[key] for key in _COUNTED if key in about}
    return counts
