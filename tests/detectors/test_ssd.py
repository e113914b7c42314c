"""The SSD's conversion against OpenCV 4's Caffe importer, and its decoding."""

from __future__ import annotations

import struct

import cv2
import numpy as np
import pytest

from facekit.convert import caffe_ssd
from facekit.convert.graph import Graph
from facekit.detectors.ssd import SSD
from facekit.geometry import nms
from facekit.runtime import Session
from facekit.store import WeightFile, register, unregister
from facekit.zoo.specs import DetectorSpec

SPEC = DetectorSpec(
    name="ssd",
    kind="ssd",
    weights=("ssd-test",),
    options={"threshold": 0.5, "nms_threshold": 0.45},
    landmarks=False,
    input_size=(300, 300),
    resize="stretch",
    mean=(104.0, 177.0, 123.0),
)


# -- a network of random weights as Caffe writes it ------------------------------------------


class Caffe:
    """Describes res10 layer by layer: the text of the network, and random weights for it."""

    def __init__(self, seed=0):
        self.random = np.random.default_rng(seed)
        self.text = ['input: "data" input_shape { dim: 1 dim: 3 dim: 300 dim: 300 }']
        self.blobs = {}
        self.channels = {"data": 3}

    def layer(self, kind, name, bottoms, top, parameters="", blobs=()):
        lines = " ".join(f'bottom: "{bottom}"' for bottom in bottoms)
        self.text.append(
            f'layer {{ name: "{name}" type: "{kind}" {lines} top: "{top}" {parameters} }}'
        )
        if blobs:
            self.blobs[name] = [np.asarray(blob, np.float32) for blob in blobs]
        self.channels.setdefault(top, self.channels[bottoms[0]])
        return top

    def conv(self, x, name, out, side=3, stride=1, pad=1, dilation=1, bias=False, gain=1.0):
        into = self.channels[x]
        self.channels[name] = out
        deviation = gain * np.sqrt(2 / (into * side**2))
        kernel = self.random.normal(0, deviation, (out, into, side, side))
        blobs = [kernel, *([self.random.normal(0, 0.3, out)] if bias else [])]
        parameters = (
            f"convolution_param {{ num_output: {out} kernel_size: {side} stride: {stride} "
            f"pad: {pad} dilation: {dilation} bias_term: {str(bias).lower()} }}"
        )
        return self.layer("Convolution", name, [x], name, parameters, blobs)

    def scaled(self, x, norm, scale, top=None):
        count = self.channels[x]
        level = 100.0 if x == "data" else 1.0  # of the pictures' numbers
        factor = 3.0  # Caffe keeps sums, and by what to divide them
        moments = [
            self.random.normal(0, level / 3, count),
            level**2 * self.random.uniform(1, 2, count),
        ]
        blobs = [moment * factor for moment in moments]
        top = self.layer("BatchNorm", norm, [x], top or x, "", [*blobs, [factor]])
        values = [self.random.uniform(0.5, 1.5, count), self.random.normal(0, 0.2, count)]
        return self.layer("Scale", scale, [top], top, "scale_param { bias_term: true }", values)

    def relu(self, x, name, top=None):
        return self.layer("ReLU", name, [x], top or x)

    def block(self, x, name, ends, middle, out, stride, dilation=1):
        one, first, two, second, short = ends
        y = self.scaled(x, f"{name}_bn1{one}", f"{name}_scale1{one}", top=f"{name}_bn1{one}")
        start = self.relu(y, f"{name}_relu1")
        y = self.conv(start, f"{name}_conv1{first}", middle, stride=stride)
        y = self.relu(self.scaled(y, f"{name}_bn2{two}", f"{name}_scale2{two}"), f"{name}_relu2")
        y = self.conv(y, f"{name}_conv2{second}", out, pad=dilation, dilation=dilation)
        z = self.conv(start, f"{name}_conv_expand{short}", out, 1, stride, 0)
        return start, self.layer("Eltwise", f"{name}_sum", [y, z], f"{name}_sum")

    def head(self, x, name, least, most, ratios, step):
        count = 2 + 2 * len(ratios)
        for kind, width in (("loc", 4), ("conf", 2)):
            y = self.conv(x, f"{name}_mbox_{kind}", count * width, bias=True, gain=0.3)
            order = "permute_param { order: 0 order: 2 order: 3 order: 1 }"
            y = self.layer("Permute", f"{y}_perm", [y], f"{y}_perm", order)
            self.layer("Flatten", f"{name}_mbox_{kind}_flat", [y], f"{name}_mbox_{kind}_flat")
        aspects = " ".join(f"aspect_ratio: {ratio}" for ratio in ratios)
        variance = "variance: 0.1 variance: 0.1 variance: 0.2 variance: 0.2"
        parameters = (
            f"prior_box_param {{ min_size: {least} max_size: {most} {aspects} flip: true "
            f"clip: false {variance} step: {step} offset: 0.5 }}"
        )
        self.layer("PriorBox", f"{name}_prior", [x, "data"], f"{name}_prior", parameters)

    def res10(self):
        x = self.scaled("data", "data_bn", "data_scale", top="data_bn")
        x = self.conv(x, "conv1_h", 32, 7, 2, 3, bias=True)
        x = self.relu(self.scaled(x, "conv1_bn_h", "conv1_scale_h"), "conv1_relu")
        pooling = "pooling_param { kernel_size: 3 stride: 2 }"
        x = self.layer("Pooling", "conv1_pool", [x], "conv1_pool", pooling)
        y = self.conv(x, "layer_64_1_conv1_h", 32)
        y = self.relu(self.scaled(y, "layer_64_1_bn2_h", "layer_64_1_scale2_h"), "relu64")
        y = self.conv(y, "layer_64_1_conv2_h", 32)
        x = self.layer("Eltwise", "layer_64_1_sum", [y, x], "layer_64_1_sum")
        _, x = self.block(x, "layer_128_1", ("_h", "_h", "", "", "_h"), 128, 128, 2)
        shallow, x = self.block(x, "layer_256_1", ("", "", "", "", ""), 256, 256, 2)
        _, x = self.block(x, "layer_512_1", ("", "_h", "_h", "_h", "_h"), 128, 256, 1, 2)
        x = self.relu(self.scaled(x, "last_bn_h", "last_scale_h"), "last_relu", top="fc7")
        maps = [x]
        for level, middle, out, stride in (
            (6, 128, 256, 2),
            (7, 64, 128, 2),
            (8, 64, 128, 1),
            (9, 64, 128, 1),
        ):
            y = self.relu(
                self.conv(maps[-1], f"conv{level}_1_h", middle, 1, 1, 0, bias=True), f"r{level}1"
            )
            y = self.conv(y, f"conv{level}_2_h", out, stride=stride, bias=True)
            maps.append(self.relu(y, f"r{level}2"))
        norm = "norm_param { across_spatial: false channel_shared: false }"
        factors = [self.random.uniform(3, 6, 128)]
        maps.insert(
            0, self.layer("Normalize", "conv4_3_norm", [shallow], "conv4_3_norm", norm, factors)
        )
        names = ("conv4_3_norm", "fc7", "conv6_2", "conv7_2", "conv8_2", "conv9_2")
        sizes = (30, 60, 111, 162, 213, 264, 315)
        steps = (8, 16, 32, 64, 100, 300)
        for i, (x, name, step) in enumerate(zip(maps, names, steps, strict=True)):
            least, most = sizes[i], sizes[i + 1]
            self.head(x, name, least, most, (2, 3) if i in (1, 2, 3) else (2,), step)
        for kind, end, axis in (("loc", "loc_flat", 1), ("conf", "conf_flat", 1), ("prior", "", 2)):
            tops = [f"{name}_mbox_{end}" if end else f"{name}_prior" for name in names]
            self.layer("Concat", kind, tops, kind, f"concat_param {{ axis: {axis} }}")
        shape = "reshape_param { shape { dim: 0 dim: -1 dim: 2 } }"
        self.layer("Reshape", "pairs", ["conf"], "pairs", shape)
        self.layer("Softmax", "softmax", ["pairs"], "softmax", "softmax_param { axis: 2 }")
        self.layer("Flatten", "flat", ["softmax"], "flat", "flatten_param { axis: 1 }")
        parameters = (
            "detection_output_param { num_classes: 2 share_location: true background_label_id: 0 "
            "nms_param { nms_threshold: 0.45 top_k: 400 } code_type: CENTER_SIZE keep_top_k: 200 "
            "confidence_threshold: 0.2 }"
        )
        self.layer("DetectionOutput", "out", ["loc", "flat", "prior"], "out", parameters)
        return self


