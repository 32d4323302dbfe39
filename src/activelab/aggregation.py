"""Aggregators of crowd-kit's ``crowdkit.aggregation``, with its names, arguments and attributes.

Changing ``from crowdkit.aggregation import …`` to ``from activelab.aggregation import …`` is the whole
migration for those that are here. Votes have crowd-kit's numbers; `DawidSkene` is `activelab.dawid_skene`,
which shrinks what it knows little about. Tables are pandas frames with the columns task, worker and label
(extra: pandas).
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from scipy.sparse import csr_array

from activelab._errors import InputError, first
from activelab._extras import needs
from activelab._typing import Float64s, Ints
from activelab.consensus import dawid_skene
from activelab.consensus.parts import Pairs
from activelab.labels import Labels

with needs("pandas", "activelab.aggregation"):
    import pandas as pd

__all__ = ["DawidSkene", "GoldMajorityVote", "MajorityVote", "Wawa", "ZeroBasedSkill"]


class _Aggregator:
    """What all have in common: what `fit` learns is shown for the table it learnt from.

    Attributes
    ----------
    labels_ : Series
        The label of each task.
    probas_ : DataFrame
        The probability of each label, a row a task.
    """

    labels_: pd.Series
    probas_: pd.DataFrame

    def fit(self, data: pd.DataFrame, *arguments: Any, **options: Any) -> Self:
        raise NotImplementedError

    def fit_predict(self, data: pd.DataFrame, *arguments: Any, **options: Any) -> pd.Series:
        """The label of each task, as a Series named ``agg_label``; the arguments are those of `fit`."""
        return self.fit(data, *arguments, **options).labels_

    def fit_predict_proba(self, data: pd.DataFrame, *arguments: Any, **options: Any) -> pd.DataFrame:
        """The probability of each label, a row a task; the arguments are those of `fit`."""
        return self.fit(data, *arguments, **options).probas_

    def _keep(self, labels: Labels, proba: Float64s) -> None:
        """Of labels that are equally probable the first counts, as in crowd-kit."""
        tasks = pd.Index(labels.examples, name="task")
        classes = pd.Index(labels.classes, name="label")
        self.probas_ = pd.DataFrame(proba, index=tasks, columns=classes)
        self.labels_ = pd.Series(labels.classes[proba.argmax(axis=1)], index=tasks, name="agg_label")


class MajorityVote(_Aggregator):
    """The label most workers gave, or the one with the largest sum of their skills.

    Parameters
    ----------
    on_missing_skill : {"error", "ignore", "value"}
        What becomes of labels by workers without a skill: they are refused, left out, or count
        ``default_skill``.
    default_skill : float, optional

    Attributes
    ----------
    labels_ : Series
        The label of each task; of several with as many votes the first in their order.
    probas_ : DataFrame
        Share of the votes, a row a task and a column a label.
    skills_ : Series
        Share of each worker's labels that are the label of their task.

    Examples
    --------
    >>> import pandas as pd
    >>> from activelab.aggregation import MajorityVote
    >>> rows = [["t1", "p1", 0], ["t1", "p2", 0], ["t1", "p3", 1], ["t2", "p1", 1], ["t2", "p2", 0]]
    >>> frame = pd.DataFrame(rows, columns=["task", "worker", "label"])
    >>> MajorityVote().fit_predict(frame, skills=pd.Series({"p1": 0.5, "p2": 0.7, "p3": 0.4})).tolist()
    [0, 0]
    """

    skills_: pd.Series

    def __init__(self, default_skill: float | None = None, on_missing_skill: str = "error") -> None:
        if on_missing_skill not in ("error", "ignore", "value"):
            raise InputError(f"on_missing_skill must be error, ignore or value, got {on_missing_skill!r}.")
        if (on_missing_skill == "value") != (default_skill is not None):
            raise InputError("default_skill goes with on_missing_skill='value', and the other way round.")
        self.default_skill, self.on_missing_skill = default_skill, on_missing_skill

    def fit(self, data: pd.DataFrame, skills: pd.Series | None = None) -> Self:
        """Count the votes.

        Parameters
        ----------
        data : DataFrame
            A row a label, with columns task, worker and label.
        skills : Series, optional
            How much the vote of each worker counts, by their id.

        Returns
        -------
        MajorityVote

        Raises
        ------
        InputError
            If the table is malformed, a worker labelled a task twice, or a worker has no skill.
        """
        labels = _labels(data)
        if skills is None:
            weight = np.ones(labels.n_annotators)
        else:
            weight = skills.reindex(labels.annotators).to_numpy(dtype=np.float64, copy=True)
            unknown = np.isnan(weight)
            if unknown.any() and self.on_missing_skill == "error":
                raise InputError(
                    f"workers {first(labels.annotators[unknown][:11])} have no skill: give one, or "
                    "on_missing_skill='ignore', or 'value' with a default_skill."
                )
            weight[unknown] = self.default_skill or 0.0
        self._keep(labels, _shares(labels, weight))
        self.skills_ = _agreement(labels, self.labels_.to_numpy())
        return self


class _Weighted(_Aggregator):
    """A vote weighted by ``skills_``, which `fit` learns."""

    skills_: pd.Series

    def predict(self, data: pd.DataFrame) -> pd.Series:
        """The weighted vote on a table of the same workers."""
        return self._vote(data).labels_

    def predict_proba(self, data: pd.DataFrame) -> pd.DataFrame:
        """Shares of the weighted vote on a table of the same workers."""
        return self._vote(data).probas_

    def _vote(self, data: pd.DataFrame) -> Self:
        if not hasattr(self, "skills_"):
            raise InputError(f"{type(self).__name__} knows no worker yet: call fit first.")
        vote = MajorityVote().fit(data, self.skills_)
        self.labels_, self.probas_ = vote.labels_, vote.probas_
        return self


class Wawa(_Weighted):
    """Worker agreement with aggregate: a vote weighted by how often each worker is with the majority.

    Attributes
    ----------
    labels_, probas_ : Series, DataFrame
        As of `MajorityVote`, by the weighted vote.
    skills_ : Series
        Share of each worker's labels that the majority vote gives.

    Examples
    --------
    >>> import pandas as pd
    >>> from activelab.aggregation import Wawa
    >>> rows = [["t1", "p1", 0], ["t1", "p2", 0], ["t2", "p1", 1], ["t2", "p3", 1], ["t3", "p3", 0]]
    >>> Wawa().fit_predict(pd.DataFrame(rows, columns=["task", "worker", "label"])).tolist()
    [0, 1, 0]
    """

    def fit(self, data: pd.DataFrame) -> Self:
        """Estimate how far each worker can be trusted; raises as `MajorityVote.fit`."""
        self.skills_ = MajorityVote().fit(data).skills_
        return self._vote(data)


class ZeroBasedSkill(_Weighted):
    """A vote weighted by skills that move, step by step, towards the agreement with that vote.

    Parameters
    ----------
    n_iter : int
    lr_init : float
        How far skills move in the first steps, as a share of the way.
    lr_steps_to_reduce : int
        After how many steps they move less.
    lr_reduce_factor : float
        By what factor.
    eps : float
        By how much the skills begin above chance.

    Attributes
    ----------
    labels_, probas_, skills_
        As of `Wawa`.
    """

    def __init__(
        self,
        n_iter: int = 100,
        lr_init: float = 1.0,
        lr_steps_to_reduce: int = 20,
        lr_reduce_factor: float = 0.5,
        eps: float = 1e-5,
    ) -> None:
        self.n_iter, self.lr_init, self.eps = n_iter, lr_init, eps
        self.lr_steps_to_reduce, self.lr_reduce_factor = lr_steps_to_reduce, lr_reduce_factor

    def fit(self, data: pd.DataFrame) -> Self:
        """Estimate how far each worker can be trusted; raises as `MajorityVote.fit`."""
        labels = _labels(data)
        skills = np.full(labels.n_annotators, 1 / labels.n_classes + self.eps)
        rate = self.lr_init
        for step in range(1, self.n_iter + 1):
            if step % self.lr_steps_to_reduce == 0:
                rate *= self.lr_reduce_factor
            voted = labels.classes[_shares(labels, skills).argmax(axis=1)]
            skills += rate * (_agreement(labels, voted).to_numpy() - skills)
        self.skills_ = pd.Series(skills, index=pd.Index(labels.annotators, name="worker"), name="skill")
        return self._vote(data)


class GoldMajorityVote(_Weighted):
    """A vote weighted by how often each worker is right on tasks whose answer is known.

    Attributes
    ----------
    labels_, probas_ : Series, DataFrame
        As of `Wawa`.
    skills_ : Series
        Share of right labels on the known tasks.
    """

    def fit(self, data: pd.DataFrame, true_labels: pd.Series) -> Self:
        """Estimate how far each worker can be trusted.

        Parameters
        ----------
        data : DataFrame
            A row a label, with columns task, worker and label.
        true_labels : Series
            The right label of some tasks, by their id.

        Returns
        -------
        GoldMajorityVote

        Raises
        ------
        InputError
            If the table is malformed, or a worker labelled no known task.
        """
        labels = _labels(data)
        known = true_labels.reindex(labels.examples).to_numpy(dtype=object)
        self.skills_ = _agreement(labels, known)
        if self.skills_.isna().any():
            unknown = self.skills_.index[self.skills_.isna()].to_numpy()
            raise InputError(
                f"workers {first(unknown[:11])} labelled no task of true_labels, so that nothing is known of "
                "them: leave their labels out, or use Wawa."
            )
        return self._vote(data)


class DawidSkene(_Aggregator):
    """`activelab.dawid_skene` under crowd-kit's names.

    Parameters
    ----------
    n_iter : int
        Largest number of steps.
    tol : float
        Stop when the mean log-likelihood of a task grows by less.

    Attributes
    ----------
    labels_, probas_ : Series, DataFrame
        Label and probabilities of each task.
    priors_ : Series
        Mean probability of each label.
    errors_ : DataFrame
        By worker and label the worker gave, a column a true label: how probable it is that the worker gives
        that label.

    Examples
    --------
    >>> import pandas as pd
    >>> from activelab.aggregation import DawidSkene
    >>> rows = [["t1", "p1", 0], ["t1", "p2", 0], ["t1", "p3", 1], ["t2", "p1", 1], ["t2", "p2", 1]]
    >>> DawidSkene(n_iter=10).fit_predict(pd.DataFrame(rows, columns=["task", "worker", "label"])).tolist()
    [0, 1]
    """

    priors_: pd.Series
    errors_: pd.DataFrame

    def __init__(self, n_iter: int = 100, tol: float = 1e-5) -> None:
        self.n_iter, self.tol = n_iter, tol

    def fit(self, data: pd.DataFrame) -> Self:
        """Learn how each worker errs; raises as `MajorityVote.fit`."""
        labels = _labels(data)
        posterior = dawid_skene(labels, max_iter=self.n_iter, tol=self.tol).posterior
        self._keep(labels, posterior)
        self.priors_ = self.probas_.mean().rename("prior")
        pairs = Pairs.of(labels.annotator, labels.label, labels.n_annotators, labels.n_classes)
        row = pairs.find(labels.annotator, labels.label)
        counts = _sums(row, labels.example, len(pairs), posterior)
        total = _sums(pairs.annotator, np.arange(len(pairs)), labels.n_annotators, counts)[pairs.annotator]
        # What a worker says where a label is never true is not known.
        share = np.divide(counts, total, out=np.full_like(counts, 1 / labels.n_classes), where=total > 1e-10)
        codes = [labels.annotators[pairs.annotator], labels.classes[pairs.label]]
        rows = pd.MultiIndex.from_arrays(codes, names=["worker", "label"])
        self.errors_ = pd.DataFrame(share, index=rows, columns=self.probas_.columns.rename(None))
        return self


def _sums(group: Ints, place: Ints, n_groups: int, values: Float64s) -> Float64s:
    """Sums over each group of the rows of ``values`` at some places."""
    entries = (np.ones(len(group)), (group, place))
    return np.asarray(csr_array(entries, shape=(n_groups, len(values))) @ values)


def _labels(data: pd.DataFrame) -> Labels:
    return Labels.from_long(data, example="task", annotator="worker", label="label")


def _shares(labels: Labels, weight: Float64s) -> Float64s:
    """Share of each class in the weights of those who labelled an example."""
    cell = labels.example.astype(np.int64) * labels.n_classes + labels.label
    size = labels.n_examples * labels.n_classes
    votes = np.bincount(cell, weight[labels.annotator], size).reshape(labels.n_examples, labels.n_classes)
    total = votes.sum(axis=1, keepdims=True)
    if not (total > 0).all():
        lost = labels.examples[np.flatnonzero(total[:, 0] <= 0)[:11]]
        raise InputError(f"nobody with a skill above 0 labelled tasks {first(lost)}: leave these tasks out.")
    return np.asarray(votes / total)


def _agreement(labels: Labels, truth: Any) -> pd.Series:
    """Share of each worker's labels that are those of ``truth``, one an example, NaN where unknown."""
    known = pd.notna(truth)[labels.example]
    right = known & (labels.classes[labels.label] == np.asarray(truth)[labels.example])
    who = labels.annotator
    with np.errstate(invalid="ignore"):
        share = np.bincount(who, right, labels.n_annotators) / np.bincount(who, known, labels.n_annotators)
    return pd.Series(share, index=pd.Index(labels.annotators, name="worker"), name="skill")
