"""The contract of a recognizer."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from facekit.types import Detection
from facekit.zoo.specs import RecognizerSpec


class Recognizer(Protocol):
    """Crops faces as its network was trained on them, and embeds the crops."""

    spec: RecognizerSpec

    def crop(
        self, image: np.ndarray, face: Detection, *, align: bool = True, expand: float = 0.0
    ) -> np.ndarray:
        """The face as the network wants to see it.

        Parameters
        ----------
        image : numpy.ndarray
            ``uint8 (H, W, 3)`` BGR.
        face : Detection
        align : bool
            Fit the five points onto the network's template; without points, or with
            False, the box alone decides.
        expand : float
            Widen what the crop shows by this fraction.

        Returns
        -------
        numpy.ndarray
            ``uint8 (h, w, 3)`` BGR of the spec's input size.
        """
        ...

    def embed(
        self,
        crops: np.ndarray,
        *,
        flip: bool = False,
        normalization: str | None = None,
        threads: int = 1,
    ) -> np.ndarray:
        """Vectors of crops.

        Parameters
        ----------
        crops : numpy.ndarray
            ``uint8 (N, h, w, 3)`` BGR; N may be 0.
        flip : bool
            Add the mirror image's embedding to each.
        normalization : str, optional
            One of deepface's names, in place of the network's own scaling.
        threads : int
            CPUs that this call may use.

        Returns
        -------
        numpy.ndarray
            ``float32 (N, D)``, not normalised.
        """
        ...
