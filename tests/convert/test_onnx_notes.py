"""An ONNX file's notes."""

from __future__ import annotations

import onnx
import pytest

from facekit.convert import onnx_notes
from facekit.errors import ConversionError


def test_notes_by_their_keys(flattening, tmp_path):
    model = onnx.load(flattening(3, 4, 4))
    expected = {"a": "1", "ä": "ß" * 300, "empty": ""}
    for key, value in expected.items():
        model.metadata_props.add(key=key, value=value)
    path = tmp_path / "noted.onnx"
    path.write_bytes(model.SerializeToString())
    assert onnx_notes.read(path) == expected
    assert onnx_notes.read(flattening(3, 4, 4)) == {}


def test_what_is_no_onnx_file_is_said_to_be_none(flattening, tmp_path):
    whole = flattening(3, 4, 4).read_bytes()
    path = tmp_path / "file"
    contents = [
        b"",
        b"\x00",
        b"no network",
        bytes([255] * 40),
        whole[:-1],
        whole + b"\x72",
    ]
    for content in contents:
        path.write_bytes(content)
        with pytest.raises(ConversionError, match="is no ONNX file"):
            onnx_notes.read(path)
