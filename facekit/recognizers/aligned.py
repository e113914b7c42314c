"""Networks that see a face aligned by five points."""

from __future__ import annotations

import numpy as np

from facekit import geometry
from facekit.errors import InvalidArgument
from facekit.recognizers import normalization as norm
from facekit.runtime import Network
from facekit.types import Detection
from facekit.zoo.specs import RecognizerSpec

_CROPS_PER_RUN = 16  # more does not run faster, and costs memory


class AlignedEmbedder:
    """Runs one network by its spec; see ``Recognizer`` for the contract."""

    def __init__(self, spec: RecognizerSpec) -> None:
        self.spec = spec
        self._template = np.array(spec.template, np.float64)
        self._network = Network(spec.weights[0])

    def crop(
        self, image: np.ndarray, face: Detection, *, align: bool = True, expand: float = 0.0
    ) -> np.ndarray:
        size = self.spec.input_size
        if align and face.landmarks is not None:
            transform = geometry.similarity(face.landmarks[None], self._template)[0]
            transform = geometry.widen(transform, size, 1 + expand)
        elif face.score == 0 and expand == 0:
            # Nothing was detected: the picture is the face, and all of it is shown.
            return geometry.letterbox(image, size)
        else:
            scale = self.spec.box_scale * (1 + expand)
            transform = geometry.box_transform(face.raw_box, scale, size, self.spec.box_centre)
        return geometry.warp(image, transform, size, self.spec.interpolation)

    def embed(
        self,
        crops: np.ndarray,
        *,
        flip: bool = False,
        normalization: str | None = None,
        threads: int = 1,
    ) -> np.ndarray:
        crops = np.asarray(crops)
        expected = (*self.spec.input_size, 3)
        if crops.shape[1:] != expected or crops.dtype != np.uint8:
            raise InvalidArgument(
                f"{self.spec.name} takes crops as uint8 (N, {', '.join(map(str, expected))}), "
                f"not {crops.dtype} {crops.shape}."
            )
        vectors = np.zeros((len(crops), self.spec.dimension), np.float32)
        for start in range(0, len(crops), _CROPS_PER_RUN):
            part = crops[start : start + _CROPS_PER_RUN]
            views = (part, part[:, :, ::-1]) if flip else (part,)
            for view in views:
                blob = norm.tensor(view, self.spec, normalization)
                (out,) = self._network.run(blob, threads=threads)
                vectors[start : start + len(part)] += out
        return vectors
