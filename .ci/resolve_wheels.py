"""Check that every core dependency has wheels for the Pythons and platforms we support.

    python .ci/resolve_wheels.py

Asks pip to resolve setup.cfg's requirements for each, from wheels only, without
installing anything. This is how platforms are checked that the tests do not run on.
"""

from __future__ import annotations

import configparser
import subprocess
import sys
import tempfile
from pathlib import Path

PYTHONS = ("3.10", "3.11", "3.12", "3.13")
PLATFORMS = {
    "Linux x86-64": ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux2014_x86_64"),
    "Linux ARM": ("manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux2014_aarch64"),
    "macOS ARM": ("macosx_14_0_arm64", "macosx_12_0_universal2"),
    "macOS x86-64": ("macosx_14_0_x86_64", "macosx_12_0_universal2"),
    "Windows": ("win_amd64",),
}


def main() -> int:
    config = configparser.ConfigParser()
    config.read(Path(__file__).resolve().parent.parent / "setup.cfg")
    requirements = config["options"]["install_requires"].split("\n")
    failed = 0
    with tempfile.TemporaryDirectory() as target:
        for python in PYTHONS:
            for platform, tags in PLATFORMS.items():
                command = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet"]
                command += ["--only-binary=:all:", "--target", target, "--python-version", python]
                for tag in tags:
                    command += ["--platform", tag]
                command += [line.strip() for line in requirements if line.strip()]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                failed += done.returncode != 0
                why = done.stderr.strip().splitlines()[-1:] if done.returncode else ["wheels"]
                print(f"Python {python}, {platform}: {why[0]}", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
