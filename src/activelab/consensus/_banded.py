"""How annotators err on a scale: the nearer two classes, the likelier they are taken for one another.

All share a confusion matrix, which each annotator tilts by a shift (severity) and a spread of their own
(mathematics.md §18).
"""

from __future__ import annotations

import numpy as np

from activelab._typing import Float64s

_ASSUMED = 0.5  # how often a label is right inside a long scale, before any is known to be
_PSEUDO = 5.0  # pseudo-labels a class that say so
_POPULAR, _NEAR, _SQUARED = 1.0, 0.1, 1.0  # precisions of the parameters of the shared confusion
_FIRST, _PEOPLE = (
    4.0,
    5.0,
)  # precision of shifts and spreads beforehand, and for how many annotators it counts
_SHARED_STEPS, _OWN_STEPS = 30, 4  # of Newton's method
_MOST_TILT = 3.0
_LEAST, _CLOSE = 1e-4, 1e-6


def steps_apart(where: Float64s) -> Float64s:
    """x_l − x_k in mean steps of the scale, shape (n_classes, n_classes): label, class."""
    span = float(np.ptp(where)) if len(where) else 0.0
    scaled = where * ((len(where) - 1) / span) if span else where
    return np.asarray(scaled[:, None] - scaled)


def first_guess(where: Float64s) -> Float64s:
    """P(l | k) before any label is known to be right, shape (n_classes, n_classes): label, class."""
    decay = np.log(1 + 2 * _ASSUMED / (1 - _ASSUMED))
    return _normalised(-decay * np.abs(steps_apart(where)))


def banded(own: Float64s, where: Float64s) -> Float64s:
    """The confusions that counts of annotator, label, class are shrunk to, of the same shape.

    P_j(l | k) ∝ P(l | k) exp(s_j (x_l − x_k) − t_j |x_l − x_k|) with the most probable s_j and t_j given the
    counts, under normal priors around 0 whose variances are those that annotators show (empirical Bayes).
    """
    apart = steps_apart(where)
    log_shared = np.log(_shared(own.sum(axis=0), where))
    features = np.stack([apart, -np.abs(apart)])
    given = own.sum(axis=1)
    told = given.sum(axis=1) > 0
    seen = np.einsum("jlk,flk->jf", own, features)
    tilt, precision = np.zeros((len(own), 2)), np.full(2, _FIRST)
    for _ in range(_OWN_STEPS):
        table = _normalised(log_shared + np.einsum("jf,flk->jlk", tilt, features))
        mean = np.einsum("jlk,flk->jfk", table, features)
        squares = np.einsum("jlk,flk,glk->jfgk", table, features, features)
        spread = squares - mean[:, :, None] * mean[:, None]
        gradient = seen - np.einsum("jfk,jk->jf", mean, given) - precision * tilt
        curvature = np.einsum("jfgk,jk->jfg", spread, given) + np.diag(precision)
        doubt = np.linalg.inv(curvature)
        tilt = np.clip(tilt + np.einsum("jfg,jg->jf", doubt, gradient), -_MOST_TILT, _MOST_TILT)
        variance = (tilt**2 + np.diagonal(doubt, axis1=1, axis2=2))[told].sum(axis=0) + _PEOPLE / _FIRST
        precision = (told.sum() + _PEOPLE) / np.maximum(variance, _LEAST)
    return _normalised(log_shared + np.einsum("jf,flk->jlk", tilt, features))


def _shared(counts: Float64s, where: Float64s) -> Float64s:
    """The confusion of everybody together: label, class.

    P(l | k) ∝ exp(α_l − d |x_l − x_k| − e (x_l − x_k)²): labels α_l that are given too often or too rarely.
    """
    size, apart = len(counts), steps_apart(where)
    counts = counts + _PSEUDO * first_guess(where)
    popular = np.repeat(np.eye(size)[:, :, None], size, axis=2)
    features = np.concatenate([popular, -np.abs(apart)[None], -(apart**2)[None]])
    precision = np.r_[np.full(size, _POPULAR), _NEAR, _SQUARED]
    given, seen = counts.sum(axis=0), np.einsum("lk,flk->f", counts, features)
    weight = np.r_[np.zeros(size), 1.0, 0.0]
    for _ in range(_SHARED_STEPS):
        table = _normalised(np.einsum("f,flk->lk", weight, features))
        mean = np.einsum("lk,flk->fk", table, features)
        gradient = seen - mean @ given - precision * weight
        weighted = (features * (table * given)).reshape(size + 2, -1)
        curvature = weighted @ features.reshape(size + 2, -1).T - (mean * given) @ mean.T
        step = np.linalg.solve(curvature + np.diag(precision), gradient)
        weight += np.clip(step, -1, 1)
        if np.abs(step).max() < _CLOSE:
            break
    return np.maximum(_normalised(np.einsum("f,flk->lk", weight, features)), _LEAST**2)


def _normalised(log_table: Float64s) -> Float64s:
    """Probabilities of the labels, the last axis but one, proportional to exp."""
    table = np.exp(log_table - log_table.max(axis=-2, keepdims=True))
    return np.asarray(table / table.sum(axis=-2, keepdims=True))
