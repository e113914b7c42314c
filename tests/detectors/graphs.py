"""What tests of decoders share: networks whose faces are bright cells, labelled pictures.

The functions named for a kind of decoder give an ONNX file with its outputs. Every cell of
every grid holds a candidate: its score is the cell's brightness (0..1, the channels weighted
by ``BRIGHTNESS``), its box and points lie around the cell as ``BOX`` and ``POINTS`` say.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from facekit.convert.graph import Graph
from facekit.detectors.single_shot import SingleShot
from facekit.zoo import DetectorSpec

BRIGHTNESS = (0.5, 0.3, 0.2)  # of red, green and blue: other orders give other scores
# In strides from the cell's top left corner; nothing about it is symmetric.
BOX = (-0.25, -0.5, 1.25, 1.75)
POINTS = ((0.3, 0.4), (0.7, 0.45), (0.5, 0.6), (0.35, 0.8), (0.65, 0.85))
SECOND_ANCHOR = 0.5  # score and size of a cell's second anchor, over the first's
SIZE = (640, 640)
STRIDES = (8, 16, 32)
_BOX, _POINTS = np.array(BOX).reshape(2, 2), np.array(POINTS)


def detector(
    kind: type[SingleShot], network: bytes | Path, spec: dict[str, Any], **options: Any
) -> SingleShot:
    """A decoder over a network that no manifest lists."""
    built = kind(DetectorSpec(name="test", kind="", weights=("none",), **spec), **options)
    built._network._model = network
    return built


def scrfd(points: bool = True) -> bytes:
    """Two anchors a cell; outputs grouped by kind: scores, boxes, points."""
    graph = Graph("scrfd")
    x = graph.input("input.1", [1, 3, "H", "W"])
    distance = np.concatenate([-_BOX[0], _BOX[1]])
    outputs: dict[int, list[str]] = {1: [], 4: [], 10: []}
    for stride in STRIDES:
        mean = _mean(graph, x, stride)
        score = _channels(graph, mean, [1, SECOND_ANCHOR], offset=127.5, scale=1 / 128)
        outputs[1].append(_rows(graph, score, 1))
        for rows, value in ((4, distance), (10, np.ravel(POINTS))):
            both = np.concatenate([value, value * SECOND_ANCHOR])
            outputs[rows].append(_rows(graph, _constant(graph, mean, both), rows))
    for rows, values in outputs.items():
        for i, value in enumerate(values):
            if points or rows < 10:
                graph.output(value, f"o{rows}_{i}", ["A", rows])
    return graph.model().SerializeToString()


def centerface() -> bytes:
    """One grid of stride 4, y before x; the size that it declares is an example's."""
    graph = Graph("centerface")
    x = graph.input("input.1", [10, 3, 32, 32])
    mean = _mean(graph, x, 4)
    side = _BOX[1] - _BOX[0]
    offset = _BOX.mean(axis=0) - 0.5
    fractions = (_POINTS - _BOX[0]) / side
    maps = {
        "537": _channels(graph, mean, [1]),
        "538": _constant(graph, mean, np.log(side[::-1])),
        "539": _constant(graph, mean, offset[::-1]),
        "540": _constant(graph, mean, np.ravel(fractions[:, ::-1])),
    }
    for (name, value), channels in zip(maps.items(), (1, 2, 2, 10), strict=True):
        graph.output(value, name, [10, channels, 8, 8])
    return graph.model().SerializeToString()


def yolo_pose(points: bool = True, suppressed: bool = False) -> bytes:
    """One output of columns: centre, size, score, points of x, y, visibility.

    Or, as exported with suppression, of rows: corners, score, class, points.
    """
    graph = Graph("yolo_pose")
    x = graph.input("images", [1, 3, *SIZE])
    score = _flat_scores(graph, x, [1])
    box, marks = _everywhere()
    if suppressed:
        box = np.hstack([box[:, :2] - box[:, 2:] / 2, box[:, :2] + box[:, 2:] / 2])
    geometry = [_const(graph, box.T)]
    if suppressed:
        geometry.append(_const(graph, np.zeros((1, len(box)))))
    if points:
        seen = np.full((*marks.shape[:2], 1), 0.7)
        rows = np.concatenate([marks, seen], axis=2).reshape(len(marks), 15)
        geometry.append(_const(graph, rows.T))
    y = graph.node("Concat", geometry[0], score, *geometry[1:], axis=1)
    if suppressed:
        y = graph.node("Transpose", y, perm=[0, 2, 1])
        graph.output(y, "output0", [1, len(box), 21 if points else 6])
    else:
        graph.output(y, "output0", [1, 20 if points else 5, len(box)])
    return graph.model().SerializeToString()


