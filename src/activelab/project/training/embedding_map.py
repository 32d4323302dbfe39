"""The pool as points of a plane: examples that are alike lie close together."""

from __future__ import annotations

from typing import Any

import numpy as np
from sqlalchemy import delete

from activelab._typing import Floats
from activelab.project._project import Project
from activelab.project.labelling import rounds
from activelab.project.settings import load_value, store_value
from activelab.project.store.schema import round_array

MOST = 200_000
"""Larger pools have no map."""

_SAMPLE = 5_000
_LANDMARKS = 2_000
_COMPONENTS = 50
_NEIGHBOURS = 3
_BLOCK = 5_000
_PERPLEXITY = 30.0


def draw_map(project: Project) -> bool:
    """Draw the map of the pool, unless it is drawn already or the pool is too large; whether there is one.

    It shows what the classifiers see of the examples, labels apart, so that it stays when these change.
    """
    size = project.num_examples
    drawn = project.database.read(lambda c: load_value(c, "map"))
    if not 3 <= size <= MOST:
        return False
    if drawn is not None and drawn["size"] == size:
        return True
    from activelab.project.training.models import load_numbers

    points = plane(load_numbers(project, size))

    def store(connection: Any) -> None:
        number = rounds.current_round(connection)
        connection.execute(delete(round_array).where(round_array.c.name == "map"))
        rounds.store_array(connection, number, "map", points)
        store_value(connection, "map", {"round": number, "size": size})

    project.database.write(store)
    return True


def load_map(project: Project) -> Floats | None:
    """The points of the map, shape (n, 2), from 0 to 1, of the first n examples; None if none is drawn."""

    def load(connection: Any) -> Floats | None:
        drawn = load_value(connection, "map")
        points: Floats | None = None
        if drawn is not None:
            points = rounds.load_array(connection, drawn["round"], "map")
        return points

    return project.database.read(load)


def plane(features: Any, seed: int = 0) -> Floats:
    """Points of a plane that keep neighbours together: t-SNE of some, the others among their neighbours.

    Parameters
    ----------
    features : array or sparse matrix, shape (n, n_features)
        At least three rows.
    seed : int

    Returns
    -------
    ndarray of float32, shape (n, 2)
        From 0 to 1.
    """
    from sklearn.manifold import TSNE
    from sklearn.neighbors import KNeighborsRegressor

    components = _components(features, seed)
    chosen = np.random.default_rng(seed).permutation(len(components))[:_LANDMARKS]
    landmarks = components[chosen]
    perplexity = min(_PERPLEXITY, (len(landmarks) - 1) / 3)
    found = TSNE(perplexity=perplexity, init="random", random_state=seed).fit_transform(landmarks)
    points = np.empty((len(components), 2), dtype=np.float32)
    if len(chosen) < len(components):
        among = KNeighborsRegressor(_NEIGHBOURS, weights="distance").fit(landmarks, found)
        for start in range(0, len(components), _BLOCK):
            points[start : start + _BLOCK] = among.predict(components[start : start + _BLOCK])
    points[chosen] = found
    low, high = points.min(axis=0), points.max(axis=0)
    return np.asarray((points - low) / np.maximum(high - low, 1e-12), dtype=np.float32)


def _components(features: Any, seed: int) -> Floats:
    """The directions in which a sample differs most, of all examples."""
    from scipy.sparse import issparse
    from sklearn.decomposition import PCA, TruncatedSVD

    n, width = features.shape
    rows = np.random.default_rng(seed).permutation(n)[:_SAMPLE]
    most = min(_COMPONENTS, width, len(rows) - 1)
    if issparse(features):
        method = TruncatedSVD(max(min(most, width - 1), 1), random_state=seed)
    elif width <= _COMPONENTS:
        return np.asarray(features, dtype=np.float32)
    else:
        method = PCA(most, random_state=seed)
    method.fit(features[rows])
    parts = [method.transform(features[at : at + _BLOCK]) for at in range(0, n, _BLOCK)]
    return np.concatenate(parts).astype(np.float32)
