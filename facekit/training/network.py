"""A small ConvNeXt for faces (Liu et al. 2022), in plain torch.

Depthwise 7x7 convolutions, inverted bottlenecks and layer scale as in the paper. What differs
suits small networks on CPUs: BatchNorm, which an exported graph folds into the convolutions, in
place of LayerNorm; a stem of two 3x3 convolutions; a head that weighs every place of the last map
(MobileFaceNet's global depthwise convolution, Chen et al. 2018), since a mean would forget where
an eye is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import nn

from facekit.errors import InvalidArgument, UnknownName
from facekit.training.depthwise import Depthwise

ACTIVATIONS = {"gelu": nn.GELU, "relu": nn.ReLU, "silu": nn.SiLU}
SIDE = 112
_STEM = 4  # how much it reduces


class Block(nn.Module):
    """Depthwise convolution, inverted bottleneck, added to what came in."""

    def __init__(self, width: int, kernel: int, expansion: float, activation: str) -> None:
        super().__init__()
        inner = round(width * expansion)
        self.depthwise = Depthwise(width, kernel, kernel // 2)
        self.norm = nn.BatchNorm2d(width)
        self.expand = nn.Conv2d(width, inner, 1)
        self.activation = ACTIVATIONS[activation]()
        self.reduce = nn.Conv2d(inner, width, 1)
        self.scale = nn.Parameter(torch.full((1, width, 1, 1), 0.1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner = self.activation(self.expand(self.norm(self.depthwise(x))))
        # The scale is part of the last convolution: no map is read and written for it alone.
        weight = self.reduce.weight * self.scale.view(-1, 1, 1, 1)
        bias = self.reduce.bias * self.scale.flatten()
        return x + nn.functional.conv2d(inner, weight, bias)


class ConvNeXt(nn.Module):
    """Faces -> one vector for each teacher.

    Parameters
    ----------
    outputs : mapping of str to int
        Length of the vector for each teacher.
    dims, depths : sequence of int
        Channels and blocks of each stage; a stage has half the side of the one before.
    kernel : int
        Side of the depthwise convolutions.
    expansion : float
        Inner channels of a block, as a multiple of its channels.
    head : int
        Channels that weigh the last map.
    activation : str
        A key of ``ACTIVATIONS``.

    Raises
    ------
    InvalidArgument, UnknownName
        When they describe no network.
    """

    def __init__(
        self,
        outputs: Mapping[str, int],
        dims: Sequence[int] = (32, 64, 192),
        depths: Sequence[int] = (1, 2, 6),
        kernel: int = 7,
        expansion: float = 3,
        head: int = 512,
        activation: str = "relu",
    ) -> None:
        super().__init__()
        if activation not in ACTIVATIONS:
            raise UnknownName("activation", activation, ACTIVATIONS)
        if kernel % 2 == 0:
            raise InvalidArgument(f"kernel is {kernel}.", "It must be odd.")
        side = SIDE // _STEM // 2 ** (len(dims) - 1)
        if len(dims) != len(depths) or side < 1:
            raise InvalidArgument(
                f"dims {list(dims)} and depths {list(depths)} describe no network.",
                "They must have the same length, 1 to 5.",
            )
        act = ACTIVATIONS[activation]
        layers: list[nn.Module] = [
            nn.Conv2d(3, dims[0] // 2, 3, 2, 1, bias=False),
            nn.BatchNorm2d(dims[0] // 2),
            act(),
            nn.Conv2d(dims[0] // 2, dims[0], 3, 2, 1, bias=False),
            nn.BatchNorm2d(dims[0]),
        ]
        for stage, (width, depth) in enumerate(zip(dims, depths, strict=True)):
            if stage:
                before = dims[stage - 1]
                layers += [nn.Conv2d(before, width, 2, 2, bias=False), nn.BatchNorm2d(width)]
            layers += [Block(width, kernel, expansion, activation) for _ in range(depth)]
        self.body = nn.Sequential(*layers)
        self.head = nn.Sequential(
            nn.Conv2d(dims[-1], head, 1, bias=False),
            nn.BatchNorm2d(head),
            act(),
            Depthwise(head, side),
            nn.BatchNorm2d(head),
            nn.Flatten(),
        )
        self.teachers = list(outputs)
        self.outputs = nn.ModuleList(nn.Linear(head, size) for size in outputs.values())

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """``float (N, 3, 112, 112)`` RGB in -1..1 -> one ``(N, D)`` a teacher, in their order."""
        features = self.head(self.body(x))
        return [output(features) for output in self.outputs]


class Embedder(nn.Module):
    """The vectors for all teachers as one embedding: each of unit length, times its weight.

    The cosine of two embeddings is then the mean of the cosines for each teacher, weighted by the
    squares.

    Parameters
    ----------
    network : torch.nn.Module
        One of ``NETWORKS``.
    weights : sequence of float
        One for each teacher.
    """

    def __init__(self, network: nn.Module, weights: Sequence[float]) -> None:
        super().__init__()
        self.network = network
        self.weights = tuple(float(weight) for weight in weights)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``float (N, 3, 112, 112)`` -> ``(N, D)``."""
        return self.join(self.network(x))

    def join(self, said: Sequence[torch.Tensor]) -> torch.Tensor:
        """What the network says for each teacher -> ``(N, D)``."""
        return torch.cat(
            [
                weight * nn.functional.normalize(vectors.float(), dim=1)
                for vectors, weight in zip(said, self.weights, strict=True)
            ],
            dim=1,
        )


# Called with the length of the vector for each teacher and the recipe's keys. What is made has
# the last layers as ``outputs``, one ``Linear`` a teacher, and gives their vectors in that order.
NETWORKS: dict[str, Callable[..., nn.Module]] = {"convnext": ConvNeXt}
