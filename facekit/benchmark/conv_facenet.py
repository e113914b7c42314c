"""conv-facenet's own way of counting, to stand beside what it publishes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facekit.benchmark.protocol import pairs_within
from facekit.benchmark.verification import best_threshold, of_pairs


def accuracy(
    vectors: np.ndarray, people: Sequence[str], metric: str = "cosine", *, seed: int = 0
) -> float | None:
    """Accuracy (0..1) as conv-facenet counts it, to stand beside what it publishes.

    **Not comparable with any other accuracy here**, nor with View 2 of LFW:

    - The threshold is the best on the very pairs that it is then measured on.
    - All pairs of one person are taken, and they grow with the square of a person's pictures:
      on LFW the 530 pictures of one man make 140,185 of 242,257 pairs.
    - Strangers are drawn, one for each of these pairs, against the first of its pictures: on LFW
      from the people with a single picture, so that half of all is about whether somebody
      is that one man; on CelebA from all other people, first the person, then a picture. Here
      the first is done where at least half of the people have a single picture. A pair may be
      drawn twice.
    - Pictures without an embedding are left out and cost nothing.

    Counted so, conv-facenet publishes 95.8 % on LFW and 93.6 % on CelebA, by the Euclidean
    distance with thresholds set by hand; the best threshold, taken here, is no worse.
    Source: README, ``generate_dataset.py``, ``evaluation.py`` and the training notebook of
    https://github.com/ahmedbadr97/conv-facenet.

    Parameters
    ----------
    vectors : numpy.ndarray
        ``(N, D)``, rows of NaN where there is no embedding.
    people : sequence of str
        ``N``: who is on each picture.
    metric : str
    seed : int
        Of the drawing.

    Returns
    -------
    float or None
        None when no two pictures show one person, or all do.
    """
    found = ~np.isnan(vectors).any(axis=1)
    vectors, labels = vectors[found], np.asarray(people, dtype=str)[found]
    labels = np.unique(labels, return_inverse=True)[1]
    positive = pairs_within(labels)
    counts = np.bincount(labels)
    if not len(positive) or len(counts) < 2:
        return None
    anchors = positive[:, 0]
    strangers = _strangers(labels, counts, anchors, np.random.default_rng(seed))
    gaps = of_pairs(
        vectors,
        np.concatenate([anchors, anchors]),
        np.concatenate([positive[:, 1], strangers]),
        metric,
    )
    return best_threshold(gaps, np.arange(len(gaps)) < len(anchors))[1]


def _strangers(
    labels: np.ndarray, counts: np.ndarray, anchors: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """A picture of somebody else for each of the anchors."""
    single = np.flatnonzero(counts == 1)
    if 2 * len(single) >= len(counts):
        people = rng.choice(single, len(anchors))
    else:
        people = rng.integers(0, len(counts) - 1, len(anchors))
        people += people >= labels[anchors]  # all but the anchor's own
    by_person = np.argsort(labels, kind="stable")
    start = np.cumsum(counts) - counts
    return by_person[start[people] + rng.integers(0, counts[people])]
