"""A folder of photos with copies of all kinds."""

import cv2
import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def others(shared):
    """Photos of different things, as paths."""
    return sorted((shared / "wider").rglob("*.jpg"))[:40]


@pytest.fixture
def folder(sample_paths, samples, tmp_path):
    """Grace in six forms, Eileen in one, and what is no photo."""
    root = tmp_path / "photos"
    (root / "old").mkdir(parents=True)
    grace = samples["grace_hopper"]
    height, width = grace.shape[:2]
    cv2.imwrite(str(root / "grace.png"), grace)
    cv2.imwrite(str(root / "poor.jpg"), grace, [cv2.IMWRITE_JPEG_QUALITY, 40])
    cv2.imwrite(str(root / "old" / "small.jpg"), cv2.resize(grace, None, fx=0.4, fy=0.4))
    cut = grace[height // 40 :, : width - width // 40]
    cv2.imwrite(str(root / "cut.jpg"), cut)
    turned = Image.fromarray(np.rot90(grace[:, :, ::-1], -1))
    exif = Image.Exif()
    exif[0x0112] = 8  # to be turned back when shown
    turned.save(root / "turned.jpg", quality=90, exif=exif)
    (root / "grace-2.png").write_bytes((root / "grace.png").read_bytes())
    (root / "eileen.jpg").write_bytes(sample_paths["eileen_collins"].read_bytes())
    (root / "broken.jpg").write_bytes(b"nothing")
    (root / "film.mp4").write_bytes(b"film")
    return root
