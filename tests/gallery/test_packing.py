"""Rows hold what was put in, as exactly as their type can."""

import numpy as np
import pytest

from facekit.errors import InvalidArgument
from facekit.gallery import packing


@pytest.fixture
def vectors():
    rng = np.random.default_rng(2)
    return (rng.normal(size=(300, 96)) * 10.0 ** rng.uniform(-6, 4, (300, 1))).astype(np.float32)


def finite_halves():
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    return every[np.isfinite(every)].reshape(-1, 32)


def test_every_half_becomes_the_float32_that_numpy_makes():
    halves = finite_halves()
    made = packing.unpacked(halves)
    np.testing.assert_array_equal(made.view(np.uint32), halves.astype(np.float32).view(np.uint32))


def test_halves_on_a_cpu_that_drops_small_numbers(monkeypatch):
    monkeypatch.setattr(packing, "_SUBNORMAL", np.zeros(1, np.float32))
    monkeypatch.setattr(packing, "_RAISE", np.float32(0))  # that way is not taken
    halves = finite_halves()
    np.testing.assert_array_equal(packing.unpacked(halves), halves.astype(np.float32))


def test_whole_numbers_are_off_by_half_a_step_at_most(vectors):
    rows = packing.packed(vectors, "int16")
    assert rows.nbytes == 300 * (2 * 96 + 4)
    step = np.abs(vectors).max(1, keepdims=True) / 32767
    assert (np.abs(packing.unpacked(rows) - vectors) <= step * 0.502).all()
    # What comes out goes in again as it is.
    np.testing.assert_array_equal(packing.packed(packing.unpacked(rows), "int16"), rows)


def test_whole_numbers_are_several_times_as_exact_as_halves(vectors):
    normal = vectors[np.abs(vectors).max(1) > 0.1]  # halves lose more where they are subnormal
    normal = normal[np.abs(normal).max(1) < 6e4].astype(np.float64)

    def error(dtype):
        made = packing.unpacked(packing.packed(normal, dtype))
        return np.sqrt(((made - normal) ** 2).sum() / (normal**2).sum())

    assert error("int16") * 5 < error("float16")


def test_numbers_too_small_for_a_scale_are_refused():
    with pytest.raises(InvalidArgument, match="too small for int16"):
        packing.packed(np.full((1, 4), 1e-36, np.float32), "int16")
