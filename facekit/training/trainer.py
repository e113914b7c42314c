"""The loop: a run that can be stopped at any moment and goes on as if it had not been."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch

from facekit.bulk.files import alone, sweep
from facekit.errors import TrainingError, UnknownName
from facekit.image_fetch import user_path
from facekit.training import begin, building, checkpoint, history, run_folder, schedule
from facekit.training.augment import Augmentation
from facekit.training.board import Board
from facekit.training.collection import Collection, few_of_each
from facekit.training.ema import Mean
from facekit.training.loader import Batch, batches
from facekit.training.network import Embedder
from facekit.training.optimizers import OPTIMIZERS
from facekit.training.recipe import Recipe
from facekit.training.run_folder import BEST, LAST
from facekit.training.sampler import SAMPLERS
from facekit.training.task import Task
from facekit.training.verification import Verified, verify

_HELD_OUT = 8  # pictures of a person that are compared: a few with hundreds would decide alone
_CHUNK = 64
_SETTLING = 256  # faces that an exported network is made ready to learn with
_MEASURED = 4096  # faces that the mean of the weights is given its BatchNorms' figures by


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
    InvalidArgument, TrainingError, UnknownName
        When the recipe cannot be built, data are missing, or the folder holds another run.
    """

    def __init__(
        self, recipe: Recipe, *, resume: bool = False, told: Callable[[str], None] | None = None
    ) -> None:
        self.recipe = recipe
        self.folder = user_path(recipe.out)
        self._told = told or _silent
        run_folder.check(self.folder, recipe, resume)
        if recipe.sampler not in SAMPLERS:
            raise UnknownName("sampler", recipe.sampler, SAMPLERS)
        if recipe.optimizer not in OPTIMIZERS:
            raise UnknownName("optimizer", recipe.optimizer, OPTIMIZERS)
        self.device = building.device(recipe.device)
        if recipe.threads:
            torch.set_num_threads(recipe.threads)
        torch.manual_seed(recipe.seed)
        self.train = Collection(recipe.data, "train", list(recipe.teachers), recipe.share)
        self.held_out = held_out(recipe)
        self.sampler = SAMPLERS[recipe.sampler](len(self.train), recipe.batch, recipe.seed)
        self.steps = recipe.epochs * self.sampler.steps
        self._build()
        self.step = 0
        self.best = -1.0
        self.rows: list[dict[str, Any]] = []
        self._sums: dict[str, float] = {}  # of the losses since the last row
        self._counted = 0  # steps since then
        last = self.folder / LAST
        going_on = resume and last.exists()
        if recipe.init is not None and not going_on:
            self._begin_with(user_path(recipe.init))
        self.mean = Mean(self.network, recipe.ema)
        if going_on:
            self._restore(checkpoint.load(last, str(self.device)))
        # Not before: a recipe that cannot run leaves no folder that seems to hold a run.
        run_folder.keep_recipe(self.folder, recipe)

    def _build(self) -> None:
        recipe = self.recipe
        outputs = building.outputs(recipe, self.train.targets)
        network = building.network(recipe.network, outputs).to(self.device)
        # Depthwise convolutions are twice as fast so, on CPUs and GPUs.
        self.network = network.to(memory_format=torch.channels_last)
        self._teachers = list(outputs)
        self.embedder = building.embedder(recipe, self.network, self._teachers)
        self.task = Task(
            recipe,
            list(self.train.targets.values()),
            self.train.people,
            self.embedder,
            sum(outputs.values()),
            self.device,
        )
        self.optimizer = OPTIMIZERS[recipe.optimizer](recipe, self.network, self.task.parameters())

    # -- state -------------------------------------------------------------------------

    def _begin_with(self, path: Path) -> None:
        begin.begin(self.network, path, lambda: next(self._faces(_SETTLING, _SETTLING)))

    def _faces(self, count: int, at_once: int) -> Iterator[torch.Tensor]:
        """Some of the faces that are learnt from, evenly over all and as a recognizer sees them."""
        rows = np.linspace(0, len(self.train) - 1, min(len(self.train), count)).astype(int)
        groups = -(-len(rows) // at_once)
        for first in range(groups):  # each evenly over all, too: neighbours are alike
            yield tensor(self.train.plain(rows[first::groups]), self.device)

    def _state(self) -> dict[str, Any]:
        identity = self.task.identity
        state = {
            "network": self.network.state_dict(),
            "mean": self.mean.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "identity": identity.state_dict() if identity is not None else {},
            "step": self.step,
            "best": self.best,
            "rows": self.rows,
            "random": torch.get_rng_state(),
        }
        if self._counted:  # stopped between two rows
            state |= {"sums": self._sums, "counted": self._counted}
        return state

    def _restore(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self.mean.network.load_state_dict(state["mean"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.task.identity is not None:
            self.task.identity.load_state_dict(state["identity"])
        self.step, self.best, self.rows = state["step"], state["best"], state["rows"]
        self._sums, self._counted = state.get("sums", {}), state.get("counted", 0)
        torch.set_rng_state(state["random"].cpu())

    def save(self) -> None:
        """Write the state, then the history of just that state."""
        checkpoint.save(self.folder / LAST, self._state())
        history.write(self.folder, self.rows)

    # -- the loop ----------------------------------------------------------------------

    def run(self, stop: Callable[[], bool] = lambda: False) -> dict[str, Any]:
        """Train to the end of the recipe.

        Parameters
        ----------
        stop : callable
            Asked after each step; when it says yes, the state is saved and the run ends.

        Returns
        -------
        dict
            ``folder``, ``finished``, ``step`` of ``steps``, and of the best state ``best_step``,
            ``accuracy`` and ``tar`` on held-out people.

        Raises
        ------
        BulkError
            When another process trains in the folder.
        TrainingError
            When the loss is not a number.
        """
        with alone(self.folder, ""):
            sweep(self.folder)
            if self.rows:
                history.write(self.folder, self.rows)  # a kill may have come before it
            if self.step < self.steps:
                with closing(Board(self.folder, self.step)) as board:
                    self._learn_on(stop, board)
        best = max((row for row in self.rows if "tar" in row), key=_tar, default={})
        return {
            "folder": str(self.folder),
            "finished": self.step == self.steps,
            "step": self.step,
            "steps": self.steps,
            "best_step": best.get("step"),
            "accuracy": best.get("accuracy"),
            "tar": best.get("tar"),
        }

    def _learn_on(self, stop: Callable[[], bool], board: Board) -> None:
        recipe = self.recipe
        chances = Augmentation.of(recipe.augment)
        todo = range(self.step, self.steps)
        made = batches(self.train, self.sampler, chances, recipe.seed, todo, recipe.workers)
        began, timed = time.perf_counter(), 0
        self.network.train()
        with closing(made):
            for batch in made:
                for name, value in self.learn(batch).items():
                    self._sums[name] = self._sums.get(name, 0.0) + value
                self._counted += 1
                timed += 1
                self.step += 1
                look = self.step % recipe.validate_every == 0 or self.step == self.steps
                if self.step % recipe.save_every == 0 or look:
                    speed = timed * recipe.batch / (time.perf_counter() - began)
                    self._note(speed, look)
                    board.add(self.rows[-1])
                    self.save()
                    began, timed = time.perf_counter(), 0
                if stop():
                    if self._counted:
                        self.save()
                    return

    def learn(self, batch: Batch) -> dict[str, float]:
        """One step of the optimizer; the losses."""
        recipe = self.recipe
        share = schedule.rate(
            self.step, self.steps, warmup=recipe.warmup, hold=recipe.hold, last=recipe.last_rate
        )
        self.optimizer.follow(share)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=recipe.precision == "bf16"):
            said = self.network(tensor(batch.crops, self.device))
        told = self.task(said, batch.rows)
        self.optimizer.zero_grad()
        told["loss"].backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), recipe.clip)
        self.optimizer.step()
        self.mean.follow(self.network, self.step)
        numbers = {name: float(value.detach()) for name, value in told.items()}
        if not np.isfinite(numbers["loss"]):
            raise TrainingError(
                f"The loss is {numbers['loss']} at step {self.step}.",
                "Begin another run with a lower rate; init=RUN/best.pt keeps what this one learnt.",
            )
        return numbers

    def _note(self, speed: float, look: bool) -> None:
        """The row of this step, and what is told of it."""
        row: dict[str, Any] = {name: total / self._counted for name, total in self._sums.items()}
        self._sums, self._counted = {}, 0
        row |= {
            "step": self.step,
            "epoch": round(self.step / self.sampler.steps, 3),
            "rate": self.optimizer.rate,
            "speed": round(speed, 1),
        }
        left = (self.steps - self.step) * self.recipe.batch / max(speed, 1e-9)
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
                self._keep_best(found)
        self.rows.append(row)
        self._told(line)
        if look and (warning := history.overfitting(self.rows)):
            self._told(warning)

    def _keep_best(self, found: Verified) -> None:
        checkpoint.save(
            self.folder / BEST,
            {
                "network": self.mean.network.state_dict(),
                "recipe": json.dumps(self.recipe.to_dict()),
                "teachers": self._teachers,
                "weights": list(self.embedder.weights),
                "step": self.step,
                "tar": found.tar,
                "accuracy": found.accuracy,
            },
        )

    def validate(self) -> Verified:
        """Measure the BatchNorms of the mean of the weights; how it tells held-out people apart."""
        self.mean.measure(self._faces(_MEASURED, self.recipe.batch))
        crops = self.held_out.plain(range(len(self.held_out)))
        vectors = embed(self.mean.network, self.embedder, crops, self.device)
        return verify(vectors, self.held_out.people)


def held_out(recipe: Recipe) -> Collection:
    """Some faces of each person of the split validation.

    Raises
    ------
    TrainingError
        When they are too few to compare.
    """
    faces = Collection(recipe.data, "validation")
    faces.keep(few_of_each(faces.people, _HELD_OUT))
    counts = np.bincount(faces.people) if len(faces) else np.zeros(1, int)
    if counts.max() < 2 or np.count_nonzero(counts) < 2:
        raise TrainingError(
            "Held-out people cannot be compared: it takes two, and two pictures of one of them.",
            "Prepare the faces with a larger --validation.",
        )
    return faces


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


def _tar(row: dict[str, Any]) -> float:
    return row["tar"]


def _silent(line: str) -> None:
    """Where nobody wants to be told."""


def _spoken(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes} min"
