"""Weights: which there are, where they lie, how they get here and become ONNX.

Names resolve at first use, so that asking for one does not load the others.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facekit.store.actions import clean, list_weights, path, pull, verify
    from facekit.store.cache import ensure, onnx_model
    from facekit.store.download import fetch
    from facekit.store.layout import home
    from facekit.store.locate import State, find, identity
    from facekit.store.manifest import (
        Form,
        InPackage,
        Licence,
        WeightFile,
        get,
        register,
        unregister,
    )

__all__ = [
    "Form",
    "InPackage",
    "Licence",
    "State",
    "WeightFile",
    "clean",
    "ensure",
    "fetch",
    "find",
    "get",
    "home",
    "identity",
    "list_weights",
    "onnx_model",
    "path",
    "pull",
    "register",
    "unregister",
    "verify",
]

_ROOMS = {
    "actions": ("clean", "list_weights", "path", "pull", "verify"),
    "cache": ("ensure", "onnx_model"),
    "download": ("fetch",),
    "layout": ("home",),
    "locate": ("State", "find", "identity"),
    "manifest": ("Form", "InPackage", "Licence", "WeightFile", "get", "register", "unregister"),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _ROOM_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_ROOM_OF[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
