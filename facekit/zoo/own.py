"""The user's own recognizers: ``file:PATH``, and by name those that ``facekit export`` kept.

Nothing is imported for them until a name is asked for that no built-in model has.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from facekit.zoo.registries import recognizers


def _later(function: str) -> Callable[..., Any]:
    return lambda *given: getattr(import_module("facekit.own_models"), function)(*given)


recognizers.register_prefix("file", _later("from_file"))
recognizers.register_source(_later("kept"))
