"""Networks that turn the crop of one face into a vector."""

from __future__ import annotations

import numpy as np

from facekit import geometry
from facekit.errors import InvalidArgument
from facekit.recognizers import normalization as norm
from facekit.recognizers.crops import CROPS
from facekit.runtime import Network
from facekit.types import Detection, is_blind
from facekit.zoo.specs import RecognizerSpec

# More falls out of the second-level cache: with 16, MobileFaceNets took a quarter longer.
_CROPS_PER_RUN = 4


class AlignedEmbedder:
    """Runs one network by its spec; see ``Recognizer`` for the contract."""

    def __init__(self, spec: RecognizerSpec) -> None:
        self.spec = spec
        self._network = Network(spec.weights[0])
        self._centre = None if spec.centre is None else np.array(spec.centre, np.float32)

    def crop(
        self, image: np.ndarray, face: Detection, *, align: bool = True, expand: float = 0.0
    ) -> np.ndarray:
        if is_blind(face) and expand == 0 and face.landmarks is None:
            # Nothing was detected: the picture is the face, and all of it is shown.
            return geometry.letterbox(image, self.spec.input_size)
        return CROPS[self.spec.crop](image, face, self.spec, align, 1 + expand)

    def embed(
        self,
        crops: np.ndarray,
        *,
        flip: bool = False,
        normalization: str | None = None,
        threads: int = 1,
    ) -> np.ndarray:
        spec = self.spec
        crops = np.asarray(crops)
        expected = (*spec.input_size, 3)
        if crops.shape[1:] != expected or crops.dtype != np.uint8:
            raise InvalidArgument(
                f"{spec.name} takes crops as uint8 (N, {', '.join(map(str, expected))}), "
                f"not {crops.dtype} {crops.shape}."
            )
        vectors = np.zeros((len(crops), spec.dimension), np.float32)
        if not len(crops):
            return vectors
        # Published forms of one network differ in layout and batch: the graph says which.
        layout = self._network.layout(threads) or spec.layout
        step = min(self._network.batch(threads) or _CROPS_PER_RUN, _CROPS_PER_RUN)
        for start in range(0, len(crops), step):
            part = crops[start : start + step]
            for view in (part, part[:, :, ::-1]) if flip else (part,):
                blob = norm.tensor(view, spec, normalization, layout=layout)
                out = self._network.run(blob, threads=threads)[0].reshape(len(part), -1)
                if out.shape[1] != spec.dimension:
                    raise InvalidArgument(
                        f"The network of {spec.name} gives {out.shape[1]} numbers a face, "
                        f"but its spec says {spec.dimension}."
                    )
                if self._centre is not None:
                    out = out - self._centre
                if spec.unit:
                    out = out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12)
                vectors[start : start + len(part)] += out
        return vectors