def field(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def caffemodel(blobs):
    """The bytes of a caffemodel with these layers; names and blobs are all that is read."""
    content = field(1, b"res10")
    for name, arrays in blobs.items():
        body = field(1, name.encode()) + field(2, b"Layer")
        for array in arrays:
            shape = field(7, field(1, b"".join(map(varint, array.shape))))
            body += field(7, shape + field(5, array.astype("<f4").tobytes()))
        content += field(100, body)
    return content


@pytest.fixture(scope="module")
def caffe():
    return Caffe().res10()


@pytest.fixture(scope="module")
def weights(caffe, tmp_path_factory):
    path = tmp_path_factory.mktemp("ssd") / "res10.caffemodel"
    path.write_bytes(caffemodel(caffe.blobs))
    return path


@pytest.fixture(scope="module")
def session(weights):
    return Session(caffe_ssd.convert(weights).SerializeToString(), 1)


@pytest.fixture(scope="module")
def blob(samples):
    """A sample as the network sees it."""
    picture = cv2.resize(samples["grace_hopper"], (300, 300))
    return np.float32(picture - np.array(SPEC.mean)).transpose(2, 0, 1)[None]


# -- conversion --------------------------------------------------------------------------------


def test_the_conversion_gives_what_opencv_gives(caffe, weights, session, blob):
    if not hasattr(cv2.dnn, "readNetFromCaffe"):
        pytest.skip(f"OpenCV {cv2.__version__} reads no Caffe networks")
    text = np.frombuffer("\n".join(caffe.text).encode(), np.uint8)
    network = cv2.dnn.readNetFromCaffe(text, np.fromfile(weights, np.uint8))
    network.setInput(blob)
    offsets, confidences, rows = network.forward(["loc", "flat", "out"])
    (boxes,), (scores,) = session.run(blob)
    np.testing.assert_allclose(scores, confidences.reshape(-1, 2)[:, 1], atol=1e-4)
    priors, offsets = caffe_ssd.priors(), offsets.reshape(-1, 4)
    middle = priors[:, :2] + 0.1 * offsets[:, :2] * priors[:, 2:]
    half = np.exp(0.2 * offsets[:, 2:]) * priors[:, 2:] / 2
    np.testing.assert_allclose(boxes, np.hstack([middle - half, middle + half]), atol=1e-4)
    # Its DetectionOutput keeps what the detector's suppression keeps.
    best = np.argsort(-scores, kind="stable")[:400]
    kept = best[nms(boxes[best], scores[best], 0.45)][:20]
    np.testing.assert_allclose(rows.reshape(-1, 7)[:20, 2], scores[kept], atol=1e-4)
    np.testing.assert_allclose(rows.reshape(-1, 7)[:20, 3:], boxes[kept], atol=1e-3)


def test_the_conversion_gives_what_opencv_410_gave(session, blob):
    """The numbers of OpenCV 4.10 with OpenCV's own deploy.prototxt, for where it is not."""
    (boxes,), (scores,) = session.run(blob)
    np.testing.assert_allclose(scores[500::1200], SCORES, atol=2e-4)
    np.testing.assert_allclose(boxes[[500, 8892 - 1]], BOXES, atol=2e-4)


SCORES = [0.563971, 0.55465, 0.555329, 0.542408, 0.547889, 0.60108, 0.272521]
BOXES = [[0.257188, 0.047046, 0.354032, 0.153205], [4.170329, 3.82291, 4.709146, 5.133405]]


def test_priors():
    priors = caffe_ssd.priors() * 300
    assert priors.shape == (8892, 4)
    expected = [(30, 30), (42.43, 42.43), (42.43, 21.21), (21.21, 42.43)]
    np.testing.assert_allclose(priors[:4, 2:], expected, atol=0.01)
    assert priors[:5, :2].tolist() == [[4, 4]] * 4 + [[12, 4]]
    np.testing.assert_allclose(priors[5776 + 6, :2], [24, 8])


def test_a_file_that_is_no_caffemodel_is_refused(weights, tmp_path):
    content = weights.read_bytes()
    for wrong in (content[:-7], b"", b"\xff" * 30, b"<html>not found</html>"):
        path = tmp_path / "wrong.caffemodel"
        path.write_bytes(wrong)
        with pytest.raises(ValueError, match=r"cut off|protocol buffer|no layers"):
            caffe_ssd.convert(path)
    path.write_bytes(caffemodel({"conv1_h": [np.zeros((1, 1, 1, 1))]}))
    with pytest.raises(KeyError, match="data_bn"):
        caffe_ssd.convert(path)


def test_old_shapes_and_single_numbers(tmp_path):
    """Blobs as Caffe wrote them before 2014: four dimensions, numbers one by one."""
    old = b"".join(varint(i << 3) + varint(size) for i, size in ((1, 1), (2, 1), (3, 2), (4, 3)))
    old += b"".join(varint(5 << 3 | 5) + struct.pack("<f", i) for i in range(6))
    path = tmp_path / "old.caffemodel"
    path.write_bytes(field(100, field(1, b"fc") + field(7, old)))
    ((name, (array,)),) = caffe_ssd.read(path).items()
    assert name == "fc"
    np.testing.assert_array_equal(array, [[[[0, 1, 2], [3, 4, 5]]]])


# -- detector ----------------------------------------------------------------------------------


def detection_output():
    """A network with the form of Caffe's DetectionOutput; its rows do not look at the picture."""
    graph = Graph("rows")
    x = graph.input("input", [1, 3, 300, 300])
    nothing = graph.node(
        "Mul", graph.node("GlobalMaxPool", x), graph.weight(np.zeros((1, 3, 1, 1)))
    )
    nothing = graph.node("ReduceSum", nothing, keepdims=0)
    rows = np.array(
        [
            [0, 1, 0.9, 0.1, 0.2, 0.3, 0.5],
            [0, 1, 0.8, 0.11, 0.2, 0.31, 0.5],  # the same face
            [0, 1, 0.7, -0.1, 0.8, 0.1, 1.2],
            [0, 0, 0.99, 0.6, 0.6, 0.9, 0.9],  # background
            [0, 1, 0.3, 0.6, 0.6, 0.9, 0.9],
            [-1, 1, 0.95, 0.6, 0.1, 0.9, 0.3],  # a row that fills up
        ]
    )
    out = graph.node("Add", nothing, graph.weight(rows.reshape(1, 1, 6, 7)))
    graph.output(out, "detection_out", [1, 1, 6, 7])
    return graph.model().SerializeToString()


@pytest.fixture
def built(tmp_path):
    """Build the detector of a network."""

    def build(content, **options):
        path = tmp_path / "ssd.onnx"
        path.write_bytes(content)
        register(WeightFile(key="ssd-test", file=path.name, local=path), replace=True)
        return SSD(SPEC, **{**SPEC.options, **options})

    yield build
    unregister("ssd-test")


def test_rows_of_detection_output_become_boxes(built):
    detector = built(detection_output())
    pictures = [np.zeros((100, 200, 3), np.uint8), np.zeros((1, 1, 3), np.uint8)]
    found = detector.detect(pictures)
    assert [[round(face.score, 3) for face in faces] for faces in found] == [[0.9, 0.7]] * 2
    first, second = found[0]
    np.testing.assert_allclose(first.box, [20, 20, 60, 50], atol=1e-4)
    np.testing.assert_allclose(second.raw_box, [-20, 80, 20, 120], atol=1e-4)
    np.testing.assert_allclose(second.box, [0, 80, 20, 100], atol=1e-4)
    assert first.landmarks is None
    assert len(built(detection_output(), threshold=0.2).detect(pictures)[0]) == 3
    assert len(built(detection_output(), nms_threshold=1.0).detect(pictures)[0]) == 3


def test_the_converted_network_sees_the_mean_taken_off(built, weights, session, samples):
    detector = built(caffe_ssd.convert(weights).SerializeToString(), threshold=0.9)
    picture = cv2.resize(samples["grace_hopper"], (300, 300))
    blob = np.float32(picture - np.array(SPEC.mean)).transpose(2, 0, 1)[None]
    (boxes,), (scores,) = session.run(blob)
    best = np.argmax(scores * ((boxes < 1).all(axis=1) & (boxes > 0).all(axis=1)))
    (faces,) = detector.detect([picture])
    assert scores[best] > 0.9
    distance = [np.abs(face.raw_box / 300 - boxes[best]).max() for face in faces]
    assert faces[int(np.argmin(distance))].score == pytest.approx(scores[best], abs=1e-4)
    assert min(distance) < 1e-4


def test_a_batch_equals_one_by_one(built, weights, samples):
    detector = built(caffe_ssd.convert(weights).SerializeToString(), threshold=0.9)
    pictures = [*samples.values(), np.zeros((20, 5000, 3), np.uint8), np.zeros((1, 1, 3), np.uint8)]
    for picture, faces in zip(pictures, detector.detect(pictures), strict=True):
        (alone,) = detector.detect([picture])
        assert len(faces) == len(alone)
        for face, other in zip(faces, alone, strict=True):
            assert face.score == pytest.approx(other.score, abs=1e-4)
        height, width = picture.shape[:2]
        for face in faces:
            assert (face.box >= 0).all()
            assert (face.box <= [width, height] * 2).all()
