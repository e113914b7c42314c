"""The tensor that reaches a graph."""

import numpy as np
import pytest

from facekit.tensors import fill

PICTURES = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3), np.uint8)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("color", ["rgb", "bgr"])
@pytest.mark.parametrize("scale", [1.0, 0.5, (0.1, 0.2, 0.3)])
def test_fill_is_its_definition(layout, color, scale):
    mean = (1.0, 20.0, 300.0)
    got = fill(PICTURES, color, mean, scale, layout)
    assert got.dtype == np.float32
    assert got.flags.c_contiguous
    scales = scale if isinstance(scale, tuple) else (scale,) * 3
    for n, y, x, c in np.ndindex(*PICTURES.shape):
        pixel = PICTURES[n, y, x, 2 - c if color == "rgb" else c]
        where = (n, y, x, c) if layout == "NHWC" else (n, c, y, x)
        assert got[where] == pytest.approx((pixel - mean[c]) * scales[c], abs=1e-4)


def test_pixels_pass_as_they_are_and_are_not_changed():
    before = PICTURES.copy()
    np.testing.assert_array_equal(fill(PICTURES), PICTURES.transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(PICTURES, before)
