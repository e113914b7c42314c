"""facenet-pytorch's checkpoint, converted, against its own network run by torch."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
import types
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from facekit.convert import inception_resnet

torch = pytest.importorskip("torch", reason="needs torch")


def _load(path: Path, name: str):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def network():
    """The network's file alone: facenet_pytorch's package would import torchvision."""
    try:
        package = importlib.metadata.distribution("facenet-pytorch").locate_file("facenet_pytorch")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("needs facenet-pytorch")
    helper = _load(Path(__file__).with_name("deepface_reference.py"), "deepface_reference")
    # Its "from .utils.download import" asks for a package; nothing is downloaded here.
    download = types.ModuleType("facenet_alone.utils.download")
    download.download_url_to_file = None
    with pytest.MonkeyPatch.context() as patch:
        for name in ("facenet_alone", "facenet_alone.utils"):
            parent = types.ModuleType(name)
            parent.__path__ = []
            patch.setitem(sys.modules, name, parent)
        patch.setitem(sys.modules, download.__name__, download)
        path = Path(str(package)) / "models" / "inception_resnet_v1.py"
        module = _load(path, "facenet_alone.inception_resnet_v1")
    return helper.randomize_torch(module.InceptionResnetV1(), (160, 160))


@pytest.mark.parametrize("zipped", [True, False])
def test_embeddings_are_torchs(network, zipped, tmp_path):
    path = tmp_path / "20180402-114759-vggface2.pt"
    # The releases carry a classifier, and are in the format before torch 1.6.
    state = network.state_dict() | {"logits.weight": torch.ones(7, 512)}
    torch.save(state, path, _use_new_zipfile_serialization=zipped)
    images = np.random.default_rng(7).uniform(-1, 1, (3, 3, 160, 160)).astype(np.float32)
    with torch.no_grad():
        expected = network(torch.from_numpy(images)).numpy()
    model = inception_resnet.convert_facenet_pytorch(path).SerializeToString()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (found,) = session.run(["embedding"], {"input": images})
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    share = np.abs(found - expected).max() / np.abs(expected).max()
    print(f"largest difference {share:.1e} of the largest number")
    assert share <= 1e-4
    assert np.abs(expected[0] - expected[1]).max() > 1e-2


@pytest.mark.parametrize("state", [[1, 2], {}, {"conv2d_1a.conv.weight": torch.ones(3)}])
def test_another_checkpoint_is_refused(state, tmp_path):
    path = tmp_path / "other.pt"
    torch.save(state, path)
    with pytest.raises(ValueError, match=r"no dictionary of tensors|conv2d_1a\.conv\.weight"):
        inception_resnet.convert_facenet_pytorch(path)
