"""Dawid-Skene: a confusion matrix for each annotator, by expectation-maximisation."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from activelab._errors import InputError
from activelab._kernels import most_probable, ranges, row_sums
from activelab._typing import Float64s, Ints
from activelab.consensus._consensus import Consensus
from activelab.consensus._statistics import label_sums
from activelab.labels import Labels

if TYPE_CHECKING:
    from scipy.sparse import csc_array, csr_array

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
    if pooled_prior is None:
        pooled_prior = _chosen_strength(labels, annotator_prior, max_iter, tol)
    model = _fitted(labels, annotator_prior, pooled_prior, max_iter, tol)
    posterior = model.posterior()
    label = most_probable(posterior, slice(0, labels.n_examples), labels, seed)
    label[~labels.labelled] = -1
    return Consensus.build(
        labels,
        label,
        posterior,
        label_sums(labels),
        annotator_weight=model.expected_accuracy(),
        notes=_overruling(labels, label),
    )


def _fitted(
    labels: Labels, annotator_prior: float, pooled_prior: float, max_iter: int, tol: float
) -> _ConfusionModel:
    model = _ConfusionModel(labels, annotator_prior, pooled_prior)
    previous = -np.inf
    for _ in range(max_iter):
        likelihood = model.step()
        if likelihood - previous <= tol:
            break
        previous = likelihood
    return model


def _chosen_strength(labels: Labels, annotator_prior: float, max_iter: int, tol: float) -> float:
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
        model = _fitted(rest, annotator_prior, strength, max_iter, tol)
        channel = model.table[labels.annotator[held], labels.label[held]]
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


class _ConfusionModel:
    """Confusion matrices and class prior, with one fused expectation-maximisation step.

    Everything rests on a sparse indicator matrix with one row an example. A label is its column
    ``annotator * n_classes + label``; one more column, which every example has, is the class prior. Its
    product with the log-parameters are the scores of the classes, and the product of its transpose with
    the posteriors are the counts that give new parameters.
    """

    def __init__(self, labels: Labels, annotator_prior: float, pooled_prior: float) -> None:
        self.labels, self.annotator_prior = labels, annotator_prior
        self.n_classes, self.n_annotators = labels.n_classes, labels.n_annotators
        right = 0.7 if self.n_classes > 1 else 1.0
        off = (1 - right) / max(self.n_classes - 1, 1)
        self.pooled_counts = pooled_prior * (off + (right - off) * np.eye(self.n_classes))
        self.several = list(self._indicators(np.flatnonzero(labels.counts > 1)))
        self.n_several = sum(len(index) for index, _, _ in self.several)
        self._maximise(self._vote_counts())

    def _indicators(self, examples: Ints) -> Iterator[tuple[Ints, csr_array, csc_array]]:
        """Some examples in blocks, the rows of the indicator matrix that are theirs, and their transpose."""
        from scipy.sparse import csr_array  # on first use: it would take half of `import activelab`

        columns = self.n_annotators * self.n_classes + 1
        dtype = np.int32 if columns <= np.iinfo(np.int32).max else np.int64
        # A block no smaller than the parameters: each costs a pass over them.
        size = max(_CELLS_A_BLOCK // self.n_classes, columns)
        for start in range(0, len(examples), size):
            index = examples[start : start + size]
            counts = self.labels.counts[index]
            indptr = np.zeros(len(index) + 1, dtype=np.int64)
            np.cumsum(counts + 1, out=indptr[1:])
            column = np.full(indptr[-1], columns - 1, dtype=dtype)
            is_label = np.ones(len(column), dtype=bool)
            is_label[indptr[1:] - 1] = False
            here = ranges(self.labels.offsets[index], counts)
            column[is_label] = self.labels.annotator[here].astype(dtype) * self.n_classes
            column[is_label] += self.labels.label[here]
            entries = (np.ones(len(column)), column, indptr.astype(dtype))
            indicator = csr_array(entries, shape=(len(index), columns))
            yield index, indicator, indicator.T

    def _vote_counts(self) -> Float64s:
        """Counts of the first step: each example's posterior is its share of the votes."""
        eye = np.vstack([np.tile(np.eye(self.n_classes), (self.n_annotators, 1)), np.zeros(self.n_classes)])
        counts = np.zeros_like(eye)
        for _, indicator, transposed in self.several:
            votes = indicator @ eye
            votes /= row_sums(votes)[:, None]
            counts += transposed @ votes
        return counts

    def _maximise(self, counts: Float64s) -> None:
        """New log-parameters. Row (j, l), column k of a table: annotator j says l when the truth is k."""
        confusion, prior = counts[:-1].reshape(-1, self.n_classes, self.n_classes), counts[-1]
        pooled = self.pooled_counts.T + confusion.sum(axis=0)
        pooled /= np.maximum(pooled.sum(axis=0), _TINY)
        self.table = confusion + self.annotator_prior * pooled
        self.table /= np.maximum(self.table.sum(axis=1, keepdims=True), _TINY)
        self.prior = (prior + 1) / (prior.sum() + self.n_classes)
        parameters = np.vstack([self.table.reshape(-1, self.n_classes), self.prior])
        self.log_parameters = np.log(np.maximum(parameters, _TINY, out=parameters), out=parameters)

    def _posterior(self, indicator: csr_array) -> tuple[Float64s, Float64s]:
        """Posterior of a block and the log-likelihood of each of its examples."""
        joint = indicator @ self.log_parameters
        np.exp(joint, out=joint)
        total = row_sums(joint)
        log_total = np.zeros(len(total))
        # So many labels, or so unlikely ones, that the product of their probabilities underflows.
        small = np.flatnonzero(total < _SMALL)
        if len(small):
            scores = indicator[small] @ self.log_parameters
            log_total[small] = scores.max(axis=1)
            joint[small] = np.exp(scores - log_total[small, None])
            total[small] = row_sums(joint[small])
        joint /= total[:, None]
        log_total += np.log(total)
        return joint, log_total

    def step(self) -> float:
        """One step of both halves; returns the mean log-likelihood before it."""
        counts = np.zeros_like(self.log_parameters)
        total = 0.0
        for _, indicator, transposed in self.several:
            posterior, likelihood = self._posterior(indicator)
            total += float(likelihood.sum())
            counts += transposed @ posterior
        self._maximise(counts)
        return total / max(self.n_several, 1)

    def posterior(self) -> Float64s:
        """Posterior of every example, shape (n_examples, n_classes)."""
        out = np.empty((self.labels.n_examples, self.n_classes))
        others = self._indicators(np.flatnonzero(self.labels.counts < 2))
        for index, indicator, _ in chain(self.several, others):
            out[index] = self._posterior(indicator)[0]
        return out

    def expected_accuracy(self) -> Float64s:
        """Σ_k π_k θ_jkk of each annotator."""
        accuracy: Float64s = np.einsum("jkk,k->j", self.table, self.prior)
        return accuracy