def yolo_v5() -> bytes:
    """One output of rows: centre, size, object, points, class; three anchors a cell.

    The three differ in the class's score: 1, 0.5 and 0.25.
    """
    graph = Graph("yolo_v5")
    x = graph.input("input", [1, 3, *SIZE])
    box, marks = _everywhere()
    count = len(box) * 3
    there = _flat_scores(graph, x, [1])
    there = graph.node("Transpose", graph.node("Concat", *[there] * 3, axis=2), perm=[0, 2, 1])
    face = np.repeat([1, 0.5, 0.25], len(box))[:, None]
    marks = np.tile(marks.reshape(len(box), 10), (3, 1))
    parts = (np.tile(box, (3, 1)), np.hstack([marks, face]))
    y = graph.node("Concat", _const(graph, parts[0]), there, _const(graph, parts[1]), axis=2)
    graph.output(y, "output", [1, count, 16])
    return graph.model().SerializeToString()


def yolo_v8_face() -> bytes:
    """A feature map a stride: 64 channels of distances, the score's logit, points."""
    graph = Graph("yolo_v8_face")
    x = graph.input("images", [1, 3, *SIZE])
    bins = np.full((4, 16), -60.0)
    for row, distance in zip(bins, np.concatenate([0.5 - _BOX[0], _BOX[1] - 0.5]), strict=True):
        below, part = int(distance), distance % 1
        row[below] = np.log(1 - part)
        if part:
            row[below + 1] = np.log(part)
    marks = np.ravel(np.hstack([_POINTS / 2, np.full((5, 1), 0.7)]))
    for i, stride in enumerate(STRIDES):
        mean = _mean(graph, x, stride)
        score = _channels(graph, mean, [1], scale=1 / 255)
        score = graph.node("Clip", score, *(graph.weight(np.array(v)) for v in (1e-6, 1 - 1e-6)))
        odds = graph.node("Div", score, graph.node("Sub", graph.weight(np.array(1.0)), score))
        parts = _constant(graph, mean, bins.ravel()), _constant(graph, mean, marks)
        y = graph.node("Concat", parts[0], graph.node("Log", odds), parts[1], axis=1)
        graph.output(y, f"output{i}", [1, 80, SIZE[0] // stride, SIZE[1] // stride])
    return graph.model().SerializeToString()


def retinaface(*shape: int | str) -> bytes:
    """loc, conf, landmarks as yakhyo/retinaface-pytorch exports them.

    Zero offsets, and a cell's mean brightness as the probability that its smaller prior is
    a face.
    """
    graph = Graph("retinaface")
    x = graph.input("input", shape)
    # Back to 0..255.
    x = graph.node("Add", x, graph.weight(np.reshape([104.0, 117.0, 123.0], (1, 3, 1, 1))))
    outputs: list[list[str]] = [[], [], []]
    for side in (8, 16, 32):
        mean = graph.node("AveragePool", x, kernel_shape=[side, side], strides=[side, side])
        for values, parts in zip((4, 2, 10), outputs, strict=True):
            kernel, bias = np.zeros((2 * values, 3, 1, 1)), np.zeros(2 * values)
            if values == 2:  # background and face of the smaller prior, then of the larger
                kernel[:2] = np.reshape([-1, 1], (2, 1, 1, 1)) / (3 * 255)
                bias[:] = 1, 0, 1, 0
            y = graph.node("Transpose", graph.conv(mean, kernel, bias), perm=[0, 2, 3, 1])
            parts.append(graph.node("Reshape", y, graph.weight(np.array([shape[0], -1, values]))))
    names = ("loc", "conf", "landmarks")
    for name, values, parts in zip(names, (4, 2, 10), outputs, strict=True):
        graph.output(graph.node("Concat", *parts, axis=1), name, [shape[0], "A", values])
    return graph.model().SerializeToString()


def retinaface_r50() -> bytes:
    """Probabilities, boxes and points ``(1, h, w, 4 | 8 | 20)`` of the strides 32, 16 and 8.

    Zero offsets, and a cell's mean brightness as the probability that its first anchor,
    the larger one, is a face.
    """
    graph = Graph("retinaface_r50")
    x = graph.node("Transpose", graph.input("data", [1, "H", "W", 3]), perm=[0, 3, 1, 2])
    for stride in STRIDES[::-1]:
        mean = _mean(graph, x, stride)
        there = _channels(graph, mean, [-1, 0, 1, 0])
        background = graph.weight(np.reshape([1.0, 1.0, 0.0, 0.0], (1, 4, 1, 1)))
        maps = (
            graph.node("Add", there, background),
            _constant(graph, mean, np.zeros(8)),
            _constant(graph, mean, np.zeros(20)),
        )
        for name, y, channels in zip(("prob", "box", "point"), maps, (4, 8, 20), strict=True):
            y = graph.node("Transpose", y, perm=[0, 2, 3, 1])
            graph.output(y, f"{name}{stride}", [1, "h", "w", channels])
    return graph.model().SerializeToString()


def candidates(
    picture: np.ndarray, strides: Sequence[int] = STRIDES, gains: Sequence[tuple] = ((1, 1),)
) -> list[tuple[float, list[float], list[list[float]]]]:
    """What these networks find: (score, box, points) of every cell of a picture.

    ``picture`` is ``(H, W, 3)`` BGR; ``gains`` are score and size of a cell's anchors.
    """
    found = []
    weights = np.array(BRIGHTNESS[::-1]) / 255
    for stride in strides:
        for y in range(0, picture.shape[0] - stride + 1, stride):
            for x in range(0, picture.shape[1] - stride + 1, stride):
                score = float(picture[y : y + stride, x : x + stride].mean(axis=(0, 1)) @ weights)
                for gain, size in gains:
                    box = [(x, y)[i % 2] + stride * size * v for i, v in enumerate(BOX)]
                    points = [[x + stride * size * u, y + stride * size * v] for u, v in POINTS]
                    found.append((score * gain, box, points))
    return found


def assert_finds(built: SingleShot, picture: np.ndarray, expected: list, zoom: float = 1) -> None:
    """Exactly the candidates above the threshold that show a part of the picture."""
    height, width = picture.shape[:2]
    expected = [
        (score, np.array(box) * zoom, np.array(points) * zoom)
        for score, box, points in expected
        if score > built.threshold
    ]
    expected = [
        face
        for face in expected
        if face[1][2] > 0 and face[1][3] > 0 and face[1][0] < width and face[1][1] < height
    ]
    (found,) = built.detect([picture])
    assert len(found) == len(expected) > 0
    expected.sort(key=lambda face: (*face[1].round(2), face[0]))
    found.sort(key=lambda face: (*face.raw_box.astype(float).round(2), face.score))
    for face, (score, box, points) in zip(found, expected, strict=True):
        np.testing.assert_allclose(face.raw_box, box, atol=2e-3)
        assert abs(face.score - score) < 1e-4
        if built.spec.landmarks:
            np.testing.assert_allclose(face.landmarks, points, atol=2e-3)
        else:
            assert face.landmarks is None


def squares(height: int, width: int, zoom: int = 1) -> np.ndarray:
    """A dark picture with coloured squares of the cells of strides 8, 16 and 32."""
    picture = np.zeros((height, width, 3), np.uint8)
    for x, y, side, color in (
        (40, 24, 8, (255, 255, 255)),
        (8, 72, 8, (240, 250, 255)),
        (width - 24, 96, 8, (60, 220, 255)),
        (80, 48, 16, (250, 250, 250)),
        (64, height - 48, 16, (90, 255, 200)),
        (96, 128, 32, (230, 240, 250)),
    ):
        picture[y : y + side, x : x + side] = color
    return picture.repeat(zoom, axis=0).repeat(zoom, axis=1)


def labelled(shared: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """A picture of WIDER FACE, BGR, and the (N, 4) boxes of its faces."""
    with (shared / "wider" / "labels.csv").open() as lines:
        rows = [row for row in csv.DictReader(lines) if row["image"] == name]
    boxes = [[float(row[key]) for key in ("x1", "y1", "x2", "y2")] for row in rows]
    return cv2.imread(str(shared / "wider" / "images" / name)), np.array(boxes)


def assert_covers(faces: list, boxes: np.ndarray, least: float = 0.4) -> None:
    """Every labelled box is found with an intersection over union of ``least`` or more."""
    found = np.array([face.box for face in faces])
    assert len(boxes) > 0
    for box in boxes:
        both = np.minimum(box[2:], found[:, 2:]) - np.maximum(box[:2], found[:, :2])
        inner = np.prod(np.maximum(both, 0), axis=1)
        areas = np.prod(found[:, 2:] - found[:, :2], axis=1)
        assert (inner / (areas + np.prod(box[2:] - box[:2]) - inner)).max() > least


def assert_like_a_face(points: np.ndarray, box: np.ndarray) -> None:
    """Upright five points in their order, inside the box."""
    right_eye, left_eye, nose, right_mouth, left_mouth = points
    assert right_eye[0] < nose[0] < left_eye[0]
    assert right_mouth[0] < left_mouth[0]
    assert max(right_eye[1], left_eye[1]) < nose[1] < min(right_mouth[1], left_mouth[1])
    assert (points > box[:2]).all()
    assert (points < box[2:]).all()


def _mean(graph: Graph, x: str, stride: int) -> str:
    return graph.node("AveragePool", x, kernel_shape=[stride, stride], strides=[stride, stride])


def _channels(
    graph: Graph, mean: str, gains: Sequence[float], offset: float = 0.0, scale: float = 1.0
) -> str:
    """Brightness times each gain, of an input that is ``(pixel - offset) * scale``."""
    kernel = np.outer(gains, BRIGHTNESS) / (255 * scale)
    bias = np.array(gains) * offset / 255
    return graph.node("Conv", mean, graph.weight(kernel[..., None, None]), graph.weight(bias))


def _constant(graph: Graph, like: str, values: np.ndarray) -> str:
    """The same numbers in every cell."""
    kernel = np.zeros((len(values), 3, 1, 1))
    return graph.node("Conv", like, graph.weight(kernel), graph.weight(np.array(values, float)))


def _rows(graph: Graph, cells: str, columns: int) -> str:
    """(1, anchors * columns, h, w) -> (h * w * anchors, columns)."""
    y = graph.node("Transpose", cells, perm=[0, 2, 3, 1])
    return graph.node("Reshape", y, graph.weight(np.array([-1, columns])))


def _flat_scores(graph: Graph, x: str, gains: Sequence[float]) -> str:
    """(1, 1, A): the cells of all strides, the finest first."""
    levels = [_channels(graph, _mean(graph, x, s), gains, scale=1 / 255) for s in STRIDES]
    flat = [graph.node("Reshape", v, graph.weight(np.array([1, 1, -1]))) for v in levels]
    return graph.node("Concat", *flat, axis=2)


def _everywhere() -> tuple[np.ndarray, np.ndarray]:
    """Centre and size (A, 4) and points (A, 5, 2) of each cell of all strides, in pixels."""
    boxes, points = [], []
    for stride in STRIDES:
        y, x = np.mgrid[: SIZE[0] // stride, : SIZE[1] // stride]
        cell = np.stack([x, y], axis=-1).reshape(-1, 2)
        size = np.broadcast_to(_BOX[1] - _BOX[0], cell.shape)
        boxes.append(np.hstack([cell + _BOX.mean(axis=0), size]) * stride)
        points.append((cell[:, None] + _POINTS) * stride)
    return np.concatenate(boxes), np.concatenate(points)


def _const(graph: Graph, values: np.ndarray) -> str:
    return graph.weight(values[None].astype(float))
