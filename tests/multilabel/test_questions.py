"""What to ask next: single classes and whole examples."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import activelab as al
from activelab import InputError, LabelSets


def pool(seed, n_examples=30, n_classes=4):
    rng = np.random.default_rng(seed)
    truth = rng.random((n_examples, n_classes)) < 0.3
    example = np.repeat(np.arange(n_examples // 2), 2)
    chosen = truth[example] ^ (rng.random((len(example), n_classes)) < 0.1)
    sets = LabelSets(
        example,
        np.tile([0, 1], n_examples // 2),
        chosen,
        examples=n_examples,
        annotators=2,
        classes=list("abcdefgh")[:n_classes],
    )
    return truth, sets, np.clip(truth + rng.normal(0, 0.3, truth.shape), 0.02, 0.98)


@given(st.integers(0, 100), st.sampled_from(["either", "examples", "classes"]), st.floats(0.05, 2))
@settings(max_examples=20, deadline=None)
def test_no_question_is_asked_twice(seed, ask, price):
    _, sets, pred_probs = pool(seed)
    batch = al.suggest_questions(sets, pred_probs, 60, ask=ask, class_price=price)
    questions = [*batch]
    assert len(set(questions)) == len(questions)
    whole = {example for example, name in questions if name is None}
    assert not whole & {example for example, name in questions if name is not None}
    assert (np.diff(batch.worth) <= 1e-12).all()
    assert np.isfinite(batch.worth).all()
    assert (batch.worth >= 0).all()


def test_cheap_questions_are_asked_class_by_class_and_dear_ones_at_once():
    _, sets, pred_probs = pool(0)
    cheap = al.suggest_questions(sets, pred_probs, 10, class_price=0.05)
    dear = al.suggest_questions(sets, pred_probs, 10, class_price=0.9)
    assert all(name is not None for _, name in cheap)
    assert sum(name is None for _, name in dear) > 5
    assert cheap.price.tolist() == [0.05] * 10


def test_what_is_asked_is_what_is_open():
    sets = LabelSets.from_lists([["a|b", "a"], ["|", "|"], ["a", "a"], ["b", "b"], ["|", "|"]])
    assert [*al.suggest_questions(sets, batch_size=1)] == [(0, "b")]
    assert [*al.suggest_questions(sets, batch_size=1, ask="examples")] == [(0, None)]


def test_one_who_is_unsure_is_asked_about_before_one_who_is_not():
    sets = LabelSets.from_lists([["a"], ["|"], [None], [None]], ["a"])
    batch = al.suggest_questions(sets, [[0.9], [0.1], [0.5], [0.97]], 2)
    assert batch.examples[0] == 2
    assert batch.num_labels[0] == 0


def test_the_f1_loss_asks_more_about_rare_classes():
    rng = np.random.default_rng(0)
    rate = np.array([0.02, 0.5])
    truth = rng.random((400, 2)) < rate
    example = np.repeat(np.arange(400), 2)
    chosen = rng.random((800, 2)) < np.where(truth[example], 0.8, 0.05)
    sets = LabelSets(
        example, np.tile([0, 1], 400), chosen, examples=400, annotators=2, classes=["rare", "common"]
    )
    rare = {
        loss: sum(name == "rare" for _, name in al.suggest_questions(sets, batch_size=100, loss=loss))
        for loss in ("hamming", "f1")
    }
    assert rare["f1"] > rare["hamming"]


def test_only_eligible_examples_are_asked_about():
    _, sets, pred_probs = pool(1)
    eligible = np.arange(30) % 7 == 0
    batch = al.suggest_questions(sets, pred_probs, 1000, eligible=eligible)
    assert set(batch.examples.tolist()) == {0, 7, 14, 21, 28}
    assert len(batch) == 20
    assert batch.notes == ("only 20 questions are left to ask.",)


def test_questions_improve_more_than_whole_examples_do():
    """The same number of single answers, asked where they are worth most, makes more of the pool right."""
    errors = np.zeros(2)
    for seed in range(3):
        rng = np.random.default_rng(seed)
        truth, sets, pred_probs = pool(seed, n_examples=200)
        said = truth[:, :, None] ^ (rng.random((*truth.shape, 20)) < 0.1)
        for arm in (0, 1):
            now = sets
            for turn in range(2, 6):
                if arm:
                    batch = al.suggest_questions(now, pred_probs, 200)
                    code = [sets.classes.tolist().index(name) for name in batch.classes]
                    who = batch.num_labels + 2
                    rows, marks = batch.examples, said[batch.examples, code, who]
                    about = [[name] for name in batch.classes]
                    chosen = [one if yes else [] for one, yes in zip(about, marks, strict=True)]
                    now = now.tell(rows, annotator=who, label_sets=chosen, asked=about, keep="last")
                else:
                    rows = rng.permutation(200)[:50]
                    chosen = [sets.classes[said[row, :, turn]].tolist() for row in rows]
                    now = now.tell(rows, annotator=turn, label_sets=chosen)
            posterior = al.multilabel_consensus(now, pred_probs).posterior
            errors[arm] += ((posterior > 0.5) != truth).mean()
    assert errors[1] < 0.8 * errors[0]


def test_a_batch_is_a_table():
    _, sets, pred_probs = pool(2)
    batch = al.suggest_questions(sets, pred_probs, 3)
    assert list(batch.to_dict())[:4] == ["example", "class", "worth", "price"]
    assert len(batch.to_frame()) == len(batch) == 3
    assert "3 single classes" in repr(batch)
    assert "single classes" in batch._repr_html_()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"ask": "nobody"}, "unknown ask 'nobody'"),
        ({"class_price": -1}, "class_price must be positive"),
        ({"loss": "f2"}, "unknown loss 'f2'"),
        ({"eligible": [True]}, "eligible needs booleans of shape"),
        ({"pred_probs": [[2]]}, "pred_probs has 1 columns"),
    ],
)
def test_bad_input_is_told_what_is_wrong(options, message):
    sets = LabelSets.from_lists([["a|b", "a"], ["|", "|"]])
    with pytest.raises(InputError, match=message):
        al.suggest_questions(sets, **options)
