"""Dawid-Skene: a confusion matrix for each annotator, by expectation-maximisation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from activelab._errors import InputError
from activelab._kernels import most_probable, ranges, row_sums
from activelab._typing import Float64s, Ints
from activelab.consensus._consensus import Consensus
from activelab.consensus._pairs import Pairs
from activelab.consensus._statistics import label_sums
from activelab.labels import Labels

_CELLS_A_BLOCK = 1 << 20
_STRENGTHS = (10.0, 30.0, 100.0)
_MOST_LABELS = 5_000
"""Labels up to which the strength of the pull is chosen; above, the strongest is weak beside the counts."""
_FEW_EXAMPLES = 30
_OVERRULED = 0.2
_TINY = 1e-300
_SMALL = 1e-200


def dawid_skene(
    labels: Labels,
    *,
    max_iter: int = 100,
    tol: float = 1e-6,
    annotator_prior: float | None = None,
    pooled_prior: float | None = None,
    seed: int = 0,
) -> Consensus:
    """Consensus by the Dawid-Skene model (Dawid & Skene 1979), maximum a posteriori.

    Each annotator has a confusion matrix, shrunk towards the matrix pooled over all annotators, which
    is itself shrunk towards a mostly right annotator. Matrices and class prior are learnt from the
    examples with two labels or more: a single label says nothing about who errs, so that with single
    labels throughout the consensus is the label given.

    The pull to a mostly right annotator keeps classes that are only ever given by mistake from explaining
    what they do not, and small files from being learnt by heart.

    Parameters
    ----------
    labels : Labels
    max_iter : int
        Largest number of expectation-maximisation steps.
    tol : float
        Stop when the mean log-likelihood of a labelled example grows by less.
    annotator_prior : float, optional
        Pseudo-labels per class that pull an annotator's matrix towards the pooled one. By default 1, and 3
        where fewer than 30 examples have two labels.
    pooled_prior : float, optional
        Pseudo-labels per class that pull the pooled matrix towards 70 % right answers. By default the
        strongest of 10, 30 and 100 that predicts held-out labels, one of each example, no worse than the
        best of them by more than a standard error; 100 above 5,000 labels.
    seed : int
        Seed that breaks exact ties.

    Returns
    -------
    Consensus
        An annotator's ``weight`` is the expected accuracy Σ_k π_k θ_kk. Examples without labels have
        the class prior as posterior. A note says when more than a fifth of the majorities are overruled.

    Raises
    ------
    InputError
        If a parameter is out of range.

    Examples
    --------
    >>> import activelab as al
    >>> labels = al.Labels.from_wide([[0, 0, 1], [1, 1, 0], [0, 0, None], [1, 1, 0]])
    >>> al.dawid_skene(labels).label.tolist()
    [0, 1, 0, 1]
    """
    if max_iter < 1 or tol < 0 or (annotator_prior or 0) < 0 or (pooled_prior or 0) < 0:
        raise InputError("dawid_skene needs max_iter >= 1, and tol and both priors >= 0.")
    if annotator_prior is None:
        annotator_prior = 3.0 if np.count_nonzero(labels.counts > 1) < _FEW_EXAMPLES else 1.0
    named = _named(labels)
    if pooled_prior is None:
        pooled_prior = _chosen_strength(labels, named, annotator_prior, max_iter, tol)
    model = _fitted(labels, named, annotator_prior, pooled_prior, max_iter, tol)
    posterior, accuracy = model.posterior_and_accuracy()
    label = most_probable(posterior, slice(0, labels.n_examples), labels, seed)
    label[~labels.labelled] = -1
    return Consensus.build(
        labels,
        label,
        posterior,
        label_sums(labels),
        annotator_weight=accuracy,
        notes=_overruling(labels, label),
    )


def _named(labels: Labels) -> Ints:
    """Codes of the classes that labels name; of all if all but one are."""
    named = np.flatnonzero(np.bincount(labels.label, minlength=labels.n_classes))
    return named if len(named) < labels.n_classes - 1 else np.arange(labels.n_classes)


def _fitted(
    labels: Labels, named: Ints, annotator_prior: float, pooled_prior: float, max_iter: int, tol: float
) -> _ConfusionModel:
    model = _ConfusionModel(labels, annotator_prior, pooled_prior, named)
    previous = -np.inf
    for _ in range(max_iter):
        likelihood = model.step()
        if likelihood - previous <= tol:
            break
        previous = likelihood
    return model


def _chosen_strength(labels: Labels, named: Ints, annotator_prior: float, max_iter: int, tol: float) -> float:
    """The pull of the pooled matrix to the diagonal that labels which were held out bear.

    A label l of annotator j has the probability Σ_k p_k θ_jkl, with the posterior p and the matrices of the
    labels that are left.
    """
    several = np.flatnonzero(labels.counts > 1)
    if not len(several) or labels.n_labels > _MOST_LABELS:
        return _STRENGTHS[-1]
    # Which label is held out depends on the ids alone.
    turn = labels.tie_keys(several).astype(np.uint64) % labels.counts[several].astype(np.uint64)
    held = labels.offsets[several] + turn.astype(np.int64)
    kept = np.ones(labels.n_labels, dtype=bool)
    kept[held] = False
    rest = Labels(
        labels.example[kept],
        labels.annotator[kept],
        labels.label[kept],
        examples=labels.n_examples,
        annotators=labels.n_annotators,
        classes=labels.n_classes,
    )
    scores = []
    for strength in _STRENGTHS:
        model = _fitted(rest, named, annotator_prior, strength, max_iter, tol)
        channel = model.channel(labels.annotator[held], labels.label[held])
        predicted = (model.posterior()[several] * channel).sum(axis=1)
        scores.append(np.log(np.maximum(predicted, _TINY)))
    best = max(scores, key=lambda score: float(score.sum()))
    behind = [best - score for score in scores]
    bearable = [one.sum() <= one.std() * np.sqrt(len(held)) + 1e-9 for one in behind]
    return max(s for s, fits in zip(_STRENGTHS, bearable, strict=True) if fits)


def _overruling(labels: Labels, label: Ints) -> tuple[str, ...]:
    """A note if many examples have another consensus label than most of their annotators gave."""
    key = labels.example.astype(np.int64) * labels.n_classes + labels.label
    cell, votes = np.unique(key, return_counts=True)
    example, given = cell // labels.n_classes, cell % labels.n_classes
    most = np.zeros(labels.n_examples, dtype=np.int64)
    np.maximum.at(most, example, votes)
    top = votes == most[example]
    alone = np.bincount(example[top], minlength=labels.n_examples) == 1
    majority = np.full(labels.n_examples, -1, dtype=np.int64)
    majority[example[top]] = given[top]
    clear = alone & (most > 1)
    overruled = int(np.count_nonzero(clear & (majority != label)))
    if not overruled or overruled <= _OVERRULED * np.count_nonzero(clear):
        return ()
    return (
        f"Dawid-Skene overrules {overruled:,} of {np.count_nonzero(clear):,} majorities: it takes annotators "
        "for wrong more often than right, or one for better than the others together.",
    )


class _Parameters(NamedTuple):
    """Some columns of all confusion matrices: the true classes ``columns``.

    Attributes
    ----------
    columns : slice
    counts : ndarray, shape (n_pairs, n_columns)
        Labels of each pair of annotator and class expected on examples of each true class.
    pulled : ndarray, shape (n_classes, n_columns)
        What is added to the counts of every annotator: the pooled matrix times the prior's strength.
    given : ndarray, shape (n_annotators, n_columns)
        Sums over the labels of both.
    prior : ndarray, shape (n_columns,)
        Share of each class.
    """

    columns: slice
    counts: Float64s
    pulled: Float64s
    given: Float64s
    prior: Float64s


class _ConfusionModel:
    """Confusion matrices and class prior, with one fused expectation-maximisation step.

    Only the rows (annotator, label) of the matrices that labels name are ever needed, and columns (true
    classes) of them do not depend on one another: they are worked out some at a time, and what stays in
    memory is the posterior of the examples with several labels. Everything rests on a sparse indicator matrix
    with one row an example. A label is the column of its pair of annotator and class; one more column, which
    every example has, is the class prior. Its product with the log-parameters are the scores of the classes,
    and the product of its transpose with the posteriors are the counts that give new parameters.

    Classes that nobody names are all alike. Where they are several, one column stands for them: the posterior
    and the prior there are those of all of them together, what is conditional on a class is that of each.

    ``named`` are the codes of the classes that labels may name, by default all.
    """

    def __init__(
        self, labels: Labels, annotator_prior: float, pooled_prior: float, named: Ints | None = None
    ) -> None:
        from scipy.sparse import csr_array  # on first use: it would take half of `import activelab`

        self.labels, self.annotator_prior, self.pooled_prior = labels, annotator_prior, pooled_prior
        self.named = np.arange(labels.n_classes) if named is None else named
        self.others = max(labels.n_classes - len(self.named), 1)
        self.n_classes = min(len(self.named) + 1, labels.n_classes)
        self._code = np.zeros(labels.n_classes, dtype=np.int64)
        self._code[self.named] = np.arange(len(self.named))
        self._right = 0.7 if labels.n_classes > 1 else 1.0
        self._off = (1 - self._right) / max(labels.n_classes - 1, 1)
        self._more = pooled_prior * (self._right - self._off)
        self.several = np.flatnonzero(labels.counts > 1)
        counts = labels.counts[self.several]
        here = ranges(labels.offsets[self.several], counts)
        annotator, label = labels.annotator[here], self._code[labels.label[here]]
        self.pairs = Pairs.of(annotator, label, labels.n_annotators, self.n_classes)
        size = len(self.pairs)
        # Sums of pairs: by label, then by annotator.
        group = np.concatenate([self.pairs.label, self.n_classes + self.pairs.annotator])
        shape = (self.n_classes + labels.n_annotators, size)
        self.groups = csr_array((np.ones(2 * size), (group, np.tile(np.arange(size), 2))), shape=shape)
        self.columns = list(_slices(self.n_classes, size + 1))
        self.rows = list(_slices(len(counts), self.columns[0].stop))
        indptr = np.zeros(len(counts) + 1, dtype=np.int64)
        np.cumsum(counts + 1, out=indptr[1:])
        dtype = np.int32 if max(indptr[-1], size) < np.iinfo(np.int32).max else np.int64
        column = np.full(indptr[-1], size, dtype=dtype)
        is_label = np.ones(len(column), dtype=bool)
        is_label[indptr[1:] - 1] = False
        column[is_label] = self.pairs.find(annotator, label)
        entries = (np.ones(len(column)), column, indptr.astype(dtype))
        indicator = csr_array(entries, shape=(len(counts), size + 1))
        self.transposed = indicator.T
        self.indicators = [indicator[rows] for rows in self.rows] if len(self.rows) > 1 else [indicator]
        # The posterior of the first step is each example's share of the votes.
        cell = np.repeat(np.arange(len(counts)), counts) * self.n_classes + label
        votes = np.bincount(cell, minlength=len(counts) * self.n_classes).reshape(-1, self.n_classes)
        self.state = votes / counts[:, None]

    def _maximised(self, columns: slice) -> _Parameters:
        """The most probable parameters given the state."""
        counts = self.transposed @ np.ascontiguousarray(self.state[:, columns])
        counts, of_class = counts[:-1], counts[-1]
        prior = of_class + 1
        if self.others > 1 and columns.stop == self.n_classes:
            prior[-1] += self.others - 1
            counts[:, -1] /= self.others
        prior /= len(self.several) + self.labels.n_classes
        sums = self.groups @ counts
        pulled, given = sums[: self.n_classes], sums[self.n_classes :]
        # An annotator who is mostly right; of the classes that nobody names, all in the last row.
        pulled += self.pooled_prior * self._off
        pulled[self.n_classes - 1] += self.pooled_prior * (self.others - 1) * self._off
        pulled.reshape(-1)[columns.start * len(prior) :: len(prior) + 1][: len(prior)] += self._more
        pulled /= np.maximum(pulled.sum(axis=0), _TINY)
        pulled *= self.annotator_prior
        given += pulled.sum(axis=0)
        np.maximum(given, _TINY, out=given)
        return _Parameters(columns, counts, pulled, given, prior)

    def _scored(self, at: _Parameters) -> Iterator[tuple[slice, Float64s]]:
        """Log-probability of labels and class, of blocks of the examples with several labels."""
        log_parameters = np.empty((len(self.pairs) + 1, len(at.prior)))
        table = log_parameters[:-1]
        np.take(at.pulled, self.pairs.label, axis=0, out=table)
        table += at.counts
        table /= np.take(at.given, self.pairs.annotator, axis=0)
        log_parameters[-1] = at.prior
        np.maximum(log_parameters, _TINY, out=log_parameters)
        np.log(log_parameters, out=log_parameters)
        for rows, indicator in zip(self.rows, self.indicators, strict=True):
            yield rows, indicator @ log_parameters

    def _channel(self, at: _Parameters, annotator: Ints, label: Ints) -> Float64s:
        """Probability that an annotator gives a label to an example of each class, in some columns."""
        found = self.pairs.find(annotator, label)
        rows = at.pulled[label]
        rows[found >= 0] += at.counts[found[found >= 0]]
        return np.asarray(rows / at.given[annotator])

    def step(self) -> float:
        """One step of both halves; returns the mean log-likelihood it finds."""
        total = 0.0
        for columns in self.columns:
            for rows, scores in self._scored(self._maximised(columns)):
                if len(self.columns) == 1:
                    total += _normalise(scores, self.state[rows])
                else:
                    self.state[rows, columns] = scores
        for rows in _slices(len(self.state), self.n_classes) if len(self.columns) > 1 else ():
            total += _normalise(self.state[rows].copy(), self.state[rows])
        return total / max(len(self.several), 1)

    def posterior(self) -> Float64s:
        """Posterior of every example, shape (n_examples, n_classes)."""
        return self.posterior_and_accuracy()[0]

    def posterior_and_accuracy(self) -> tuple[Float64s, Float64s]:
        """`posterior`, and Σ_k π_k θ_jkk of each annotator."""
        labels, alone = self.labels, np.flatnonzero(self.labels.counts == 1)
        first = labels.offsets[alone]
        annotator, label = labels.annotator[first], self._code[labels.label[first]]
        pairs = Pairs.of(annotator, label, labels.n_annotators, self.n_classes)
        pair = pairs.find(annotator, label)
        out, accuracy = np.empty((labels.n_examples, self.n_classes)), np.zeros(labels.n_annotators)
        for columns in self.columns:
            at = self._maximised(columns)
            accuracy += self._accuracy(at)
            out[:, columns] = np.log(at.prior)
            single = np.log(np.maximum(self._channel(at, pairs.annotator, pairs.label), _TINY))
            out[alone, columns] += single[pair]
            for rows, scores in self._scored(at):
                out[self.several[rows], columns] = scores
        for rows in _slices(len(out), self.n_classes):
            _normalise(out[rows].copy(), out[rows])
        return self._of_all(out, self.others), accuracy

    def channel(self, annotator: Ints, label: Ints) -> Float64s:
        """Probability that an annotator gives a label to an example of each class."""
        found, code = np.empty((len(label), self.n_classes)), self._code[label]
        for columns in self.columns:
            found[:, columns] = self._channel(self._maximised(columns), annotator, code)
        return self._of_all(found, 1)

    def _of_all(self, values: Float64s, shared_by: int) -> Float64s:
        """A column for each class, of which those that nobody names share the last."""
        if self.others < 2:
            return values
        found = np.repeat(values[:, -1:] / shared_by, self.labels.n_classes, axis=1)
        found[:, self.named] = values[:, :-1]
        return found

    def _accuracy(self, at: _Parameters) -> Float64s:
        """Σ_k π_k θ_jkk of each annotator over some columns."""
        start, stop = at.columns.start, at.columns.stop
        right = at.pulled[np.arange(start, stop), np.arange(stop - start)]
        if stop == self.n_classes and self.others > 1:
            right[-1] *= self._right / (self._right + (self.others - 1) * self._off)
        total = (1 / at.given) @ (right * at.prior)
        own = np.flatnonzero((self.pairs.label >= start) & (self.pairs.label < stop))
        who, column = self.pairs.annotator[own], self.pairs.label[own] - start
        share = at.counts[own, column] * at.prior[column] / at.given[who, column]
        return np.asarray(total + np.bincount(who, share, len(total)))


def _slices(length: int, n_columns: int) -> Iterator[slice]:
    """Parts of a length, of so many columns as fit into a block."""
    size = max(_CELLS_A_BLOCK // max(n_columns, 1), 1)
    return (slice(low, min(low + size, length)) for low in range(0, max(length, 1), size))


def _normalise(scores: Float64s, out: Float64s) -> float:
    """Write probabilities proportional to exp of each row; return the sum of the logs of the rows' sums."""
    np.exp(scores, out=out)
    total = row_sums(out)
    log_total = 0.0
    # So many labels, or so unlikely ones, that the product of their probabilities underflows.
    small = np.flatnonzero(total < _SMALL)
    if len(small):
        most = scores[small].max(axis=1)
        out[small] = np.exp(scores[small] - most[:, None])
        total[small] = row_sums(out[small])
        log_total = float(most.sum())
    out /= total[:, None]
    return log_total + float(np.log(total).sum())
