"""Ways of grouping faces into people, on LFW's people of View 1 and on the others.

    python benchmarks/cluster.py --data LFW [--model ConvNeXt] [--detector mtcnn] [--cache FILE]

Everything is chosen on the people that View 1 names: there each way is tried with limits
around the pipeline's threshold at FAR 1e-3, and the best B-cubed F counts. With that choice
it then groups the people whom View 1 does not name, a collection of another size, once.
`rule` is what `facekit cluster` does: average linkage at the rate that suits the number of
faces. DBSCAN and HDBSCAN need scikit-learn; `components` is DBSCAN with one sample.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from facekit import distance, zoo
from facekit.benchmark.cache import Cache, default_path
from facekit.benchmark.embed import Embeddings, Pipeline
from facekit.benchmark.protocol import all_pairs
from facekit.benchmark.sets.lfw import lfw
from facekit.clusters.limit import limit_of
from facekit.clusters.linkage import average_linkage
from facekit.gallery.pairs import close_pairs
from facekit.pipeline import FaceKit

STEPS = np.arange(-3, 1.01, 0.25)  # tenfold rates around the threshold at 1e-3
SIZES = (200, 400, 800, 1600, 3200, 6400)
Way = Callable[[np.ndarray, float], np.ndarray]


def scores(label: np.ndarray, people: np.ndarray) -> dict[str, float]:
    """B-cubed and pairwise precision, recall and F; groups of two faces or more."""
    label = np.unique(label, return_inverse=True)[1]
    people = np.unique(people, return_inverse=True)[1]
    sizes, truth = np.bincount(label), np.bincount(people)
    joint = Counter(zip(label.tolist(), people.tolist(), strict=True))
    precise = sum(c * c / sizes[a] for (a, _), c in joint.items()) / len(label)
    found = sum(c * c / truth[b] for (_, b), c in joint.items()) / len(label)
    right = sum(c * (c - 1) for c in joint.values())
    pairs, wanted = (sizes * (sizes - 1)).sum(), (truth * (truth - 1)).sum()
    return {
        "B3 P": precise,
        "B3 R": found,
        "B3 F": 2 * precise * found / (precise + found),
        "pair P": right / pairs if pairs else 1.0,
        "pair R": right / wanted,
        "groups": int((sizes > 1).sum()),
        "people": int((truth > 1).sum()),
        "largest": int(sizes.max()),
    }


def dbscan(vectors: np.ndarray, limit: float, samples: int) -> np.ndarray:
    """Density: a face with enough neighbours within the limit hands the group on."""
    from sklearn.cluster import DBSCAN

    radius = float(np.sqrt(2 * max(limit, 0)))
    return alone(DBSCAN(eps=max(radius, 1e-6), min_samples=samples).fit_predict(vectors))


def hdbscan(vectors: np.ndarray, _: float) -> np.ndarray:
    """Density at every scale; takes no limit."""
    from sklearn.cluster import HDBSCAN

    return alone(HDBSCAN(min_cluster_size=2, min_samples=1, copy=True).fit_predict(vectors))


def alone(label: np.ndarray) -> np.ndarray:
    """Noise as groups of one."""
    noise = label < 0
    label[noise] = np.arange(noise.sum()) + label.max() + 1
    return label


def whispers(vectors: np.ndarray, limit: float, rounds: int = 20) -> np.ndarray:
    """Chinese whispers: each face takes the label that its neighbours favour."""
    first, second, _ = close_pairs(vectors, 1 - limit)
    weights = np.tile(np.einsum("ed,ed->e", vectors[first], vectors[second]), 2)
    ends, others = np.concatenate([first, second]), np.concatenate([second, first])
    order = np.argsort(ends, kind="stable")
    bounds = np.searchsorted(ends[order], np.arange(len(vectors) + 1))
    others, weights = others[order], weights[order]
    label, rng = np.arange(len(vectors)), np.random.default_rng(0)
    for _ in range(rounds):
        for face in rng.permutation(len(vectors)):
            mine = slice(bounds[face], bounds[face + 1])
            if bounds[face] < bounds[face + 1]:
                names, which = np.unique(label[others[mine]], return_inverse=True)
                label[face] = names[np.argmax(np.bincount(which, weights[mine]))]
    return label


WAYS: dict[str, Way] = {
    "components": partial(dbscan, samples=1),
    "DBSCAN, 3 samples": partial(dbscan, samples=3),
    "HDBSCAN": hdbscan,
    "Chinese whispers": whispers,
    "average linkage": average_linkage,
}


def by_size(
    kit: FaceKit, vectors: np.ndarray, people: np.ndarray, loose: float, strict: float
) -> None:
    """The best step for collections of several sizes, and the rule's; means of three draws."""
    rng = np.random.default_rng(1)
    for size in SIZES:
        tried = []
        for _ in range(3):
            order = rng.permutation(np.unique(people))
            counts = np.cumsum([(people == name).sum() for name in order])
            some = np.isin(people, order[: np.searchsorted(counts, size) + 1])
            rule = limit_of(kit, int(some.sum()), threshold=None, far=None).value
            limits = [loose + step * (loose - strict) for step in STEPS] + [rule]
            tried.append(
                [
                    scores(average_linkage(vectors[some], limit), people[some])["B3 F"]
                    for limit in limits
                ]
            )
        *mean, ours = np.mean(tried, axis=0)
        best = int(np.argmax(mean))
        print(
            f"{size:6} faces: best B3 F {mean[best]:.3f} "
            f"at 1e{STEPS[best] - 3:+.2f}, rule {ours:.3f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default=zoo.DEFAULT_RECOGNIZER)
    parser.add_argument("--detector", default="mtcnn")
    parser.add_argument("--cache", type=Path, default=default_path())
    arguments = parser.parse_args()
    kit = FaceKit(arguments.model, arguments.detector)
    known = {
        name for view in ("devtrain", "devtest") for name in lfw(arguments.data, view).people or ()
    }
    pictures = sorted((arguments.data / "images").rglob("*.jpg"))
    people = np.array([picture.parent.name for picture in pictures])
    protocol = all_pairs("LFW", list(map(str, pictures)), people.tolist(), most=1000)
    pipeline = Pipeline(kit.model_name, kit.detector_backend, flip=bool(kit.flip))
    made = Embeddings(protocol, [pipeline], Cache(arguments.cache))
    made.make(bar=True)
    vectors = made[pipeline].vectors
    usable = np.isfinite(vectors).all(1)
    vectors, people = vectors[usable], people[usable]
    vectors = distance.l2_normalize(vectors.astype(np.float64)).astype(np.float32)
    mine = np.isin(people, list(known))
    loose, strict = (kit.fitted_threshold("cosine", far, given=False).value for far in (1e-3, 1e-4))

    def show(name: str, where: str, limit: float, label: np.ndarray, true: np.ndarray) -> None:
        figures = " ".join(f"{k} {v:.4g}" for k, v in scores(label, true).items())
        print(f"{name:18} {where:7} n {len(true)} limit {limit:.4f} {figures}", flush=True)

    by_size(kit, vectors[mine], people[mine], loose, strict)
    for name, way in WAYS.items():
        tried = {}
        for step in STEPS if way is not hdbscan else [0]:
            limit = loose + step * (loose - strict)
            label = way(vectors[mine], limit)
            tried[limit] = scores(label, people[mine])["B3 F"], label
        show(name, "at 1e-3", loose, tried[loose][1], people[mine])
        best = max(tried, key=lambda limit: tried[limit][0])
        show(name, "View 1", best, tried[best][1], people[mine])
        show(name, "others", best, way(vectors[~mine], best), people[~mine])
    for where, some in (("View 1", mine), ("others", ~mine), ("all", mine | True)):
        limit = limit_of(kit, int(some.sum()), threshold=None, far=None).value
        show("rule", where, limit, average_linkage(vectors[some], limit), people[some])


if __name__ == "__main__":
    main()
