"""What a run of training came to, as text for people."""

from __future__ import annotations

from typing import Any


def trained(result: dict[str, Any]) -> str:
    """How far the run is, what its best state can do, and where things are."""
    lines = []
    if "step" in result:
        done = "all of" if result["finished"] else f"{result['step']:,} of"
        lines.append(f"{done} {result['steps']:,} steps done in {result['folder']}")
        if result["tar"] is not None:
            lines.append(
                f"best state, at step {result['best_step']:,}: held-out people told apart with "
                f"accuracy {result['accuracy']:.4f}, TAR {result['tar']:.4f} at FAR 0.001"
            )
    lines += result.get("plots", [])
    return "\n".join(lines)
