"""Measures against scikit-learn, against naive loops, and against fixed numbers."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_fscore_support, roc_auc_score, roc_curve

from facekit.benchmark import verification
from facekit.benchmark.protocol import Protocol, all_pairs
from facekit.benchmark.verification import (
    auc,
    best_threshold,
    by_group,
    cross_validated,
    distances,
    eer,
    figures,
    roc,
    tar_at,
    wilson,
)
from facekit.distance import METRICS, distance
from facekit.errors import InvalidArgument, UnknownName

EXACT = {"rtol": 0, "atol": 1e-12}

# ------------------------------------------------------------------ naive loops


def accepts(gap, threshold):
    return gap <= threshold  # False for NaN


def naive_rates(gaps, same, threshold):
    accepted = [accepts(gap, threshold) for gap in gaps]
    far = sum(a and not s for a, s in zip(accepted, same, strict=True)) / sum(not s for s in same)
    tar = sum(a and s for a, s in zip(accepted, same, strict=True)) / sum(same)
    return far, tar


def naive_curve(gaps, same):
    thresholds = [-np.inf, *sorted({gap for gap in gaps if gap == gap})]
    return [(*naive_rates(gaps, same, t), t) for t in thresholds]


def naive_auc(gaps, same):
    """Chance that a person is closer than a stranger; without a distance, a person is farthest."""
    mine = [gap for gap, s in zip(gaps, same, strict=True) if s]
    others = [gap for gap, s in zip(gaps, same, strict=True) if not s]
    won = 0.0
    for a in mine:
        for b in others:
            if a == a:
                won += 1 if b != b or a < b else 0.5 if a == b else 0
    return won / len(mine) / len(others)


def naive_eer(gaps, same):
    points = naive_curve(gaps, same)
    for (far, tar, _), (next_far, next_tar, _) in pairwise(points):
        if next_far >= 1 - next_tar:
            # far + w (next_far - far) = 1 - tar - w (next_tar - tar)
            w = (1 - tar - far) / (next_far - far + next_tar - tar)
            return far + w * (next_far - far)
    return 1 - points[-1][1]


def naive_tar_at(gaps, same, far):
    return max(tar for f, tar, _ in naive_curve(gaps, same) if f <= far)


def judged_right(gap, same, threshold):
    return gap == gap and accepts(gap, threshold) == same


def naive_best(gaps, same):
    """Every midpoint tried; the smallest of the best."""
    known = sorted({gap for gap in gaps if gap == gap})
    if not known:
        return float("nan"), 0.0
    ends = [known[0] - 1, *known, known[-1] + 1]
    best = (-1, None)
    for low, high in pairwise(ends):
        t = (low + high) / 2
        right = sum(judged_right(gap, s, t) for gap, s in zip(gaps, same, strict=True))
        if right > best[0]:
            best = (right, t)
    return best[1], best[0] / len(gaps)


def naive_folds(gaps, same, folds):
    thresholds, accuracies = [], []
    for k in range(max(folds) + 1):
        train = [i for i, fold in enumerate(folds) if fold != k]
        test = [i for i, fold in enumerate(folds) if fold == k]
        t, _ = naive_best([gaps[i] for i in train], [same[i] for i in train])
        thresholds.append(t)
        accuracies.append(sum(judged_right(gaps[i], same[i], t) for i in test) / len(test))
    return thresholds, accuracies


def some_pairs(seed, count=300, ties=True, failed=0.0):
    """Distances with many ties, labels, ten folds with both kinds in each."""
    random = np.random.default_rng(seed)
    same = np.tile([True, False, False], count // 3)
    gaps = random.normal(np.where(same, 0.5, 1.0), 0.25)
    if ties:
        gaps = gaps.round(1)
    gaps[random.random(count) < failed] = np.nan
    return gaps, same, np.arange(count) * 10 // count


CASES = [
    pytest.param(some_pairs(1, ties=False), id="distinct"),
    pytest.param(some_pairs(2), id="ties"),
    pytest.param(some_pairs(3, failed=0.1), id="ties, failures"),
    pytest.param(some_pairs(4, failed=0.7), id="mostly failures"),
]

# ------------------------------------------------------------------ scikit-learn


@pytest.mark.parametrize("ties", [False, True])
def test_the_curve_is_that_of_scikit_learn(ties):
    gaps, same, _ = some_pairs(5, ties=ties)
    far, tar, threshold = roc(gaps, same)
    theirs = roc_curve(same, -gaps, drop_intermediate=False)
    np.testing.assert_allclose(far, theirs[0], **EXACT)
    np.testing.assert_allclose(tar, theirs[1], **EXACT)
    np.testing.assert_allclose(-threshold, theirs[2], **EXACT)
    assert auc(roc(gaps, same)) == pytest.approx(roc_auc_score(same, -gaps), abs=1e-12)


def test_failures_are_to_scikit_learn_the_lowest_scores_with_persons_below_strangers():
    gaps, same, _ = some_pairs(6, failed=0.2)
    scores = np.where(np.isnan(gaps), np.where(same, -9.0, -8.0), -gaps)
    assert auc(roc(gaps, same)) == pytest.approx(roc_auc_score(same, scores), abs=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_precision_recall_and_f1_are_those_of_scikit_learn(case):
    gaps, same, folds = case
    row = figures(gaps, same, folds)
    accepted = cross_validated(gaps, same, folds).accepted
    theirs = precision_recall_fscore_support(same, accepted, average="binary")
    ours = [row["precision"], row["recall"], row["f1"]]
    np.testing.assert_allclose(ours, theirs[:3], **EXACT)


# ------------------------------------------------------------------ loops


@pytest.mark.parametrize("case", CASES)
def test_every_measure_is_that_of_a_loop(case):
    gaps, same, folds = case
    curve = roc(gaps, same)
    np.testing.assert_allclose(np.transpose(curve), naive_curve(gaps, same), **EXACT)
    assert auc(curve) == pytest.approx(naive_auc(gaps, same), abs=1e-12)
    assert eer(curve) == pytest.approx(naive_eer(gaps, same), abs=1e-12)
    for far in (0, 1e-4, 0.005, 0.1, 0.5, 1):
        assert tar_at(curve, far) == pytest.approx(naive_tar_at(gaps, same, far), abs=1e-12)
    assert best_threshold(gaps, same) == pytest.approx(naive_best(gaps, same), abs=1e-12)
    thresholds, accuracies = naive_folds(gaps, same, folds)
    verdicts = cross_validated(gaps, same, folds)
    np.testing.assert_allclose(verdicts.thresholds, thresholds, **EXACT)
    np.testing.assert_allclose(verdicts.accuracies, accuracies, **EXACT)

    row = figures(gaps, same, folds)
    assert row["accuracy"] == pytest.approx(np.mean(accuracies), abs=1e-12)
    error = np.std(accuracies, ddof=1) / np.sqrt(10)
    assert row["standard_error"] == pytest.approx(error, abs=1e-12)
    assert row["threshold"] == pytest.approx(np.mean(thresholds), abs=1e-12)
    assert (row["auc"], row["eer"]) == (auc(curve), eer(curve))
    assert [row[f"tar_1e-{k}"] for k in (1, 2, 3, 4)] == [
        tar_at(curve, 10**-k) for k in (1, 2, 3, 4)
    ]


few_values = st.one_of(st.integers(0, 4).map(float), st.just(float("nan")))
pairs_with_ties = st.lists(
    st.tuples(few_values, st.booleans(), st.integers(0, 2)), min_size=2, max_size=25
)


@given(pairs_with_ties)
@settings(deadline=None, max_examples=200)
def test_ties_and_failures_anywhere_are_counted_as_in_the_loops(pairs):
    gaps, same, folds = (np.array(column) for column in zip(*pairs, strict=True))
    threshold, accuracy = best_threshold(gaps, same)
    np.testing.assert_equal((threshold, accuracy), naive_best(gaps, same))
    if 0 < same.sum() < len(same):
        curve = roc(gaps, same)
        np.testing.assert_allclose(np.transpose(curve), naive_curve(gaps, same), **EXACT)
        assert auc(curve) == pytest.approx(naive_auc(gaps, same), abs=1e-12)
        assert eer(curve) == pytest.approx(naive_eer(gaps, same), abs=1e-12)
        for far in (0, 0.2, 0.5, 1):
            assert tar_at(curve, far) == pytest.approx(naive_tar_at(gaps, same, far), abs=1e-12)
    if set(folds) == {0, 1, 2}:
        thresholds, accuracies = naive_folds(gaps, same, folds)
        verdicts = cross_validated(gaps, same, folds)
        np.testing.assert_equal(verdicts.thresholds, thresholds)
        np.testing.assert_allclose(verdicts.accuracies, accuracies, **EXACT)


@given(pairs_with_ties, st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=100)
def test_the_order_of_the_pairs_changes_nothing(pairs, random):
    folds = np.arange(len(pairs)) % 2
    shuffled = list(zip(pairs, folds, strict=True))
    random.shuffle(shuffled)
    gaps, same = (np.array([pair[i] for pair in pairs]) for i in (0, 1))
    others = (np.array([pair[i] for pair, _ in shuffled]) for i in (0, 1))
    assert figures(gaps, same, folds) == figures(*others, np.array([fold for _, fold in shuffled]))


# ------------------------------------------------------------------ fixed numbers

# Three folds of eight pairs; one failure of each kind, ties across the kinds.
GAPS = np.array(
    [
        *(0.10, 0.25, 0.40, 0.55, 0.50, 0.70, 0.90, 0.95),
        *(0.20, 0.30, 0.62, np.nan, 0.40, 0.60, 0.80, 1.00),
        *(0.15, 0.35, 0.45, 0.65, 0.45, np.nan, 0.75, 0.85),
    ]
)
SAME = np.tile(np.repeat([True, False], 4), 3)
FOLDS = np.repeat([0, 1, 2], 8)
# Worked out with the loops above, the counts by hand as well.
GOLDEN = {
    "pairs": 24,
    "failed_pairs": 2,
    "accuracy": 16 / 24,
    "standard_error": 1 / 24,
    "accuracy_low": 0.46706316838131745,
    "accuracy_high": 0.8202780967270223,
    "threshold": (0.375 + 0.675 + 0.35) / 3,
    "precision": 7 / 9,
    "recall": 7 / 12,
    "f1": 14 / 21,
    "auc": 119 / 144,
    "eer": 0.25,
    "tar_1e-1": 7 / 12,
    "tar_1e-2": 6 / 12,
    "tar_1e-3": 6 / 12,
    "tar_1e-4": 6 / 12,
    "far_resolution": 1 / 12,
}


def differs(row):
    return {key for key in GOLDEN if row[key] != pytest.approx(GOLDEN[key], abs=1e-12)}


def test_the_fixed_pairs_give_the_fixed_numbers():
    row = figures(GAPS, SAME, FOLDS)
    assert list(row) == list(GOLDEN)
    assert differs(row) == set()


@pytest.mark.parametrize(("i", "j"), [(2, 13), (0, 20), (1, 18)])
def test_a_planted_wrong_fold_changes_the_numbers(i, j):
    folds = FOLDS.copy()
    folds[[i, j]] = folds[[j, i]]
    assert {"accuracy", "standard_error", "threshold"} <= differs(figures(GAPS, SAME, folds))


def test_left_out_folds_change_the_numbers():
    assert {"standard_error", "threshold"} <= differs(figures(GAPS, SAME))


@pytest.mark.parametrize("i", range(24))
def test_a_wrong_label_changes_the_numbers(i):
    same = SAME.copy()
    same[i] = not same[i]
    assert {"far_resolution", "auc"} <= differs(figures(GAPS, same, FOLDS))


def test_shuffled_labels_change_the_numbers():
    shuffled = np.random.default_rng(0).permutation(SAME)
    assert {"accuracy", "auc", "eer"} <= differs(figures(GAPS, shuffled, FOLDS))
    gaps, same, folds = some_pairs(8, 3000)
    row = figures(gaps, np.random.default_rng(1).permutation(same), folds)
    assert row["auc"] == pytest.approx(0.5, abs=0.05)
    assert row["eer"] == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("i", range(24))
def test_a_duplicated_pair_changes_the_numbers(i):
    again = np.append(np.arange(24), i)
    changed = differs(figures(GAPS[again], SAME[again], FOLDS[again]))
    assert {"pairs", "accuracy", "accuracy_low"} <= changed


def test_a_threshold_is_not_fitted_on_its_own_fold():
    # Fold 0 alone would put the line at 0.2, fold 1 alone at 0.8.
    gaps = np.array([0.1, 0.3, 0.1, 0.3, 0.7, 0.9, 0.7, 0.9])
    same = np.tile([True, False], 4)
    verdicts = cross_validated(gaps, same, np.repeat([0, 1], 4))
    np.testing.assert_allclose(verdicts.thresholds, [0.8, 0.2])
    assert verdicts.accepted.tolist() == [True] * 4 + [False] * 4
    assert verdicts.accuracies.tolist() == [0.5, 0.5]


# ------------------------------------------------------------------ conventions


def test_tar_never_exceeds_the_rate_asked_for():
    gaps = np.array([1, 2, 2, 3, 3, 4.0])
    same = np.array([True, True, False, False, False, False])
    curve = roc(gaps, same)
    assert tar_at(curve, 0) == 0.5
    assert tar_at(curve, 0.2499) == 0.5
    assert tar_at(curve, 0.25) == 1
    with pytest.raises(InvalidArgument):
        tar_at(curve, 1.5)


def test_a_rate_that_is_a_whole_number_of_strangers_is_used_up():
    for count in (1000, 3000, 7000, 49000):
        gaps = np.concatenate([np.arange(count), np.arange(count) - 0.5])
        same = np.arange(2 * count) >= count
        assert tar_at(roc(gaps, same), 1e-3) * count == pytest.approx(count // 1000 + 1)


def test_eer_lies_between_two_points():
    # (0, 0.5) -> (0.5, 1): misses 0.5 -> 0, so the lines cross at a quarter.
    assert eer(roc(np.array([1, 2, 2, 3.0]), np.array([True, True, False, False]))) == 0.25


@pytest.mark.parametrize(
    ("same", "threshold", "accuracy"),
    [
        ([True, False], 0.4, 1),
        ([True, True], 1.1, 1),
        ([False, False], -0.3, 1),
        ([False, True], -0.3, 0.5),
    ],
)
def test_best_threshold_takes_the_middle_and_the_smallest(same, threshold, accuracy):
    found = best_threshold(np.array([0.2, 0.6]), np.array(same))
    assert found == pytest.approx((threshold, accuracy))


def test_best_threshold_between_neighbouring_numbers_accepts_only_the_lower():
    low = 0.3
    for _ in range(4):
        high = np.nextafter(low, 1)
        threshold, accuracy = best_threshold(np.array([low, high]), np.array([True, False]))
        assert (low <= threshold < high, accuracy) == (True, 1)
        low = high


@pytest.mark.filterwarnings("error")
def test_failures_are_wrong_whatever_the_threshold():
    gaps = np.array([0.1, np.nan, 0.9, np.nan])
    same = np.array([True, True, False, False])
    assert best_threshold(gaps, same) == (0.5, 0.5)
    row = figures(gaps, same)
    assert (row["failed_pairs"], row["accuracy"], row["recall"], row["precision"]) == (
        2,
        0.5,
        0.5,
        1,
    )
    assert (row["auc"], row["eer"], row["tar_1e-1"]) == (0.5, 0.5, 0.5)
    nothing = figures(np.full(4, np.nan), same, np.array([0, 1, 0, 1]))
    assert (nothing["accuracy"], nothing["threshold"], nothing["f1"]) == (0, None, 0)
    assert (nothing["auc"], nothing["eer"], nothing["tar_1e-1"]) == (0, 1, 0)


def test_what_one_kind_of_pairs_cannot_tell_is_none():
    gaps = np.array([0.1, 0.2])
    row = figures(gaps, np.array([True, True]))
    assert (row["recall"], row["auc"], row["tar_1e-3"], row["far_resolution"]) == (
        1,
        None,
        None,
        None,
    )
    row = figures(gaps, np.array([False, False]))
    assert (row["recall"], row["precision"], row["far_resolution"]) == (None, 0, 0.5)
    with pytest.raises(InvalidArgument, match="pairs of strangers"):
        roc(gaps, np.array([True, True]))


@pytest.mark.parametrize(("confidence", "z"), [(0.95, 1.959964), (0.99, 2.575829)])
def test_wilsons_bounds_are_where_the_observed_part_is_z_deviations_away(confidence, z):
    for successes, n in ((9, 10), (5959, 6000), (1, 3)):
        for bound in wilson(successes, n, confidence):
            deviation = np.sqrt(bound * (1 - bound) / n)
            assert abs(successes / n - bound) == pytest.approx(z * deviation, rel=1e-6)


def test_wilsons_interval_stays_within_0_and_1():
    for n in (1, 7, 10, 6000):
        assert 0 <= wilson(0, n)[0] < 1e-15
        assert 1 - 1e-15 < wilson(n, n)[1] <= 1
    assert wilson(0, 0) == (0, 1)
    low, high = wilson(9, 10)
    assert low < 0.9 < high


# ------------------------------------------------------------------ distances


def protocol_of(count):
    return all_pairs("folder", range(count), [str(i // 3) for i in range(count)])


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("step", [1, 16, 1000])
@pytest.mark.parametrize("kept", [1, 60])
@pytest.mark.filterwarnings("error")
def test_distances_are_those_of_the_metric(monkeypatch, metric, step, kept):
    monkeypatch.setattr(verification, "_CHUNK", step * 16)
    random = np.random.default_rng(2)
    vectors = random.standard_normal((45, 16)).astype(np.float32)
    vectors[3], vectors[7], vectors[8] = np.nan, 0, vectors[9]
    every = protocol_of(45)
    # All pairs, or few, in any order and direction.
    chosen = random.permutation(every.pairs)[: every.pairs // kept]
    turned = random.random(len(chosen)) < 0.5
    first, second = every.first[chosen], every.second[chosen]
    first, second = np.where(turned, second, first), np.where(turned, first, second)
    protocol = Protocol("some", every.pictures, first, second, every.same[chosen])
    found = distances(vectors, protocol, metric)
    assert (found.dtype, found.shape) == (np.float64, (len(chosen),))
    missing = (first == 3) | (second == 3)
    np.testing.assert_array_equal(np.isnan(found), missing)
    expected = distance(vectors[first], vectors[second], metric)
    # The arc cosine makes 1e-8 of the rounding of 1 - 1e-16.
    np.testing.assert_allclose(
        found[~missing], expected[~missing], rtol=0, atol=3e-8 if metric == "angular" else 1e-12
    )


@pytest.mark.parametrize("dense", [True, False])
def test_distances_need_little_memory(dense):
    vectors = np.random.default_rng(0).standard_normal((1500, 512)).astype(np.float32)
    protocol = protocol_of(1500)
    if not dense:
        some = slice(0, protocol.pairs, 40)
        chosen = (protocol.first[some], protocol.second[some], protocol.same[some])
        protocol = Protocol("some", protocol.pictures, *chosen)
    tracemalloc.start()
    distances(vectors, protocol, "euclidean_l2")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6  # all pairs gathered at once would be 9 GB, and 230 MB


def test_distances_need_one_vector_for_each_picture_and_a_metric():
    with pytest.raises(InvalidArgument, match="9 pictures"):
        distances(np.zeros((8, 4)), protocol_of(9))
    with pytest.raises(InvalidArgument, match="9 pictures"):
        distances(np.zeros(9), protocol_of(9))
    with pytest.raises(UnknownName):
        distances(np.zeros((9, 4)), protocol_of(9), "cosin")


# ------------------------------------------------------------------ groups


def test_a_group_has_the_pairs_whose_both_pictures_are_of_it():
    random = np.random.default_rng(3)
    people = [str(i // 4) for i in range(60)]
    groups = ["x" if int(person) < 9 else "y" for person in people]
    groups[0] = "z"  # alone, and apart from the other pictures of its person
    every = all_pairs("folder", range(60), people, groups=groups)
    folds = np.arange(every.pairs) % 2
    protocol = Protocol(
        "folder", every.pictures, every.first, every.second, every.same, folds, groups=tuple(groups)
    )
    gaps = random.normal(np.where(protocol.same, 0.5, 1.0), 0.3).round(1)
    gaps[::17] = np.nan
    rows = by_group(gaps, protocol)
    assert list(rows) == ["x", "y"]
    everybody = cross_validated(gaps, protocol.same, folds)
    for group, row in rows.items():
        own = np.array(
            [
                groups[i] == groups[j] == group
                for i, j in zip(protocol.first, protocol.second, strict=True)
            ]
        )
        alone = figures(gaps[own], protocol.same[own], folds[own])
        for key in ("pairs", "failed_pairs", "auc", "eer", "tar_1e-1", "far_resolution"):
            assert row[key] == alone[key]
        # Judged by the thresholds of all.
        assert row["threshold"] == everybody.thresholds.mean()
        assert row["accuracy"] == everybody.right[own].mean()
        both = [everybody.right[own & (folds == k)].mean() for k in (0, 1)]
        assert row["standard_error"] == pytest.approx(np.std(both, ddof=1) / np.sqrt(2))
        assert row["recall"] == everybody.accepted[own & protocol.same].mean()
    assert rows["x"]["pairs"] == 35 * 34 // 2


def test_without_groups_there_are_none():
    protocol = protocol_of(9)
    assert by_group(np.linspace(0, 1, protocol.pairs), protocol) == {}
