"""Checkpoints are read without torch and without running what their pickle asks for.

The files are written here opcode by opcode, so that nothing is needed to write them.
"""

from __future__ import annotations

import io
import pickle
import struct
import zipfile

import numpy as np
import pytest

from facekit.convert import torch_checkpoint

MAGIC = 0x1950A86A20F9469CFC6C
TYPES = {
    "f8": "DoubleStorage",
    "f4": "FloatStorage",
    "f2": "HalfStorage",
    "i8": "LongStorage",
    "i4": "IntStorage",
    "i2": "ShortStorage",
    "i1": "CharStorage",
    "u1": "ByteStorage",
    "b1": "BoolStorage",
}
STOP = b"."


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def numbers(*values: int) -> bytes:
    return b"(" + b"".join(b"\x8a\x08" + struct.pack("<q", v) for v in values) + b"t"


def named(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def called(function: bytes, *arguments: bytes) -> bytes:
    return function + b"(" + b"".join(arguments) + b"tR"


def dictionary(**items: bytes) -> bytes:
    return b"}(" + b"".join(text(key) + value for key, value in items.items()) + b"u"


def storage(key: str, kind: str, size: int) -> bytes:
    what = (text("storage"), named("torch", kind), text(key), text("cpu"), numbers(size)[1:-1])
    return b"(" + b"".join(what) + b"tQ"


def tensor(shape, stride, *, offset=0, size=12, key="0", kind="FloatStorage") -> bytes:
    return called(
        named("torch._utils", "_rebuild_tensor_v2"),
        storage(key, kind, size),
        numbers(offset)[1:-1],
        numbers(*shape),
        numbers(*stride),
        b"\x89",  # requires_grad
        called(named("collections", "OrderedDict")),  # hooks
    )


def write_zip(path, content: bytes, **storages: np.ndarray):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + content + STOP)
        for key, values in storages.items():
            archive.writestr(f"archive/data/{key[1:]}", values.tobytes())
        archive.writestr("archive/version", "3\n")


def write_legacy(path, content: bytes, **storages: np.ndarray):
    file = io.BytesIO()
    for head in (MAGIC, 1001, {"little_endian": True}):
        file.write(pickle.dumps(head, 2))
    file.write(b"\x80\x02" + content + STOP)
    file.write(pickle.dumps([key[1:] for key in storages], 2))
    for values in storages.values():
        file.write(struct.pack("<q", values.size) + values.tobytes())
    path.write_bytes(file.getvalue())


@pytest.fixture(params=[write_zip, write_legacy], ids=["zip", "legacy"])
def written(request, tmp_path):
    """Write a checkpoint in one of the two formats; gives its path."""

    def write(content: bytes, **storages: np.ndarray):
        path = tmp_path / "model.pth"
        request.param(path, content, **storages)
        return path

    return write


VALUES = np.arange(12, dtype="<f4") / 8


def test_structures_become_dictionaries_lists_and_arrays(written):
    content = dictionary(
        epoch=numbers(7)[1:-1],
        name=text("Gesicht ü"),
        net=called(named("collections", "OrderedDict"))
        + b"("
        + text("w")
        + tensor((3, 4), (4, 1))
        # a parameter, as modules hold it
        + text("p")
        + called(named("torch._utils", "_rebuild_parameter"), tensor((12,), (1,)), b"\x89", b"N")
        + b"u",
        pair=b"(" + tensor((2,), (1,)) + b"N" + b"t",
    )
    loaded = torch_checkpoint.load(written(content, s0=VALUES))
    assert loaded["epoch"] == 7
    assert loaded["name"] == "Gesicht ü"
    np.testing.assert_array_equal(loaded["net"]["w"], VALUES.reshape(3, 4))
    np.testing.assert_array_equal(loaded["net"]["p"], VALUES)
    np.testing.assert_array_equal(loaded["pair"][0], VALUES[:2])
    assert loaded["pair"][1] is None


@pytest.mark.parametrize("dtype", TYPES)
def test_every_type_of_number_is_read(written, dtype):
    values = np.array([0, 1, 0, 1, 1]).astype(np.dtype(dtype).newbyteorder("<"))
    content = dictionary(t=tensor((5,), (1,), size=5, kind=TYPES[dtype]))
    loaded = torch_checkpoint.load(written(content, s0=values))["t"]
    assert loaded.dtype == values.dtype
    np.testing.assert_array_equal(loaded, values)


def test_several_tensors_share_a_storage(written):
    content = dictionary(
        tail=tensor((4,), (1,), offset=8),
        transposed=tensor((4, 3), (1, 4)),
        every_other=tensor((2, 2), (4, 2), offset=1),
        scalar=tensor((), (), offset=5),
        nothing=tensor((0, 3), (3, 1)),
        other=tensor((2,), (1,), size=2, key="1", kind="LongStorage"),
    )
    path = written(content, s0=VALUES, s1=np.array([-5, 2**40], "<i8"))
    loaded = torch_checkpoint.load(path)
    matrix = VALUES.reshape(3, 4)
    np.testing.assert_array_equal(loaded["tail"], VALUES[8:])
    np.testing.assert_array_equal(loaded["transposed"], matrix.T)
    np.testing.assert_array_equal(loaded["every_other"], matrix[:2, 1::2])
    assert loaded["scalar"] == VALUES[5]
    assert loaded["nothing"].shape == (0, 3)
    np.testing.assert_array_equal(loaded["other"], [-5, 2**40])
    loaded["tail"][:] = 0  # an array of its own, not a window on the file
    np.testing.assert_array_equal(torch_checkpoint.load(path)["tail"], VALUES[8:])


