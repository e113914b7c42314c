"""The page of model cards, from the specs: `python -m facekit.model_cards > docs/models.md`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from facekit import catalog, zoo
from facekit.store import WeightFile, get
from facekit.zoo.specs import DetectorSpec, RecognizerSpec

_CROPS = {
    "points": "five points fitted onto a template (similarity)",
    "affine": "five points fitted onto a template (affine)",
    "box": "the box with a margin of {margin:.0%} of its mean side, stretched",
    "square": "a square of {width:.0%} of the box's mean side, stretched",
    "level_eyes": "the box with the eyes made level, letterboxed with black",
}
_COMMERCIAL = {True: "yes", False: "no", None: "not stated"}

_HEAD = """\
# Models

Made from the specs by `python -m facekit.model_cards > docs/models.md`; a test keeps it true.
`facekit models` shows the same with what is on your machine.

Preprocessing is that of each network's own training code. "LFW" is the figure that its authors
publish; `docs/benchmarks.md` has those that were measured here. "Commercial" is about the weights,
as far as their authors say; "not stated" is no permission.
"""


def page() -> str:
    """The whole page as Markdown."""
    lines = [_HEAD, "## Recognizers", ""]
    for recognizer in zoo.recognizers:
        if any(get(key).local is not None for key in recognizer.weights):
            continue  # of whoever makes the page
        lines += [*_recognizer(recognizer), ""]
    lines += ["## Detectors", ""]
    for detector in zoo.detectors:
        lines += [*_detector(detector), ""]
    return "\n".join(lines).rstrip() + "\n"


def _recognizer(spec: RecognizerSpec) -> Iterator[str]:
    height, width = spec.input_size
    yield from _title(spec, zoo.DEFAULT_RECOGNIZER)
    pixels = f"{width}x{height} {spec.color.upper()}, {_scaling(spec)}"
    yield f"* Input: {pixels}; {spec.dimension} numbers."
    crop = _CROPS[spec.crop].format(margin=spec.margin, width=1 + spec.margin)
    mirror = "; the mirror image's embedding is added" if spec.flip else ""
    yield f"* Crop: {crop}{mirror}."
    if spec.centre is not None:
        yield "* The mean embedding (of LFW View 1) is subtracted, as the authors' evaluation does."
    if spec.published_lfw is not None:
        yield f"* LFW as published: {spec.published_lfw:.2f} %."
    yield from _terms(spec)


def _detector(spec: DetectorSpec) -> Iterator[str]:
    yield from _title(spec, zoo.DEFAULT_DETECTOR)
    if spec.kind != "skip":
        size = "x".join(map(str, spec.input_size[::-1])) if spec.input_size else "any size"
        points = "five points" if spec.landmarks else "boxes only"
        yield f"* Input: {size}; gives {points}."
    options = ", ".join(f"`{name}={value}`" for name, value in spec.options.items())
    if options:
        yield f"* Defaults: {options}."
    yield from _terms(spec)


def _title(spec: catalog.Spec, default: str) -> Iterator[str]:
    aliases = f" (also `{'`, `'.join(spec.aliases)}`)" if spec.aliases else ""
    mark = ", the default" if spec.name == default else ""
    yield f"### {spec.name}{aliases}{mark}"
    yield ""
    if spec.note:
        yield f"* {spec.note}"


def _scaling(spec: RecognizerSpec) -> str:
    if spec.standardize:
        return "each crop by its own mean and deviation"
    scales = spec.scale if isinstance(spec.scale, tuple) else (spec.scale,)
    divisors = ", ".join(f"{1 / scale:g}" for scale in scales)
    mean = ", ".join(f"{value:g}" for value in dict.fromkeys(spec.mean))
    shifted = "x" if not any(spec.mean) else f"(x - ({mean}))" if "," in mean else f"(x - {mean})"
    if divisors == "1":
        return shifted if shifted != "x" else "0..255 as it is"
    return f"{shifted} / ({divisors})" if "," in divisors else f"{shifted} / {divisors}"


def _terms(spec: catalog.Spec) -> Iterator[str]:
    for package in catalog.needs(spec):
        yield f"* Runs on the package `{package}`."
    for key in spec.weights:
        yield f"* Weights: {_file(get(key))}"
    terms = "; ".join(catalog.licences(spec))
    if terms:
        codes = "; ".join(sorted({get(key).licence.code for key in spec.weights}))
        code = f" Code: {codes}." if codes else ""
        commercial = _COMMERCIAL[catalog.is_commercial(spec)]
        yield f"* Licence: {terms}; commercial use: {commercial}.{code}"
    if spec.source:
        yield f"* Source: <{spec.source}>"


def _file(entry: WeightFile) -> str:
    facts: list[Any] = []
    if entry.size is not None:
        facts.append(f"{entry.size / 1e6:.1f} MB")
    elif entry.about is not None:
        facts.append(f"about {entry.about / 1e6:.0f} MB")
    facts.append(f"sha256 `{entry.sha256[:16]}...`" if entry.sha256 else "sha256 not published")
    if entry.package:
        facts.append(f"comes with `{entry.package[0].distribution}`")
    text = f"`{entry.key}`, {entry.file} ({', '.join(facts)})"
    if entry.alternatives:
        text += f"; `{'`, `'.join(form.file for form in entry.alternatives)}` serves as well"
    if entry.urls:
        text += f"; <{entry.urls[0]}>"
    return f"{text}." + (f" {entry.recipe}" if entry.recipe else "")


if __name__ == "__main__":
    print(page(), end="")
