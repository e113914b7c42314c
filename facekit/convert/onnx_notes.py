"""What an ONNX file says of itself beside its network."""

from __future__ import annotations

from pathlib import Path

from facekit.errors import ConversionError


def read(path: Path) -> dict[str, str]:
    """The notes (``metadata_props``) of an ONNX file by their keys.

    Raises
    ------
    ConversionError
        When it is no ONNX file.
    OSError
        When it cannot be read.
    """
    import onnx  # here: who lists models and has none of their own needs it not

    content = path.read_bytes()
    try:
        model = onnx.load_from_string(content)
    except Exception as error:  # protobuf's errors share no public base class
        raise ConversionError(f"{path} is no ONNX file ({error}).") from error
    if not model.HasField("graph"):
        raise ConversionError(f"{path} is no ONNX file (it holds no network).")
    return {note.key: note.value for note in model.metadata_props}