@pytest.mark.parametrize(
    "bad",
    [
        tensor((13,), (1,)),
        tensor((3, 4), (4, 2)),
        tensor((4,), (1,), offset=9),
        tensor((4,), (1,), offset=-1),
        tensor((4,), (-1,), offset=11),
        tensor((-3, -4), (4, 1)),
        tensor((2**50,), (0,)),
        tensor((2**62, 2**62), (0, 0)),
        tensor((3, 4), (4,)),
    ],
    ids=["size", "stride", "offset", "below", "backwards", "shape", "repeat", "huge", "ragged"],
)
def test_a_tensor_outside_its_storage_is_refused(written, bad):
    with pytest.raises(ValueError, match=r"tensor|zip"):
        torch_checkpoint.load(written(dictionary(t=bad), s0=VALUES))


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("posix", "system"),
        ("builtins", "eval"),
        ("builtins", "getattr"),
        ("subprocess", "check_output"),
        ("torch", "load"),
        ("torch._utils", "_rebuild_device_tensor_from_numpy"),
        ("collections", "OrderedDict.fromkeys"),
    ],
)
def test_a_pickle_that_asks_for_more_is_refused_and_not_run(written, tmp_path, module, name):
    proof = tmp_path / "proof"
    attack = called(named(module, name), text(f"touch {proof}"))
    for content in (attack, dictionary(t=tensor((2,), (1,)), evil=attack)):
        with pytest.raises(ValueError, match=f"asks for {module}.{name}"):
            torch_checkpoint.load(written(content, s0=VALUES))
    assert not proof.exists()


def test_the_attack_would_work_elsewhere(tmp_path):
    # Otherwise the test above proves nothing.
    proof = tmp_path / "proof"
    pickle.loads(b"\x80\x02" + called(named("os", "system"), text(f"touch {proof}")) + STOP)
    assert proof.exists()


def test_every_pickle_of_the_old_format_is_guarded(tmp_path):
    attack = b"\x80\x02" + called(named("os", "system"), text(f"touch {tmp_path / 'proof'}")) + STOP
    heads = [pickle.dumps(part, 2) for part in (MAGIC, 1001, {}, {}, [])]
    for position in range(len(heads)):
        path = tmp_path / "model.pth"
        path.write_bytes(b"".join([*heads[:position], attack, *heads[position + 1 :]]))
        with pytest.raises(ValueError, match=r"asks for os\.system"):
            torch_checkpoint.load(path)
    assert not (tmp_path / "proof").exists()


def test_a_cut_or_damaged_file_is_a_value_error(written):
    # Any byte may be wrong; what can still be read is, the rest says so in one way.
    path = written(dictionary(t=tensor((3, 4), (4, 1)), name=text("x")), s0=VALUES)
    whole = path.read_bytes()
    refused = 0
    damaged = [whole[:cut] for cut in range(0, len(whole), 5)]
    damaged += [
        whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :] for at in range(0, len(whole), 2)
    ]
    for content in damaged:
        path.write_bytes(content)
        try:
            torch_checkpoint.load(path)
        except ValueError:
            refused += 1
    assert refused > len(damaged) / 2


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", pickle.dumps(1), b"PK\x05\x06" * 9])
def test_another_file_is_refused(tmp_path, content):
    path = tmp_path / "model.pth"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="checkpoint"):
        torch_checkpoint.load(path)


def test_an_archive_of_something_else_is_refused(tmp_path):
    path = tmp_path / "model.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(ValueError, match=r"no data\.pkl"):
        torch_checkpoint.load(path)


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        torch_checkpoint.load(tmp_path / "absent.pth")


@pytest.mark.parametrize("new", [True, False])
def test_what_torch_saves_is_read(tmp_path, new):
    torch = pytest.importorskip("torch")
    values = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)
    state = {
        "net": {"w": values, "t": values.transpose(0, 2), "half": values.half(), "n": values[1]},
        "p": torch.nn.Parameter(values),
        "flags": torch.tensor([True, False]),
        "epoch": 3,
    }
    path = tmp_path / "model.pth"
    torch.save(state, path, _use_new_zipfile_serialization=new)
    loaded = torch_checkpoint.load(path)
    assert loaded["epoch"] == 3
    assert loaded["flags"].tolist() == [True, False]
    np.testing.assert_array_equal(loaded["p"], values.numpy())
    for key, value in state["net"].items():
        np.testing.assert_array_equal(loaded["net"][key], value.numpy())
