"""Peak memory of a pipeline: a process of its own embeds some pictures."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

PICTURES = 32


def peak(model: str, detector: str, pictures: Sequence[Any]) -> float | None:
    """Megabytes (10^6 bytes) that a process needs at most to embed pictures.

    All of it: interpreter, libraries, networks, one batch. None where the platform does not
    tell, or the process fails.

    Parameters
    ----------
    model, detector : str
    pictures : sequence of path or bytes
        The first 32 are used.
    """
    sources = [
        str(picture)
        if isinstance(picture, (str, PathLike))
        else f"data:;base64,{base64.b64encode(picture).decode()}"
        for picture in pictures[:PICTURES]
    ]
    run = subprocess.run(
        [sys.executable, "-m", __name__, model, detector],
        input=json.dumps(sources),
        capture_output=True,
        text=True,
        check=False,
    )
    return float(run.stdout) if run.returncode == 0 and run.stdout.strip() else None


def _own_peak() -> float | None:
    """Of this process since it began, in megabytes."""
    status = Path("/proc/self/status")
    if status.is_file():
        # Not getrusage: there a process inherits its parent's peak.
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        return int(lines["VmHWM"].split()[0]) * 1024 / 1e6
    try:
        import resource
    except ImportError:  # Windows
        return None
    # Bytes on macOS.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def main() -> None:
    """Embed the pictures whose names come as JSON on standard input; print the peak."""
    from facekit.pipeline import FaceKit

    model, detector = sys.argv[1:]
    FaceKit(model, detector, enforce_detection=False).embed(json.load(sys.stdin))
    megabytes = _own_peak()
    print("" if megabytes is None else megabytes)


if __name__ == "__main__":
    main()
