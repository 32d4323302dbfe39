"""How annotators err in several yes-no questions: who is careful with one label is so with the others.

Sensitivity and specificity of annotator j for label c are each σ(f_c + μ_c + u_j + v_jc): what is assumed of
the label, what shows of it, the annotator, and what is left (mathematics.md §19).
"""

from __future__ import annotations

import numpy as np

from activelab._typing import Float64s
from activelab.consensus._channels import LEAST

_KNOWS = 0.6  # how often annotators know the answer, before any is known to be right; else they say the usual
_STEPS = 12  # of Newton's method, labels and annotators in turns
_FIRST, _GROUPS = 2.0, 5.0  # precision of effects beforehand, and for how many labels or annotators it counts
_MOST = 4.0


def first_confusion(shares: Float64s) -> Float64s:
    """P(answer | truth) before any answer is known to be right, shape (n_classes, n_classes).

    An annotator who does not know says each class as often as all do, so that answers are as frequent as
    truths.
    """
    return _KNOWS * np.eye(len(shares)) + (1 - _KNOWS) * shares[:, None]


def pooled_effects(own: Float64s, first: Float64s) -> Float64s:
    """The confusions that counts are shrunk to, of the same shape: label c, annotator, answer, truth.

    The most probable μ_c and u_j given the counts, under normal priors whose variances are those that labels
    and annotators show (empirical Bayes). ``first`` is `first_confusion` of each label.
    """
    n_classes, n_annotators = own.shape[:2]
    prior = np.empty((n_classes, n_annotators, 2, 2))
    for truth in (0, 1):
        assumed = first[:, truth, truth]
        given = own[:, :, :, truth].sum(axis=2)
        right = _effects(own[:, :, truth, truth], given, np.log(assumed / (1 - assumed)))
        prior[:, :, truth, truth] = right
        prior[:, :, 1 - truth, truth] = 1 - right
    return prior


def _effects(right: Float64s, given: Float64s, assumed: Float64s) -> Float64s:
    """σ(f_c + μ_c + u_j) of ``right`` out of ``given`` answers; shape (n_classes, n_annotators)."""
    of_class, of_annotator = np.zeros(len(right)), np.zeros(right.shape[1])
    for _ in range(_STEPS):
        for effect, axis in ((of_class, 1), (of_annotator, 0)):
            chance = _sigmoid((assumed + of_class)[:, None] + of_annotator)
            curvature = (given * chance * (1 - chance)).sum(axis=axis)
            gradient = (right - given * chance).sum(axis=axis)
            told = given.sum(axis=axis) > 0
            doubt = 1 / (curvature + _FIRST)
            variance = (effect**2 + doubt)[told].sum() + _GROUPS / _FIRST
            precision = (told.sum() + _GROUPS) / variance
            step = (gradient - precision * effect) / (curvature + precision)
            effect += np.clip(step, -1, 1)
            np.clip(effect, -_MOST, _MOST, out=effect)
    return np.clip(_sigmoid((assumed + of_class)[:, None] + of_annotator), LEAST, 1 - LEAST)


def _sigmoid(values: Float64s) -> Float64s:
    return np.asarray(1 / (1 + np.exp(-values)))
