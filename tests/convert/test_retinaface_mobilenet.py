"""The converted RetinaFace mobilenet0.25 against its layers run by torch, published weights.

What torch 2.13 gave is recorded here as well, so that the check does not need torch.
"""

from __future__ import annotations

import itertools
import math
import pickle

import cv2
import numpy as np
import pytest

from facekit import convert, detectors, runtime, store, zoo
from facekit.convert import retinaface_mobilenet
from facekit.errors import ConversionError

MEAN = np.float32([104, 117, 123])


@pytest.fixture(scope="module")
def spec(here):
    return here(zoo.detectors.get("retinaface_mobilenet"))


@pytest.fixture(scope="module")
def weights(spec):
    return store.path(spec.weights[0])


@pytest.fixture(scope="module")
def session(weights):
    model = retinaface_mobilenet.convert(weights)
    return runtime.Session(model.SerializeToString(), threads=1)


@pytest.fixture(scope="module")
def network(weights):
    """biubug6/Pytorch_Retinaface's layers with the checkpoint's names."""
    torch = pytest.importorskip("torch", reason="torch runs the reference")
    from torch import nn
    from torch.nn import functional

    def conv(cin, cout, size, stride=1, bend=True, groups=1):
        layers = [
            nn.Conv2d(cin, cout, size, stride, size // 2, groups=groups, bias=False),
            nn.BatchNorm2d(cout),
        ]
        return [*layers, nn.LeakyReLU(0.1)] if bend else layers

    def separable(cin, cout, stride):
        return nn.Sequential(*conv(cin, cin, 3, stride, groups=cin), *conv(cin, cout, 1))

    def named(**layers):
        return nn.ModuleDict({k: nn.Sequential(*v) for k, v in layers.items()})

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            first = nn.Sequential(*conv(3, 8, 3, 2))
            rest = ((8, 16, 1), (16, 32, 2), (32, 32, 1), (32, 64, 2), (64, 64, 1))
            second = ((64, 128, 2), *[(128, 128, 1)] * 5)
            self.body = named(
                stage1=[first, *(separable(*s) for s in rest)],
                stage2=[separable(*s) for s in second],
                stage3=[separable(128, 256, 2), separable(256, 256, 1)],
            )
            self.fpn = named(
                output1=conv(64, 64, 1),
                output2=conv(128, 64, 1),
                output3=conv(256, 64, 1),
                merge1=conv(64, 64, 3),
                merge2=conv(64, 64, 3),
            )
            for i in (1, 2, 3):
                module = named(
                    conv3X3=conv(64, 32, 3, bend=False),
                    conv5X5_1=conv(64, 16, 3),
                    conv5X5_2=conv(16, 16, 3, bend=False),
                    conv7X7_2=conv(16, 16, 3),
                    conv7x7_3=conv(16, 16, 3, bend=False),
                )
                setattr(self, f"ssh{i}", module)
            for name, values in (("ClassHead", 2), ("BboxHead", 4), ("LandmarkHead", 10)):
                heads = [nn.ModuleDict({"conv1x1": nn.Conv2d(64, 2 * values, 1)}) for _ in range(3)]
                setattr(self, name, nn.ModuleList(heads))

        def forward(self, x):
            one = self.body["stage1"](x)
            two = self.body["stage2"](one)
            three = self.body["stage3"](two)
            maps = [self.fpn[f"output{i}"](m) for i, m in enumerate((one, two, three), 1)]
            for i in (1, 0):
                up = functional.interpolate(maps[i + 1], size=maps[i].shape[2:], mode="nearest")
                maps[i] = self.fpn[f"merge{i + 1}"](maps[i] + up)
            found = {"BboxHead": [], "ClassHead": [], "LandmarkHead": []}
            for i, m in enumerate(maps):
                ssh = getattr(self, f"ssh{i + 1}")
                five = ssh["conv5X5_1"](m)
                seven = ssh["conv7x7_3"](ssh["conv7X7_2"](five))
                m = torch.relu(torch.cat([ssh["conv3X3"](m), ssh["conv5X5_2"](five), seven], 1))
                for name, outputs in found.items():
                    y = getattr(self, name)[i]["conv1x1"](m).permute(0, 2, 3, 1)
                    outputs.append(y.reshape(len(y), -1, y.shape[-1] // 2))
            box, score, points = (torch.cat(outputs, 1) for outputs in found.values())
            return box, torch.softmax(score, -1), points

    net = Net().eval()
    net.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))

    def run(blob):
        with torch.no_grad():
            return [y.numpy() for y in net(torch.from_numpy(blob))]

    return run


def blob_of(*pictures: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray((np.stack(pictures) - MEAN).transpose(0, 3, 1, 2), np.float32)


def pattern(height: int, width: int) -> np.ndarray:
    """A picture that needs no file: waves of different lengths in the three channels."""
    y, x, c = np.ogrid[:height, :width, :3]
    wave = np.sin(x / (3 + c)) + np.cos(y / (5 - c)) + np.sin((x + y) / 17)
    return np.round(127 + 40 * wave).astype(np.uint8)


def assert_outputs_match(session, network, blob):
    box, score, points = session.run(blob)
    expected_box, expected_score, expected_points = network(blob)
    np.testing.assert_allclose(box, expected_box, atol=1e-4)
    np.testing.assert_allclose(points, expected_points, atol=1e-4)
    np.testing.assert_allclose(score, expected_score[..., 1:], atol=1e-5)


def test_outputs_are_torchs(session, network, samples):
    one, other = samples.values()
    assert_outputs_match(session, network, blob_of(one[:480, :512], other[:480, :512]))
    assert_outputs_match(session, network, blob_of(pattern(96, 160)))
    assert_outputs_match(session, network, blob_of(pattern(32, 32), 255 - pattern(32, 32)))


# Every seventieth row of a pattern's outputs, the first eight numbers; the largest scores.
BOX = [0.7959, 0.9457, -1.778, -0.9372, -0.1198, 0.5993, -1.7687, -1.5296]
POINTS = [-1.2176, -0.9153, 2.2792, -1.0731, 0.4352, 0.8699, -0.7258, 2.8729]
SCORES = [0.01021, 0.00866, 0.00814, 0.00765]


def test_the_recorded_outputs_of_a_pattern(session):
    box, score, points = session.run(blob_of(pattern(96, 160)))
    np.testing.assert_allclose(box[0, ::70].ravel()[:8], BOX, atol=1e-3)
    np.testing.assert_allclose(points[0, ::70].ravel()[:8], POINTS, atol=1e-3)
    np.testing.assert_allclose(np.sort(score.ravel())[:-5:-1], SCORES, atol=1e-4)


def decoded(outputs, height, width, threshold):
    """Boxes, scores and points by the published formulas, one prior at a time."""
    box, score, points = (o[0].astype(np.float64) for o in outputs)
    found, row = [], 0
    for step, sides in ((8, (16, 32)), (16, (64, 128)), (32, (256, 512))):
        rows, columns = math.ceil(height / step), math.ceil(width / step)
        for i, j, side in itertools.product(range(rows), range(columns), sides):
            cx, cy = (j + 0.5) * step / width, (i + 0.5) * step / height
            w, h = side / width, side / height
            if score[row, 1] > threshold:
                x = cx + box[row, 0] * 0.1 * w
                y = cy + box[row, 1] * 0.1 * h
                half_w = w * math.exp(box[row, 2] * 0.2) / 2
                half_h = h * math.exp(box[row, 3] * 0.2) / 2
                corners = [x - half_w, y - half_h, x + half_w, y + half_h]
                marks = [
                    (cx + points[row, 2 * k] * 0.1 * w, cy + points[row, 2 * k + 1] * 0.1 * h)
                    for k in range(5)
                ]
                found.append((score[row, 1], np.array(corners), np.array(marks)))
            row += 1
    assert row == len(score)
    size = np.array([width, height])
    found = [(s, b * np.tile(size, 2), p * size) for s, b, p in found]
    return sorted(found, key=lambda face: -face[0])


def unsuppressed(faces, threshold):
    """Each face that overlaps no better one."""

    def area(box):
        return max(0, box[2] - box[0]) * max(0, box[3] - box[1])

    kept = []
    for face in faces:
        for _, other, _ in kept:
            both = area([*np.maximum(face[1], other)[:2], *np.minimum(face[1], other)[2:]])
            if both / (area(face[1]) + area(other) - both) > threshold:
                break
        else:
            kept.append(face)
    return kept


@pytest.mark.parametrize("threshold", [0.5, 0.02])
def test_detections_are_those_of_the_published_formulas(spec, network, samples, shared, threshold):
    crowd = cv2.imread(str(shared / "wider/images/0--Parade/0_Parade_Parade_0_12.jpg"))
    # Multiples of 32, so that nothing is resized or filled up.
    pictures = [samples["grace_hopper"][8:584, :512], crowd[:512, 64:704]]
    found = detectors.build(spec, threshold=threshold, max_side=4096).detect(pictures)
    for picture, faces in zip(pictures, found, strict=True):
        outputs = network(blob_of(picture))
        expected = unsuppressed(decoded(outputs, *picture.shape[:2], threshold), 0.4)
        assert len(faces) == len(expected) > 0
        # By place: faces of nearly the same score may come in another order.
        boxes = np.stack([face.raw_box for face in faces])
        gaps = np.abs(boxes[:, None] - np.stack([box for _, box, _ in expected])).max(-1)
        partners = gaps.argmin(axis=1)
        assert sorted(partners) == list(range(len(expected)))
        assert gaps.min(axis=1).max() < 2e-3
        for face, partner in zip(faces, partners, strict=True):
            score, _, points = expected[partner]
            assert face.score == pytest.approx(score, abs=1e-5)
            np.testing.assert_allclose(face.landmarks, points, atol=2e-3)


def test_any_batch_and_size(session):
    pictures = [pattern(64, 96), 255 - pattern(64, 96), pattern(64, 96)[::-1]]
    together = session.run(blob_of(*pictures))
    assert [y.shape for y in together] == [(3, 252, n) for n in (4, 1, 10)]
    for i, picture in enumerate(pictures):
        for one, all_of_them in zip(session.run(blob_of(picture)), together, strict=True):
            np.testing.assert_allclose(one[0], all_of_them[i], atol=1e-5)


def test_a_checkpoint_of_a_parallel_model_is_the_same_network(weights, tmp_path):
    torch = pytest.importorskip("torch", reason="torch writes the checkpoint")
    state = torch.load(weights, map_location="cpu", weights_only=True)
    path = tmp_path / "parallel.pth"
    torch.save({"epoch": 3, "state_dict": {f"module.{k}": v for k, v in state.items()}}, path)
    assert retinaface_mobilenet.convert(path) == retinaface_mobilenet.convert(weights)


@pytest.mark.parametrize("state", [[1, 2], {}, {"state_dict": 3}, {"body.stage1.0.0.weight": 3}])
def test_another_checkpoint_is_refused(state, tmp_path):
    path = tmp_path / "other.pth"
    heads = (0x1950A86A20F9469CFC6C, 1001, {}, state, [])
    path.write_bytes(b"".join(pickle.dumps(head, 2) for head in heads))
    with pytest.raises(ConversionError, match="retinaface_mobilenet"):
        convert.run("retinaface_mobilenet", path)
