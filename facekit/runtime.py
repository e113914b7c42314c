"""ONNX Runtime sessions: the only place that imports onnxruntime.

One session per file and thread count in a process, shared by every thread.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from facekit.errors import InvalidArgument, WeightsCorrupt

LARGE_INPUT = 8 * 1024 * 1024  # bytes of input beyond which a run gives its memory back

_sessions: dict[tuple, Session] = {}
_lock = threading.Lock()


def cpu_count() -> int:
    """Number of CPUs that this process may use: affinity and cgroup quota, at least 1.

    ``FACEKIT_THREADS`` overrides it.
    """
    wish = os.environ.get("FACEKIT_THREADS", "").strip()
    if wish:
        if not wish.isdecimal() or int(wish) < 1:
            raise InvalidArgument(
                f"FACEKIT_THREADS is {wish!r}, not a number of threads.", "Set it to 1 or more."
            )
        return int(wish)
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    return max(1, min(count, _cgroup_quota() or count))


def _cgroup_quota() -> int | None:
    """Whole CPUs that the container's quota grants, or None without a quota."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()  # cgroup v2
    except (OSError, ValueError):
        try:
            base = Path("/sys/fs/cgroup/cpu")
            quota = (base / "cpu.cfs_quota_us").read_text().strip()
            period = (base / "cpu.cfs_period_us").read_text().strip()
        except OSError:
            return None
    if quota in ("max", "-1"):
        return None
    return max(1, math.ceil(int(quota) / int(period)))


class Session:
    """One network, ready to run; safe to call from many threads.

    Parameters
    ----------
    model : pathlib.Path or bytes
        ONNX file or its content.
    threads : int
        Threads that one call uses. With 1 the call runs in the caller's thread,
        which is what several workers side by side want.
    providers : sequence of str, optional
        ONNX Runtime execution providers; the CPU by default.
    """

    def __init__(
        self, model: Path | bytes, threads: int, providers: Sequence[str] | None = None
    ) -> None:
        import onnxruntime as ort

        ort.set_default_logger_severity(3)  # warnings about devices that are absent help nobody
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # It keeps a plan for every input shape it has seen: crops come in any number, so a
        # long-lived process would grow for ever.
        options.enable_mem_pattern = False
        # Threads of one network that wait in a loop take the cores from the next network: a
        # single picture took 2.5 times as long.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        content = model if isinstance(model, bytes) else str(model)
        try:
            self._session = ort.InferenceSession(
                content, options, providers=list(providers or ["CPUExecutionProvider"])
            )
        except Exception as error:  # onnxruntime's errors share no public base class
            name = "the converted model" if isinstance(model, bytes) else str(model)
            raise WeightsCorrupt(
                f"{name} is not a network that ONNX Runtime can open "
                f"({str(error).splitlines()[0][:200]}).",
                "Run `facekit weights verify`, or remove the file and fetch it again.",
            ) from error
        self.inputs = {i.name: tuple(i.shape) for i in self._session.get_inputs()}
        self.outputs = {o.name: tuple(o.shape) for o in self._session.get_outputs()}

        # ONNX Runtime keeps the memory of its largest run for ever. After a large one it is
        # given back, so that one huge picture does not stay in the process's size.
        self._after_large = ort.RunOptions()
        self._after_large.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")

    def run(self, *inputs: np.ndarray) -> list[Any]:
        """Run the network on arrays in the order of its inputs; gives its outputs in order."""
        feed = dict(zip(self.inputs, inputs, strict=True))
        large = sum(x.nbytes for x in inputs) > LARGE_INPUT
        return self._session.run(None, feed, self._after_large if large else None)


class Network:
    """A network by its key in the weight manifest; opened at first use.

    Parameters
    ----------
    key : str
        Key of the weight file.
    providers : sequence of str, optional
        ONNX Runtime execution providers.
    """

    def __init__(self, key: str, providers: Sequence[str] | None = None) -> None:
        self.key = key
        self._providers = providers
        self._model: Path | bytes | None = None
        self._open: dict[int, Session] = {}
        self._finding = threading.Lock()

    def run(self, *inputs: np.ndarray, threads: int = 1) -> list[Any]:
        """Run it; ``threads`` is how many CPUs this one call may use."""
        return self.session(threads).run(*inputs)

    def batch(self, threads: int = 1) -> int | None:
        """Number of pictures that the graph takes at a time; None for any number."""
        size = next(iter(self.session(threads).inputs.values()))[0]
        return size if isinstance(size, int) and size > 0 else None

    def layout(self, threads: int = 1) -> str | None:
        """``NCHW`` or ``NHWC``, by where the graph's input has 3 channels; None if unsaid."""
        shape = next(iter(self.session(threads).inputs.values()))
        if len(shape) != 4 or (shape[1] == 3) == (shape[3] == 3):
            return None
        return "NCHW" if shape[1] == 3 else "NHWC"

    def session(self, threads: int = 1) -> Session:
        """The open session.

        Raises
        ------
        WeightsUnavailable
            When the weights are not here and cannot be fetched.
        """
        if threads in self._open:
            return self._open[threads]
        with self._finding:  # one thread downloads or converts, the others wait here
            if self._model is None or (isinstance(self._model, Path) and not self._model.is_file()):
                from facekit.store import onnx_model

                self._model = onnx_model(self.key)
            return self._open.setdefault(threads, session(self._model, threads, self._providers))


def session(model: Path | bytes, threads: int, providers: Sequence[str] | None = None) -> Session:
    """The process's session of a file, opened at the first call.

    A file that was replaced since (other size or time) is opened anew.
    """
    if isinstance(model, bytes):
        key: tuple = (hash(model), threads, tuple(providers or ()))
    else:
        stat = model.stat()
        key = (model, stat.st_size, stat.st_mtime_ns, threads, tuple(providers or ()))
    with _lock:
        if key not in _sessions:
            _sessions[key] = Session(model, threads, providers)
        return _sessions[key]
