"""Classifiers that projects in tests load by import path."""

from __future__ import annotations

import time
from collections.abc import Callable

from sklearn.naive_bayes import GaussianNB

during: list[Callable[[], None]] = []
"""What `watched` does once while it is fitted."""


class Watched(GaussianNB):
    def fit(self, X, y):
        while during:
            during.pop()()
        return super().fit(X, y)


class Broken(GaussianNB):
    def fit(self, X, y):
        raise RuntimeError("out of\npaper")


class Endless(GaussianNB):
    def fit(self, X, y):
        time.sleep(600)
        return self


class Lengths(GaussianNB):
    """Sees the texts themselves."""

    def fit(self, X, y):
        return super().fit([[len(text)] for text in X], y)

    def predict_proba(self, X):
        return super().predict_proba([[len(text)] for text in X])
