"""Soft labels: the distribution of the answers of a population and of groups of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import activelab as al
from activelab import InputError, Labels


def society(
    seed: int = 0, n: int = 800, team: int = 12, seen: int = 3, split: float = 0.0
) -> tuple[Labels, np.ndarray]:
    """Labels of people who differ in opinion, and the share of each answer among them all.

    ``split`` is by how much the second half of the people leans more towards the last class.
    """
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet([0.5, 0.4, 0.3], size=n)
    leaning = np.where(np.arange(team) < team // 2, 0.0, split)
    of_person = shares[:, None, :] * (1 - leaning[:, None])
    of_person[:, :, 2] += leaning
    draws = rng.random((n, team, 1)) > np.cumsum(of_person, axis=2)
    said = np.minimum(draws.sum(axis=2), 2)
    asked = rng.random((n, team)).argsort(axis=1) < seen
    labels = Labels.from_wide(np.where(asked, said, np.nan), classes=3)
    return labels, of_person


def cross_entropy(soft: np.ndarray, shares: np.ndarray) -> float:
    return float(-(shares * np.log(np.maximum(soft, 1e-12))).sum(axis=-1).mean())


def empirical(labels: Labels, alpha: float) -> np.ndarray:
    counts = np.zeros((labels.n_examples, labels.n_classes))
    np.add.at(counts, (labels.example, labels.label), 1)
    return (counts + alpha / labels.n_classes) / (counts.sum(axis=1, keepdims=True) + alpha)


@pytest.mark.parametrize("seen", [2, 3, 5])
def test_nearer_to_the_population_than_the_smoothed_shares(seen: int) -> None:
    labels, of_person = society(seen=seen)
    shares = of_person.mean(axis=1)
    soft = al.soft_labels(labels).distribution
    best = min(cross_entropy(empirical(labels, alpha), shares) for alpha in (0.5, 1, 2, 3, 5))
    # Nobody told which α is best, and opinions are all that these people differ in.
    assert cross_entropy(soft, shares) < best + 0.02
    posterior = al.bayesian_consensus(labels).posterior
    assert cross_entropy(soft, shares) < cross_entropy(posterior, shares) - 0.02


@settings(deadline=None, max_examples=25)
@given(
    st.lists(
        st.lists(st.sampled_from([0, 1, 2, None]), min_size=4, max_size=4), min_size=1, max_size=12
    ).filter(lambda rows: any(cell is not None for row in rows for cell in row)),
    st.dictionaries(st.integers(0, 3), st.sampled_from(["x", "y", None])),
)
def test_rows_are_distributions(rows: list[list[Any]], groups: dict[int, str | None]) -> None:
    labels = Labels.from_wide(rows, classes=3)
    named = any(groups.values())
    soft = al.soft_labels(labels, groups=groups if named else None)
    for values in (soft.distribution, *soft.by_group):
        assert values.shape == (labels.n_examples, 3)
        assert (values >= 0).all()
        assert np.allclose(values.sum(axis=1), 1)
    assert soft.groups.tolist() == sorted({name for name in groups.values() if name} if named else set())


def test_groups_that_lean_otherwise_are_told_apart() -> None:
    labels, of_person = society(seen=6, split=0.4)
    groups = {person: "first" if person < 6 else "second" for person in range(12)}
    soft = al.soft_labels(labels, groups=groups)
    assert soft.groups.tolist() == ["first", "second"]
    first, second = of_person[:, :6].mean(axis=1), of_person[:, 6:].mean(axis=1)
    assert soft.by_group[1, :, 2].mean() > soft.by_group[0, :, 2].mean() + 0.2
    for own, other, mine in ((0, 1, first), (1, 0, second)):
        of_own = cross_entropy(soft.by_group[own], mine)
        assert of_own < cross_entropy(soft.distribution, mine) - 0.01
        assert of_own < cross_entropy(soft.by_group[other], mine) - 0.01


def test_groups_without_difference_learn_from_each_other() -> None:
    labels, of_person = society(seen=4)
    groups = {person: f"group {person % 4}" for person in range(12)}
    soft = al.soft_labels(labels, groups=groups)
    shares = of_person.mean(axis=1)
    for values in soft.by_group:
        assert cross_entropy(values, shares) < cross_entropy(soft.distribution, shares) + 0.02


def test_predictions_help_where_labels_are_few() -> None:
    labels, of_person = society(seen=1)
    shares = of_person.mean(axis=1)
    model = 0.8 * shares + 0.2 / 3
    alone = cross_entropy(al.soft_labels(labels).distribution, shares)
    assert cross_entropy(al.soft_labels(labels, model).distribution, shares) < alone - 0.1


def test_abstentions_and_confidence_are_taken() -> None:
    labels, _ = society(n=100)
    abstentions = Labels([0], [int(np.setdiff1d(range(12), labels.annotator[:3])[0])], [0],
                         examples=100, annotators=12, classes=1)  # fmt: skip
    soft = al.soft_labels(labels, abstentions=abstentions, confidence=np.ones(labels.n_labels))
    assert np.allclose(soft.distribution.sum(axis=1), 1)


def test_as_a_table() -> None:
    labels, _ = society(n=5)
    plain = al.soft_labels(labels).to_frame()
    assert plain.columns.tolist() == ["example", "0", "1", "2"]
    assert len(plain) == 5
    by_group = al.soft_labels(labels, groups={0: "x"}).to_frame()
    assert by_group.columns.tolist() == ["example", "group", "0", "1", "2"]
    assert by_group["group"].isna().sum() == len(by_group) / 2 == 5
    named = Labels.from_records([("a", "ann", "group"), ("b", "ann", "x")])
    with pytest.raises(InputError, match="a class is called 'group'"):
        al.soft_labels(named).to_dict()


def test_groups_that_cannot_be_used() -> None:
    labels, _ = society(n=20)
    with pytest.raises(InputError, match="without labels in this pool: 'zoe'"):
        al.soft_labels(labels, groups={"zoe": "x"})
    with pytest.raises(InputError, match="names no group"):
        al.soft_labels(labels, groups={0: None})
    with pytest.raises(InputError, match="must be a mapping"):
        al.soft_labels(labels, groups=["x"])  # type: ignore[arg-type]
