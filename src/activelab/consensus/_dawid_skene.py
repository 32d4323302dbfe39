"""Dawid-Skene: a confusion matrix for each annotator, by expectation-maximisation."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.sparse import csr_array

from activelab._errors import InputError
from activelab._kernels import row_sums, tie_break
from activelab._typing import Float64s
from activelab.consensus._consensus import Consensus
from activelab.consensus._statistics import label_sums
from activelab.labels import Labels

_CELLS_A_BLOCK = 1 << 20
_TINY = 1e-300


def dawid_skene(
    labels: Labels,
    *,
    max_iter: int = 100,
    tol: float = 1e-6,
    annotator_prior: float = 1.0,
    pooled_prior: float = 1.0,
    seed: int = 0,
) -> Consensus:
    """Consensus by the Dawid-Skene model (Dawid & Skene 1979), maximum a posteriori.

    Each annotator has a confusion matrix, shrunk towards the matrix pooled over all annotators, which
    is itself shrunk towards a mostly right annotator. Matrices and class prior are learnt from the
    examples with two labels or more: a single label says nothing about who errs, so that with single
    labels throughout the consensus is the label given.

    Parameters
    ----------
    labels : Labels
    max_iter : int
        Largest number of expectation-maximisation steps.
    tol : float
        Stop when the mean log-likelihood of a labelled example grows by less.
    annotator_prior : float
        Pseudo-labels per class that pull an annotator's matrix towards the pooled one.
    pooled_prior : float
        Pseudo-labels per class that pull the pooled matrix towards 70 % right answers.
    seed : int
        Seed that breaks exact ties.

    Returns
    -------
    Consensus
        An annotator's ``weight`` is the expected accuracy Σ_k π_k θ_kk. Examples without labels have
        the class prior as posterior.

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
    if max_iter < 1 or tol < 0 or annotator_prior < 0 or pooled_prior < 0:
        raise InputError("dawid_skene needs max_iter >= 1, and tol and both priors >= 0.")
    model = _ConfusionModel(labels, annotator_prior, pooled_prior)
    previous = -np.inf
    for _ in range(max_iter):
        likelihood = model.step()
        if likelihood - previous <= tol:
            break
        previous = likelihood
    posterior = model.posterior()
    jitter = tie_break(seed, np.arange(posterior.size)).reshape(posterior.shape)
    best = posterior.max(axis=1, keepdims=True)
    label = np.where(posterior == best, jitter, -1).argmax(axis=1).astype(np.int32)
    label[~labels.labelled] = -1
    return Consensus.build(
        labels,
        label,
        posterior,
        label_sums(labels),
        annotator_weight=model.expected_accuracy(),
    )


class _ConfusionModel:
    """Confusion matrices and class prior, with one fused expectation-maximisation step.

    A label is a column ``annotator * n_classes + label`` of a sparse indicator matrix with one row an
    example, so that both halves of a step are products of that matrix with a dense one.
    """

    def __init__(self, labels: Labels, annotator_prior: float, pooled_prior: float) -> None:
        self.labels, self.annotator_prior = labels, annotator_prior
        self.n_classes, self.n_annotators = labels.n_classes, labels.n_annotators
        self.column = labels.annotator.astype(np.int64) * self.n_classes + labels.label
        if self.n_annotators * self.n_classes <= np.iinfo(np.int32).max:
            self.column = self.column.astype(np.int32)
        right = 0.7 if self.n_classes > 1 else 1.0
        off = (1 - right) / max(self.n_classes - 1, 1)
        self.pooled_counts = pooled_prior * (off + (right - off) * np.eye(self.n_classes))
        self.several = labels.counts > 1
        self._maximise(*self._vote_sums())

    def _indicators(self) -> Iterator[tuple[int, int, csr_array]]:
        size = max(_CELLS_A_BLOCK // self.n_classes, 1)
        offsets = self.labels.offsets
        for start in range(0, self.labels.n_examples, size):
            stop = min(start + size, self.labels.n_examples)
            first, last = offsets[start], offsets[stop]
            indptr = (offsets[start : stop + 1] - first).astype(self.column.dtype)
            shape = (stop - start, self.n_annotators * self.n_classes)
            data = np.ones(last - first)
            yield start, stop, csr_array((data, self.column[first:last], indptr), shape=shape)

    def _vote_sums(self) -> tuple[Float64s, Float64s]:
        """Sums of the first step: each example's posterior is its share of the votes."""
        eye = np.tile(np.eye(self.n_classes), (self.n_annotators, 1))
        confusion, prior = np.zeros_like(eye), np.zeros(self.n_classes)
        for start, stop, indicator in self._indicators():
            votes = indicator @ eye
            votes /= np.maximum(row_sums(votes), 1)[:, None]
            self._add(confusion, prior, indicator, votes, self.several[start:stop])
        return confusion, prior

    @staticmethod
    def _add(
        confusion: Float64s,
        prior: Float64s,
        indicator: csr_array,
        posterior: Float64s,
        several: np.ndarray[tuple[int], np.dtype[np.bool_]],
    ) -> None:
        posterior = posterior * several[:, None]
        confusion += indicator.T @ posterior
        prior += posterior.sum(axis=0)

    def _maximise(self, confusion: Float64s, prior: Float64s) -> None:
        """New log-parameters. Row (j, l), column k of a table: annotator j says l when the truth is k."""
        counts = confusion.reshape(self.n_annotators, self.n_classes, self.n_classes)
        pooled = self.pooled_counts.T + counts.sum(axis=0)
        pooled /= np.maximum(pooled.sum(axis=0), _TINY)
        table = counts + self.annotator_prior * pooled
        table /= np.maximum(table.sum(axis=1, keepdims=True), _TINY)
        self.prior = (prior + 1) / (prior.sum() + self.n_classes)
        self.table = table
        self.log_prior = np.log(self.prior)
        self.log_table = np.log(np.maximum(table, _TINY)).reshape(-1, self.n_classes)

    def _posterior(self, indicator: csr_array) -> tuple[Float64s, Float64s]:
        """Posterior of a block and the log-likelihood of each of its examples."""
        scores = indicator @ self.log_table
        scores += self.log_prior
        top = scores.max(axis=1)
        scores -= top[:, None]
        np.exp(scores, out=scores)
        total = row_sums(scores)
        scores /= total[:, None]
        return scores, top + np.log(total)

    def step(self) -> float:
        """One step of both halves; returns the mean log-likelihood before it."""
        confusion, prior = np.zeros_like(self.log_table), np.zeros(self.n_classes)
        total = 0.0
        for start, stop, indicator in self._indicators():
            posterior, likelihood = self._posterior(indicator)
            several = self.several[start:stop]
            total += float(likelihood[several].sum())
            self._add(confusion, prior, indicator, posterior, several)
        self._maximise(confusion, prior)
        return total / max(int(self.several.sum()), 1)

    def posterior(self) -> Float64s:
        """Posterior of every example, shape (n_examples, n_classes)."""
        out = np.empty((self.labels.n_examples, self.n_classes))
        for start, stop, indicator in self._indicators():
            out[start:stop] = self._posterior(indicator)[0]
        return out

    def expected_accuracy(self) -> Float64s:
        """Σ_k π_k θ_jkk of each annotator."""
        accuracy: Float64s = np.einsum("jkk,k->j", self.table, self.prior)
        return accuracy
