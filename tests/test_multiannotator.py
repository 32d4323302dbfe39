"""`activelab.multiannotator` against the recorded outputs of cleanlab 2.6.4, and its manners."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from activelab import multiannotator as ma

MATRIX = np.array([[0, 0, np.nan], [1, 1, 0], [1, np.nan, 1], [0, 1, np.nan]])
PROBS = np.array([[0.9, 0.1], [0.3, 0.7], [0.2, 0.8], [0.6, 0.4]])


def scores(pair):
    return dict(zip(("labeled", "unlabeled"), pair, strict=True))


def quality(info):
    stats = info["annotator_stats"].sort_index()
    return {
        **{name: info["label_quality"][name] for name in info["label_quality"]},
        **{name: stats[name] for name in stats},
        "detailed": info["detailed_label_quality"],
        "model_weight": info["model_weight"],
        "annotator_weight": info["annotator_weight"],
    }


def single(**options):
    def call(L, P, U):
        return quality(
            ma.get_label_quality_multiannotator(L, P[0], return_weights=True, verbose=False, **options)
        )

    return call


def ensemble(**options):
    def call(L, P, U):
        return quality(
            ma.get_label_quality_multiannotator_ensemble(L, P, return_weights=True, verbose=False, **options)
        )

    return call


CALLS = {
    "al": lambda L, P, U: scores(ma.get_active_learning_scores(L, P[0], U[0])),
    "al_labeled_only": lambda L, P, U: scores(ma.get_active_learning_scores(L, P[0])),
    "al_unlabeled_only": lambda L, P, U: scores(ma.get_active_learning_scores(pred_probs_unlabeled=U[0])),
    "al_ens": lambda L, P, U: scores(ma.get_active_learning_scores_ensemble(L, P, U)),
    "al_ens_unlabeled_only": lambda L, P, U: scores(
        ma.get_active_learning_scores_ensemble(pred_probs_unlabeled=U)
    ),
    "lq": single(),
    "lq_cal": single(calibrate_probs=True),
    "lq_mv": single(consensus_method="majority_vote"),
    "lq_ens": ensemble(),
    "lq_ens_cal": ensemble(calibrate_probs=True),
    "mv": lambda L, P, U: {"label": ma.get_majority_vote_label(L, verbose=False)},
    "mv_pp": lambda L, P, U: {"label": ma.get_majority_vote_label(L, P[0], verbose=False)},
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.filterwarnings("ignore:Annotators do not agree")
def test_numbers_agree_with_the_reference(golden, call):
    inputs = np.load(golden / "inputs.npz")
    expected = np.load(golden / "outputs_cleanlab_2_6_4.npz")
    compared = 0
    for case in dict.fromkeys(name.split("/")[0] for name in inputs.files):
        L, P, U = (inputs[f"{case}/{part}"] for part in "LPU")
        uniform = np.ptp(P, axis=2).max(axis=1) == 0
        if call in ("al", "al_ens") and uniform[: 1 if call == "al" else None].any():
            continue  # the loss is flat: rounding noise picks the reference's temperature
        if f"{case}/{call}/random_tie" in expected.files and expected[f"{case}/{call}/random_tie"]:
            continue
        if f"{case}/{call}/error" in expected.files:
            with pytest.raises(ValueError, match=r"one label|one column"):
                CALLS[call](L, P, U)
            continue
        before = [array.copy() for array in (L, P, U)]
        result = CALLS[call](L, P, U)
        for old, new in zip(before, (L, P, U), strict=True):
            np.testing.assert_array_equal(old, new)
        for field, value in result.items():
            reference = expected[f"{case}/{call}/{field}"]
            np.testing.assert_allclose(
                np.asarray(value, float), reference, rtol=0, atol=1e-9, err_msg=f"{case} {field}"
            )
            compared += 1
    assert compared >= 30


def test_dataframes_keep_their_ids():
    frame = pd.DataFrame(MATRIX, index=["a", "b", "c", "d"], columns=["ann", "bob", "cy"])
    info = ma.get_label_quality_multiannotator(frame, PROBS, return_weights=True)
    assert list(info) == [
        "label_quality",
        "detailed_label_quality",
        "annotator_stats",
        "model_weight",
        "annotator_weight",
    ]
    assert info["label_quality"].columns.tolist() == [
        "consensus_label",
        "consensus_quality_score",
        "annotator_agreement",
        "num_annotations",
    ]
    assert info["label_quality"].index.tolist() == ["a", "b", "c", "d"]
    names = [f"quality_annotator_{name}" for name in ("ann", "bob", "cy")]
    assert info["detailed_label_quality"].columns.tolist() == names
    stats = info["annotator_stats"]
    assert stats.columns.tolist() == [
        "annotator_quality",
        "agreement_with_consensus",
        "worst_class",
        "num_examples_labeled",
    ]
    assert sorted(stats.index) == ["ann", "bob", "cy"]
    assert (np.diff(stats.annotator_quality.dropna()) >= 0).all()
    assert isinstance(info["model_weight"], float)
    assert info["label_quality"].consensus_label.dtype == np.int64


@pytest.mark.parametrize(
    "matrix",
    [
        pd.DataFrame(MATRIX),
        pd.DataFrame(MATRIX).convert_dtypes(),
        pd.DataFrame(MATRIX).astype(object).where(~np.isnan(MATRIX), pd.NA),
        np.asfortranarray(MATRIX),
        np.where(np.isnan(MATRIX), None, MATRIX.astype(object)),
    ],
)
def test_any_form_of_the_matrix_gives_the_same(matrix):
    expected = ma.get_active_learning_scores(MATRIX, PROBS, PROBS)
    result = ma.get_active_learning_scores(matrix, PROBS, PROBS)
    np.testing.assert_array_equal(result[0], expected[0])
    np.testing.assert_array_equal(result[1], expected[1])


def test_lists_of_consensus_methods_add_columns():
    both = ["majority_vote", "best_quality"]
    table = ma.get_label_quality_multiannotator(MATRIX, PROBS, consensus_method=both)["label_quality"]
    assert table.columns.tolist() == [
        "consensus_label",
        "consensus_quality_score",
        "annotator_agreement",
        "num_annotations",
        "consensus_label_best_quality",
        "consensus_quality_score_best_quality",
        "annotator_agreement_best_quality",
    ]


def test_quality_by_agreement():
    info = ma.get_label_quality_multiannotator(MATRIX, PROBS, quality_method="agreement")
    table = info["label_quality"]
    np.testing.assert_allclose(table.consensus_quality_score, [1, 2 / 3, 1, 0.5])
    assert info["detailed_label_quality"].iloc[1, 2] == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match="weights exist only"):
        ma.get_label_quality_multiannotator(MATRIX, PROBS, quality_method="agreement", return_weights=True)


@pytest.mark.parametrize("method", ["normalized_margin", "confidence_weighted_entropy"])
def test_other_scores(method):
    plain = ma.get_label_quality_multiannotator(MATRIX, PROBS)["label_quality"]
    options = {"label_quality_score_kwargs": {"method": method}}
    other = ma.get_label_quality_multiannotator(MATRIX, PROBS, **options)["label_quality"]
    assert (plain.consensus_label == other.consensus_label).all()
    assert other.consensus_quality_score.between(0, 1).all()
    if method == "normalized_margin":
        # With two classes the margin is p - (1 - p), moved to 0..1.
        np.testing.assert_allclose(other.consensus_quality_score, plain.consensus_quality_score)
    with pytest.raises(ValueError, match="adjust_pred_probs"):
        ma.get_label_quality_multiannotator(
            MATRIX, PROBS, label_quality_score_kwargs={"adjust_pred_probs": True}
        )


BAD = {
    "not a table": ([[0, 1]], PROBS, ValueError, "numpy array or a pandas DataFrame"),
    "one dimension": (MATRIX[:, 0], PROBS, ValueError, "two dimensions"),
    "text": (MATRIX.astype(object).astype(str).astype(object), PROBS, ValueError, "not text"),
    "empty row": (np.vstack([MATRIX, [[np.nan] * 3]]), PROBS, ValueError, "rows of NaN: 4"),
    "empty column": (np.c_[MATRIX, [np.nan] * 4], PROBS, ValueError, "columns 3 are all NaN"),
    "fraction": (MATRIX + 0.5, PROBS, ValueError, "must be integers"),
    "negative": (MATRIX - 1, PROBS, ValueError, "negative"),
    "no array": (MATRIX, PROBS.tolist(), TypeError, "numpy array"),
    "three dimensions": (MATRIX, PROBS[None], ValueError, "2d array, got 3d"),
    "short": (MATRIX, PROBS[:3], ValueError, "same length"),
    "too few classes": (MATRIX + 1, PROBS, ValueError, "at least 3 columns"),
    "nan": (MATRIX, np.where(PROBS > 0.8, np.nan, PROBS), ValueError, "NaN"),
    "sum": (MATRIX, PROBS * 2, ValueError, "probabilities lie between|sums to"),
}


@pytest.mark.parametrize(("matrix", "probs", "error", "message"), BAD.values(), ids=BAD)
def test_bad_input_raises(matrix, probs, error, message):
    for call in (ma.get_label_quality_multiannotator, ma.get_active_learning_scores):
        with pytest.raises(error, match=message):
            call(matrix, probs)


def test_bad_calls_raise():
    with pytest.raises(ValueError, match="cannot both be None"):
        ma.get_active_learning_scores()
    with pytest.raises(ValueError, match="needs labels_multiannotator"):
        ma.get_active_learning_scores(pred_probs=PROBS)
    with pytest.raises(ValueError, match="same number of classes"):
        ma.get_active_learning_scores(MATRIX, PROBS, np.ones((2, 1)))
    with pytest.raises(ValueError, match="3d array"):
        ma.get_label_quality_multiannotator_ensemble(MATRIX, PROBS)
    with pytest.raises(ValueError, match="consensus_method must be one of"):
        ma.get_label_quality_multiannotator(MATRIX, PROBS, consensus_method="best")
    with pytest.raises(ValueError, match="quality_method must be one of"):
        ma.get_label_quality_multiannotator(MATRIX, PROBS, quality_method="best")


def test_disagreement_everywhere_warns():
    with pytest.warns(UserWarning, match="do not agree on any example"):
        ma.get_label_quality_multiannotator(np.array([[0, 1], [1, 0]]), PROBS[:2])


def test_verbose_prints_what_was_lost(capsys):
    matrix = np.array([[0, 0, 1, np.nan], [0, 0, 0, np.nan], [np.nan, np.nan, np.nan, 0]])
    ma.get_majority_vote_label(matrix)
    assert "no consensus label by 'majority_vote' is of class 1" in capsys.readouterr().out
    ma.get_label_quality_multiannotator(matrix, PROBS[:3])
    assert "Annotators 3 share no example" in capsys.readouterr().out
    ma.get_label_quality_multiannotator(matrix, PROBS[:3], verbose=False)
    assert capsys.readouterr().out == ""


def test_random_ties_leave_the_global_state_alone():
    matrix = np.array([[0, 1], [1, 0], [0, 1]])
    state = np.random.get_state()[1].copy()
    one, two = (ma.get_majority_vote_label(matrix, verbose=False) for _ in range(2))
    assert (one == two).all()
    assert (np.random.get_state()[1] == state).all()


def test_no_unlabelled_examples_is_no_error():
    labeled, unlabeled = ma.get_active_learning_scores_ensemble(
        MATRIX, np.stack([PROBS, PROBS]), np.empty((2, 0, 2))
    )
    assert (len(labeled), len(unlabeled)) == (4, 0)


def test_single_annotator_active_learning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        labeled, _ = ma.get_active_learning_scores(np.array([[0], [1], [1], [0]]), PROBS)
    np.testing.assert_allclose(labeled, (2 * np.array([0.9, 0.7, 0.8, 0.6]) + 0.5) / 3)


def test_long_to_wide():
    long = pd.DataFrame({"task": ["b", "a", "b"], "annotator": [2, 1, 1], "label": [0, 1, 1], "x": 0})
    wide = ma.convert_long_to_wide_dataset(long)
    assert wide.index.tolist() == ["a", "b"]
    assert wide.columns.tolist() == [1, 2]
    assert (wide.index.name, wide.columns.name) == (None, None)
    assert wide.loc["b"].tolist() == [1, 0]
    with pytest.raises(ValueError, match="duplicate"):
        ma.convert_long_to_wide_dataset(pd.concat([long, long]))


def test_scores_of_sets_are_the_mean_over_the_classes():
    rng = np.random.default_rng(0)
    labels = (rng.random((30, 3, 4)) < 0.4).astype(float)
    labels[rng.random((30, 3)) < 0.2] = np.nan
    labels[:, 0] = np.nan_to_num(labels[:, 0])
    pred_probs, unlabeled = rng.uniform(0.05, 0.95, (2, 30, 4))
    found = ma.get_active_learning_scores(labels, pred_probs, unlabeled, multi_label=True)
    of_class = [
        ma.get_active_learning_scores(
            labels[:, :, c],
            np.stack([1 - pred_probs[:, c], pred_probs[:, c]], axis=1),
            np.stack([1 - unlabeled[:, c], unlabeled[:, c]], axis=1),
        )
        for c in range(4)
    ]
    for part in (0, 1):
        assert np.allclose(found[part], np.mean([one[part] for one in of_class], axis=0))
    lists = [[None if np.isnan(one[0]) else np.flatnonzero(one).tolist() for one in row] for row in labels]
    frame = pd.DataFrame(lists, columns=["a", "b", "c"])
    for given in (lists, frame):
        again = ma.get_active_learning_scores(given, pred_probs, multi_label=True)
        assert np.array_equal(again[0], found[0])
    ensemble = ma.get_active_learning_scores_ensemble(
        labels, np.stack([pred_probs, unlabeled]), multi_label=True
    )
    assert ensemble[0].shape == (30,)
    only = ma.get_active_learning_scores(pred_probs_unlabeled=unlabeled, multi_label=True)
    assert np.allclose(only[1], found[1], atol=0.2)


def test_sets_and_probabilities_must_have_the_same_classes():
    with pytest.raises(ValueError, match="labels have 3 classes, pred_probs 2"):
        ma.get_active_learning_scores(np.zeros((2, 2, 3)), np.full((2, 2), 0.5), multi_label=True)
    with pytest.raises(ValueError, match="cannot both be None"):
        ma.get_active_learning_scores(multi_label=True)
