"""The loop: a run that can be stopped at any moment and goes on as if it had not been."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

from facekit.bulk.files import in_place
from facekit.errors import InvalidArgument, TrainingError, UnknownName
from facekit.image_fetch import user_path
from facekit.training import begin, checkpoint, losses, schedule
from facekit.training.augment import Augmentation, plain
from facekit.training.collection import Collection, few_of_each
from facekit.training.ema import Mean
from facekit.training.loader import Batch, batches
from facekit.training.network import NETWORKS, Embedder
from facekit.training.recipe import Recipe
from facekit.training.sampler import Shuffled
from facekit.training.verification import Verified, verify

_HELD_OUT = 8  # pictures of a person that are compared: a few with hundreds would decide alone
_CHUNK = 64
_SETTLING = 256  # faces that an exported network is made ready to learn with
COLUMNS = ("step", "epoch", "rate", "loss", "distill", "identity", "speed", "accuracy", "tar")
LAST, BEST, HISTORY, RECIPE = "last.pt", "best.pt", "history.csv", "recipe.json"


class Trainer:
    """A run of a recipe.

    Parameters
    ----------
    recipe : Recipe
    resume : bool
        Go on from the folder's last state; without it the folder must be new.
    told : callable, optional
        Gets a line for people now and then.

    Raises
    ------
    TrainingError
        When data are missing, or the folder holds another run.
    """

    def __init__(
        self, recipe: Recipe, *, resume: bool = False, told: Callable[[str], None] | None = None
    ) -> None:
        self.recipe = recipe
        self.folder = user_path(recipe.out)
        self._told = told or _silent
        self._claim(resume)
        self.device = _device(recipe.device)
        if recipe.threads:
            torch.set_num_threads(recipe.threads)
        torch.manual_seed(recipe.seed)
        self.train = Collection(recipe.data, "train", list(recipe.teachers), recipe.share)
        self.held_out = Collection(recipe.data, "validation")
        self.held_out.keep(few_of_each(self.held_out.people, _HELD_OUT))
        self.sampler = Shuffled(len(self.train), recipe.batch, recipe.seed)
        self.steps = recipe.epochs * self.sampler.steps
        self._targets = self._centre_targets()
        self._build()
        self.step = 0
        self.best = -1.0
        self.rows: list[dict[str, Any]] = []
        if recipe.init is not None:
            self._begin_with(user_path(recipe.init))
        self.mean = Mean(self.network, recipe.ema)
        if resume and (self.folder / LAST).exists():
            self._restore(checkpoint.load(self.folder / LAST, str(self.device)))

    # -- set-up ------------------------------------------------------------------------

    def _claim(self, resume: bool) -> None:
        file = self.folder / RECIPE
        mine = self.recipe.identity_of_run()
        if file.exists():
            if not resume:
                raise TrainingError(
                    f"{self.folder} holds a run already.",
                    "Go on with it by --resume, or name another folder with out=FOLDER.",
                )
            held = Recipe(**json.loads(file.read_text("utf-8")))
            if held.identity_of_run() != mine:
                raise TrainingError(
                    f"{self.folder} holds a run of another recipe.",
                    "Resume it with its own recipe.json, or name another folder with out=FOLDER.",
                )
        with in_place(file) as aside:
            aside.write_text(json.dumps(self.recipe.to_dict(), indent=1), "utf-8")

    def _centre_targets(self) -> list[torch.Tensor]:
        return [
            torch.from_numpy(losses.centred(vectors)[0].astype(np.float32))
            for vectors in self.train.targets.values()
        ]

    def _build(self) -> None:
        recipe = self.recipe
        options = dict(recipe.network)
        kind = options.pop("kind", "convnext")
        if kind not in NETWORKS:
            raise UnknownName("network", kind, NETWORKS)
        outputs = {name: vectors.shape[1] for name, vectors in self.train.targets.items()}
        identity = dict(recipe.identity)
        outputs = outputs or {"identity": int(identity.pop("dimension", 256))}
        try:
            network = NETWORKS[kind](outputs, **options)
        except (TypeError, KeyError, ValueError) as error:
            raise InvalidArgument(f"network: {error}.", "See recipes/convnext.yaml.") from error
        network.to(self.device)
        # Depthwise convolutions are twice as fast so, on CPUs and GPUs.
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        weights = [recipe.teachers.get(name, 1.0) ** 0.5 for name in outputs]
        self.embedder = Embedder(self.network, weights)
        self.distillation = losses.Distillation(recipe.teachers) if recipe.teachers else None
        self.identity: losses.Identity | None = None
        self._identity_weight = float(identity.pop("weight", 1.0))
        least = int(identity.pop("photos", 2))
        if loss := identity.pop("loss", None):
            if loss not in losses.IDENTITY:
                raise UnknownName("identity loss", loss, losses.IDENTITY)
            self.classes = _classes(self.train.people, least)
            dimension = sum(outputs.values())
            made = losses.Identity(loss, int(self.classes.max()) + 1, dimension, identity)
            self.identity = made.to(self.device)
        parameters = [*self.network.parameters()]
        decayed = [p for p in parameters if p.ndim > 1 and p.shape[0] != 1]
        others = [p for p in parameters if not (p.ndim > 1 and p.shape[0] != 1)]
        if self.identity is not None:
            decayed += list(self.identity.parameters())
        self.optimizer = torch.optim.AdamW(
            [
                {"params": decayed, "weight_decay": recipe.weight_decay},
                {"params": others, "weight_decay": 0.0},
            ],
            lr=recipe.rate,
        )

    def _begin_with(self, path: Path) -> None:
        def faces() -> torch.Tensor:
            rows = np.linspace(0, len(self.train) - 1, min(len(self.train), _SETTLING)).astype(int)
            crops = np.stack([plain(self.train.picture(row)) for row in rows])
            return tensor(crops, self.device)

        begin.begin(self.network, path, faces)

    # -- state -------------------------------------------------------------------------

    def _state(self) -> dict[str, Any]:
        return {
            "network": self.network.state_dict(),
            "mean": self.mean.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "identity": self.identity.state_dict() if self.identity is not None else {},
            "step": self.step,
            "best": self.best,
            "rows": self.rows,
            "random": torch.get_rng_state(),
        }

    def _restore(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self.mean.network.load_state_dict(state["mean"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.identity is not None:
            self.identity.load_state_dict(state["identity"])
        self.step, self.best, self.rows = state["step"], state["best"], state["rows"]
        torch.set_rng_state(state["random"].cpu())

    def save(self) -> None:
        """Write the state, then the history of just that state."""
        checkpoint.save(self.folder / LAST, self._state())
        with (
            in_place(self.folder / HISTORY) as aside,
            aside.open("w", encoding="utf-8", newline="") as out,
        ):
            table = csv.DictWriter(out, COLUMNS, restval="")
            table.writeheader()
            table.writerows(self.rows)

    # -- the loop ----------------------------------------------------------------------

    def run(self) -> dict[str, Any]:
        """Train to the end of the recipe; figures of the last and the best state."""
        recipe = self.recipe
        chances = Augmentation.of(recipe.augment)
        todo = range(self.step, self.steps)
        made = batches(self.train, self.sampler, chances, recipe.seed, todo, recipe.workers)
        sums: dict[str, float] = {}
        began, counted = time.perf_counter(), 0
        self.network.train()
        for batch in made:
            for name, value in self.learn(batch).items():
                sums[name] = sums.get(name, 0.0) + value
            counted += 1
            self.step += 1
            look = self.step % recipe.validate_every == 0 or self.step == self.steps
            if self.step % recipe.save_every == 0 or look:
                speed = counted * recipe.batch / (time.perf_counter() - began)
                row = {name: value / counted for name, value in sums.items()}
                self._note(row, speed, look)
                self.save()
                sums, counted, began = {}, 0, time.perf_counter()
        return {"steps": self.step, "best": self.best, "folder": str(self.folder)}

    def learn(self, batch: Batch) -> dict[str, float]:
        """One step of the optimizer; the losses."""
        recipe = self.recipe
        now = schedule.rate(
            self.step,
            self.steps,
            peak=recipe.rate,
            warmup=recipe.warmup,
            hold=recipe.hold,
            last=recipe.last_rate,
        )
        for group in self.optimizer.param_groups:
            group["lr"] = now
        rows = torch.from_numpy(batch.rows)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=recipe.precision == "bf16"):
            said = self.network(tensor(batch.crops, self.device))
        told: dict[str, torch.Tensor] = {}
        if self.distillation is not None:
            targets = [target[rows].to(self.device) for target in self._targets]
            told["distill"] = self.distillation(said, targets)
        if self.identity is not None:
            people = torch.from_numpy(self.classes[batch.rows]).to(self.device)
            told["identity"] = self.identity(self.embedder.join(said), people)
        loss = told.get("distill", torch.zeros(())) + self._identity_weight * told.get(
            "identity", torch.zeros(())
        )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), recipe.clip)
        self.optimizer.step()
        self.mean.follow(self.network, self.step)
        told["loss"] = loss
        numbers = {name: float(value.detach()) for name, value in told.items()}
        if not np.isfinite(numbers["loss"]):
            raise TrainingError(
                f"The loss is {numbers['loss']} at step {self.step}.",
                "Lower the rate, and go on from last.pt with --resume.",
            )
        return numbers

    def _note(self, row: dict[str, Any], speed: float, look: bool) -> None:
        recipe = self.recipe
        row |= {
            "step": self.step,
            "epoch": round(self.step / self.sampler.steps, 3),
            "rate": self.optimizer.param_groups[0]["lr"],
            "speed": round(speed, 1),
        }
        left = (self.steps - self.step) * recipe.batch / max(speed, 1e-9)
        line = (
            f"step {self.step:,} of {self.steps:,}, epoch {row['epoch']:.2f}, "
            f"loss {row['loss']:.4f}, {speed:.0f} pictures/s, {_spoken(left)} left"
        )
        if look:
            found = self.validate()
            row |= {"accuracy": found.accuracy, "tar": found.tar}
            line += f"; held-out people: accuracy {found.accuracy:.4f}, TAR {found.tar:.4f}"
            if found.tar > self.best:
                self.best = found.tar
                checkpoint.save(
                    self.folder / BEST,
                    {
                        "network": self.mean.network.state_dict(),
                        "recipe": json.dumps(recipe.to_dict()),
                        "teachers": self.network.teachers,
                        "weights": list(self.embedder.weights),
                        "step": self.step,
                        "tar": found.tar,
                        "accuracy": found.accuracy,
                    },
                )
        self.rows.append(row)
        self._told(line)
        if look and (warning := overfitting(self.rows)):
            self._told(warning)

    def validate(self) -> Verified:
        """How well the mean of the weights tells held-out people apart."""
        crops = np.stack([plain(self.held_out.picture(row)) for row in range(len(self.held_out))])
        vectors = embed(self.mean.network, self.embedder, crops, self.device)
        return verify(vectors, self.held_out.people)


def embed(
    network: torch.nn.Module, embedder: Embedder, crops: np.ndarray, device: torch.device
) -> np.ndarray:
    """Embeddings of crops ``uint8 (N, 112, 112, 3)``, ``float32 (N, D)``."""
    network.eval()
    made = []
    with torch.inference_mode():
        for start in range(0, len(crops), _CHUNK):
            said = network(tensor(crops[start : start + _CHUNK], device))
            made.append(embedder.join(said).cpu().numpy())
    return np.concatenate(made)


def tensor(crops: np.ndarray, device: torch.device) -> torch.Tensor:
    """``uint8 (N, 112, 112, 3)`` BGR -> ``float32 (N, 3, 112, 112)`` RGB in -1..1."""
    pixels = torch.from_numpy(np.ascontiguousarray(crops[..., ::-1])).to(device)
    return (pixels.permute(0, 3, 1, 2).float() - 127.5) / 127.5


def _silent(line: str) -> None:
    """Where nobody wants to be told."""


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise InvalidArgument("device is cuda, and there is none.", "Take device=cpu.")
    return torch.device(name)


def _classes(people: np.ndarray, least: int) -> np.ndarray:
    """Number of each face's class, -1 for people that are unknown or have too few pictures."""
    counts = np.bincount(people[people >= 0]) if (people >= 0).any() else np.zeros(0, int)
    numbers = np.full(len(counts), -1, np.int64)
    enough = np.flatnonzero(counts >= least)
    if not len(enough):
        raise TrainingError(
            f"No known person has {least} pictures.", "Leave the identity loss out of the recipe."
        )
    numbers[enough] = np.arange(len(enough))
    return np.where(people >= 0, numbers[np.maximum(people, 0)], -1)


def overfitting(rows: list[dict[str, Any]]) -> str | None:
    """A warning when held-out people are told apart worse and worse while the loss falls."""
    looks = [row for row in rows if "tar" in row][-4:]
    if len(looks) < 4:
        return None
    worse = all(late["tar"] < early["tar"] for early, late in pairwise(looks))
    if worse and looks[-1]["loss"] < looks[0]["loss"]:
        return (
            "the loss falls, but held-out people are told apart worse for the third time: "
            "the network begins to learn its faces by heart"
        )
    return None


def _spoken(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes} min"
