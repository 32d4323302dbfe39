"""multilabel_consensus: sets by loss, what classes share, honesty, annotators, errors."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier

import activelab as al
from activelab import InputError, LabelSets
from activelab.multilabel import check_multilabel_probs


def crowd(seed, *, n_examples=400, n_annotators=8, answers=3, rates=(0.05, 0.15, 0.3, 0.5), care=1.0):
    """Truth, answers of people who err independently, and how often each says yes where a class applies."""
    rng = np.random.default_rng(seed)
    truth = rng.random((n_examples, len(rates))) < np.array(rates)
    hit = 1 / (1 + np.exp(-(1.2 + rng.normal(0, care, (n_annotators, 1)) + np.zeros(len(rates)))))
    alarm = np.full((n_annotators, len(rates)), 0.05)
    who = np.argsort(rng.random((n_examples, n_annotators)), axis=1)[:, :answers]
    example, annotator = np.repeat(np.arange(n_examples), answers), who.reshape(-1)
    chance = np.where(truth[example], hit[annotator], alarm[annotator])
    sets = LabelSets(
        example,
        annotator,
        rng.random(chance.shape) < chance,
        examples=n_examples,
        annotators=n_annotators,
        classes=list("abcdefgh")[: len(rates)],
    )
    return truth, sets, hit


def f1(truth, chosen):
    both = (truth & chosen).sum(axis=0)
    return float((2 * both / (truth.sum(axis=0) + chosen.sum(axis=0))).mean())


def test_more_answers_are_right_than_by_majority():
    errors = np.zeros(2)
    for seed in range(4):
        truth, sets, _ = crowd(seed)
        vote = al.majority_vote(sets.pairs).label.reshape(truth.shape) == 1
        errors += [(vote != truth).mean(), (al.multilabel_consensus(sets).chosen != truth).mean()]
    assert errors[1] < 0.95 * errors[0]


def test_the_f1_loss_gives_the_larger_f1():
    scores = np.zeros(3)
    for seed in range(4):
        truth, sets, _ = crowd(seed, answers=2)
        vote = al.majority_vote(sets.pairs).label.reshape(truth.shape) == 1
        by_loss = [al.multilabel_consensus(sets, loss=loss).chosen for loss in ("hamming", "f1")]
        scores += [f1(truth, vote), *(f1(truth, one) for one in by_loss)]
    assert scores[2] > scores[1]
    assert scores[2] > scores[0]


def test_what_is_stated_is_true():
    apart = []
    for seed in range(3):
        for answers in (1, 2, 4):
            truth, sets, _ = crowd(seed, answers=answers)
            result = al.multilabel_consensus(sets)
            apart.append(np.nanmean(result.quality) - (result.chosen == truth).mean())
    assert np.abs(np.mean(apart)) < 0.03
    assert np.abs(apart).max() < 0.05


def test_people_are_ranked_by_how_often_they_see_what_is_there():
    _, sets, hit = crowd(3, n_examples=600, care=1.5)
    table = al.multilabel_consensus(sets).annotators
    assert np.corrcoef(table.sensitivity, hit[:, 0])[0, 1] > 0.8
    assert np.abs(table.specificity - 0.95).max() < 0.06


def test_a_rare_class_borrows_from_the_others():
    """Somebody who misses most of what is there is known for it also where they have said next to nothing."""
    rng = np.random.default_rng(0)
    truth = rng.random((500, 4)) < [0.4, 0.4, 0.4, 0.02]
    blind = np.arange(4) == 0
    hit = np.where(blind, 0.2, 0.9)[:, None]
    chosen = rng.random((500, 4, 4)) < np.where(truth[:, None], hit, 0.03)
    sets = LabelSets(
        np.repeat(np.arange(500), 4),
        np.tile(np.arange(4), 500),
        chosen.reshape(-1, 4),
        examples=500,
        annotators=4,
        classes=4,
    )
    of_class = al.multilabel_consensus(sets).annotators.of_class
    rare = of_class["class"] == 3
    sensitivity = of_class["sensitivity"][rare]
    assert sensitivity[0] < 0.6 < sensitivity[1:].min()


@given(st.integers(0, 50), st.permutations(range(3)))
@settings(max_examples=10, deadline=None)
def test_neither_the_order_of_answers_nor_of_classes_matters(seed, order):
    _, sets, _ = crowd(seed, n_examples=40, n_annotators=4, rates=(0.1, 0.3, 0.5))
    whole = al.multilabel_consensus(sets)
    shuffled = np.random.default_rng(seed).permutation(sets.n_answers)
    again = LabelSets(
        sets.example[shuffled],
        sets.annotator[shuffled],
        sets.chosen[shuffled][:, order],
        examples=sets.examples,
        annotators=sets.annotators,
        classes=sets.classes[order],
    )
    assert np.allclose(al.multilabel_consensus(again).posterior, whole.posterior[:, order], atol=1e-9)


def test_answers_given_class_by_class_count_as_those_given_at_once():
    _, sets, _ = crowd(1, n_examples=60)
    single = LabelSets(
        np.repeat(sets.example, 4),
        np.repeat(sets.annotator, 4),
        (sets.chosen[:, None, :] & np.eye(4, dtype=bool)).reshape(-1, 4),
        asked=np.tile(np.eye(4, dtype=bool), (sets.n_answers, 1)),
        examples=sets.examples,
        annotators=sets.annotators,
        classes=sets.classes,
    )
    assert np.array_equal(al.multilabel_consensus(single).posterior, al.multilabel_consensus(sets).posterior)


def test_copies_count_for_less_than_two_voices():
    truth, sets, _ = crowd(5, n_annotators=5, answers=5, n_examples=300)
    frame = sets.to_long()
    copy = frame[frame["annotator"] == 0].assign(annotator=9)
    both = pd.concat([frame, copy])
    more = LabelSets.from_long(both["example"], both["annotator"], both["label"], sets.classes)
    result = al.multilabel_consensus(more)
    voice = result.annotators.voice
    assert voice[[0, -1]].max() < 0.7
    assert voice[1:-1].min() > 0.95
    assert any("agree with each other beyond" in note for note in result.notes)
    assert (result.chosen == truth).mean() > 0.9


def test_models_are_a_prior_and_examples_without_answers_have_it():
    truth, sets, _ = crowd(2, answers=1)
    rng = np.random.default_rng(0)
    logit = 2 * (truth - 0.5) + rng.normal(0, 1, truth.shape) + np.log([0.05, 0.15, 0.3, 0.5])
    pred_probs = 1 / (1 + np.exp(-logit))
    some = sets.select(answers=sets.example % 2 == 0)
    plain, helped = al.multilabel_consensus(some), al.multilabel_consensus(some, pred_probs)
    given = some.labelled
    assert (helped.chosen == truth)[given].mean() > (plain.chosen == truth)[given].mean()
    assert np.isnan(helped.quality[~given]).all()
    assert not helped.chosen[~given].any()
    assert helped.label_sets[1] is None
    there = truth[~given]
    assert helped.posterior[~given][there].mean() > 2 * helped.posterior[~given][~there].mean()


def test_a_model_that_knows_nothing_costs_no_f1():
    scores = np.zeros(2)
    for seed in range(3):
        truth, sets, _ = crowd(seed, answers=1)
        rate = np.array([sets.of_class(code).label.mean() for code in range(4)])
        noise = 2 * np.random.default_rng(seed).standard_normal(truth.shape)
        probs = 1 / (1 + np.exp(-(np.log(rate / (1 - rate)) + noise)))
        scores += [
            f1(truth, al.multilabel_consensus(sets, one, loss="f1").chosen) / 3 for one in (None, probs)
        ]
    assert scores[1] > scores[0] - 0.01


def test_known_answers_stand_and_teach():
    truth, sets, _ = crowd(4)
    known = np.full(truth.shape, -1)
    known[:20] = truth[:20]
    result = al.multilabel_consensus(sets, known=known)
    assert (result.chosen[:20] == truth[:20]).all()
    assert (result.quality[:20] == 1).all()


def test_what_multi_label_classifiers_predict_is_taken():
    truth, sets, _ = crowd(0, n_examples=80, rates=(0.3, 0.5, 0.4))
    X = truth + np.random.default_rng(0).normal(0, 0.5, truth.shape)
    several = MultiOutputClassifier(LogisticRegression()).fit(X, truth).predict_proba(X)
    matrix = np.stack([one[:, 1] for one in several], axis=1)
    by_list, by_matrix = (al.multilabel_consensus(sets, one) for one in (several, matrix))
    assert np.array_equal(by_list.posterior, by_matrix.posterior)
    frame = pd.DataFrame(matrix, columns=sets.classes)
    frame["example"] = sets.examples
    by_frame = al.multilabel_consensus(sets, frame.sample(frac=1, random_state=0))
    assert np.array_equal(by_frame.posterior, by_matrix.posterior)
    chain = ClassifierChain(LogisticRegression()).fit(X, truth).predict_proba(X)
    ensemble = al.multilabel_consensus(sets, np.stack([matrix, chain]))
    assert np.isfinite(ensemble.posterior).all()


def test_tables_hold_sets_as_texts():
    sets = LabelSets.from_lists([["a|b", "a|b", "b"], ["|", "|", "|"], [None, None, None]])
    result = al.multilabel_consensus(sets)
    columns = result.to_dict()
    assert columns["example"].tolist() == [0, 1]
    assert columns["consensus_label"].tolist() == ["a|b", "|"]
    assert columns["num_labels"].tolist() == [3, 3]
    assert len(result.to_frame()) == 2
    assert result.agreement[0] == pytest.approx(5 / 6)
    assert result.annotators.to_frame()["num_labels"].tolist() == [2, 2, 2]
    assert "a|b" in result._repr_html_()


def test_no_answers_and_no_models_leave_nothing_stated():
    sets = LabelSets([], [], np.empty((0, 2), bool), examples=3, annotators=1, classes=["a", "b"])
    result = al.multilabel_consensus(sets)
    assert np.isfinite(result.posterior).all()
    assert np.isnan(result.quality).all()
    assert result.label_sets == [None] * 3


SETS = LabelSets.from_lists([["a|b", "a"], ["b", "|"]])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: al.multilabel_consensus(SETS, loss="f2"), "unknown loss 'f2'. Did you mean 'f1'"),
        (lambda: al.multilabel_consensus(SETS, [[0.5, 1.2], [0, 0]]), "holds 1.2; probabilities lie between"),
        (lambda: al.multilabel_consensus(SETS, [[0.5, np.nan], [0, 0]]), "holds nan"),
        (lambda: al.multilabel_consensus(SETS, np.zeros((3, 2))), "pred_probs has 3 rows, the pool 2"),
        (lambda: al.multilabel_consensus(SETS, np.zeros((2, 3))), "pred_probs has 3 columns"),
        (lambda: check_multilabel_probs([np.zeros((2, 2))] * 3, SETS), "lists 3 arrays, one a class"),
        (
            lambda: check_multilabel_probs([np.zeros((2, 2)), np.ones((2, 1))], SETS),
            "the array of class 'b' has shape",
        ),
        (lambda: al.multilabel_consensus(SETS, known=[[2, 0], [0, 0]]), "known must hold 0, 1 or -1"),
        (lambda: al.multilabel_consensus(SETS, families={"x": "y"}), "families names annotators without"),
    ],
)
def test_bad_input_is_told_what_is_wrong(make, message):
    with pytest.raises(InputError, match=message):
        make()
