"""The shell's ``facekit export``."""

from __future__ import annotations

from facekit.cli.arguments import typed
from facekit.cli.benchmark import calibrated, labelled
from facekit.cli.job import Job, render


@typed
def export(
    run: str,
    *,
    name: str = "MyConvNeXt",
    out: str | None = None,
    precision: str = "fp32",
    weights: dict | None = None,
    flip: bool = False,
    licence: str = "",
    register: bool = True,
    calibrate: str | None = None,
    pretty: bool | None = None,
):
    """Make a recognizer of a trained network: an ONNX file that every command can use.

    The file is compared with the trained network before it is written, and says itself how its
    faces are to be cut, coloured and scaled. `--model_name NAME` uses it from then on, or
    `--model_name file:FILE` anywhere.

    Args:
        run: Folder of a run of `facekit train`.
        name: Name of the recognizer.
        out: File; by default NAME.onnx in the run's folder.
        precision: fp32, or fp16 for a file of half the size.
        weights: Weights of teachers in the embedding, such as "{'Dlib': 0.5}", in place of
            the run's; 0 leaves a teacher out.
        flip: Let commands add the mirror image's embedding by default.
        licence: Terms of the weights, which the file then states.
        register: Keep a copy in facekit's cache directory, so that commands know the name;
            --noregister keeps none.
        calibrate: Folder with one folder a person, or CSV of pairs: fit thresholds on it, as
            `facekit calibrate --save` does.
        pretty: Text for people instead of JSON; chosen by itself on a terminal.
    """

    def make():
        from pathlib import Path

        from facekit import extras

        extras.load("torch", "facekit export")
        from facekit.training.export import export as write

        protocol = None
        if calibrate is not None:  # a mistake is told before the work, not after it
            folder = Path(calibrate).expanduser().is_dir()
            protocol = labelled(None, calibrate) if folder else labelled(calibrate, None)
        made = write(
            run,
            name,
            out,
            precision=precision,
            weights=weights,
            flip=flip,
            licence=licence,
            register=register,
        )
        model = name if register else f"file:{made['path']}"
        fitted = None if protocol is None else calibrated(protocol, model, save=True)
        return {**made, "model_name": model, "calibration": fitted}

    return Job(make, render("export.exported"), pretty)
