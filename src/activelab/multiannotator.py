"""The functions of ``cleanlab.multiannotator``, with its signatures, shapes, names and numbers.

Changing ``from cleanlab.multiannotator import …`` to ``from activelab.multiannotator import …`` is the
whole migration. The numbers are those of cleanlab 2.6.4, the last release whose calibration counts
labels correctly (mathematics.md §15). Unlike cleanlab, these functions never change their arguments, never
touch numpy's global random state (ties that nothing else settles are drawn with a fixed seed), and refuse
probabilities that are NaN, negative or do not sum to 1. They return pandas frames (extra: pandas).

`format_multiannotator_labels`, which cleanlab keeps among its internals and recommends for text, is here too.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from activelab._conventions import REFERENCE
from activelab._errors import InputError, first
from activelab._extras import needs
from activelab._typing import Float64s, Floats, Ids, Ints, Models
from activelab.acquisition import ActiveLab
from activelab.calibration import TemperatureScaling
from activelab.consensus import AnnotatorTable, Consensus
from activelab.consensus.parts import (
    Betas,
    LabelSums,
    annotator_table,
    crowdlab_consensus,
    label_sums,
    vote_labels,
)
from activelab.labels import Labels
from activelab.multilabel import LabelSets
from activelab.pred_probs import check_pred_probs

with needs("pandas", "activelab.multiannotator"):
    import pandas as pd

__all__ = [
    "convert_long_to_wide_dataset",
    "format_multiannotator_labels",
    "get_active_learning_scores",
    "get_active_learning_scores_ensemble",
    "get_label_quality_multiannotator",
    "get_label_quality_multiannotator_ensemble",
    "get_majority_vote_label",
]

Wide = pd.DataFrame | np.ndarray
"""Labels, one row an example and one column an annotator, NaN where missing."""

_CONSENSUS_METHODS = ("best_quality", "majority_vote")
_QUALITY_METHODS = ("crowdlab", "agreement")


def get_label_quality_multiannotator(
    labels_multiannotator: Wide,
    pred_probs: Floats,
    *,
    consensus_method: str | list[str] = "best_quality",
    quality_method: str = "crowdlab",
    calibrate_probs: bool = False,
    return_detailed_quality: bool = True,
    return_annotator_stats: bool = True,
    return_weights: bool = False,
    verbose: bool = True,
    label_quality_score_kwargs: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Quality of the consensus, of every label and of every annotator, by CROWDLAB.

    Parameters
    ----------
    labels_multiannotator : DataFrame or ndarray, shape (n_examples, n_annotators)
        Labels 0..K-1, NaN where missing.
    pred_probs : ndarray, shape (n_examples, n_classes)
        Out-of-sample probabilities; their columns fix K.
    consensus_method : {"best_quality", "majority_vote"} or list of them
        How the consensus label is chosen. The first fills the main columns, each further one adds
        columns with its name as suffix.
    quality_method : {"crowdlab", "agreement"}
        How quality is measured.
    calibrate_probs : bool
        Scale the probabilities by a temperature first.
    return_detailed_quality, return_annotator_stats, return_weights : bool
        Which parts to return besides ``label_quality``.
    verbose : bool
        Print what could not be estimated and which classes the consensus lost.
    label_quality_score_kwargs : dict, optional
        ``method``: "self_confidence" (default), "normalized_margin" or "confidence_weighted_entropy".

    Returns
    -------
    dict
        ``label_quality``: DataFrame with columns consensus_label, consensus_quality_score,
        annotator_agreement, num_annotations. ``detailed_label_quality``: DataFrame of the quality of
        each label, NaN where missing. ``annotator_stats``: DataFrame with columns annotator_quality,
        agreement_with_consensus, worst_class, num_examples_labeled, the worst annotator first.
        ``model_weight`` (float) and ``annotator_weight`` (ndarray).

    Raises
    ------
    ValueError
        If labels or probabilities are malformed, or an option is unknown.
    TypeError
        If ``pred_probs`` is no array.

    Examples
    --------
    >>> import numpy as np
    >>> from activelab.multiannotator import get_label_quality_multiannotator
    >>> labels = np.array([[0, 0, np.nan], [1, 1, 0], [1, np.nan, 1]])
    >>> pred_probs = np.array([[0.9, 0.1], [0.3, 0.7], [0.2, 0.8]])
    >>> result = get_label_quality_multiannotator(labels, pred_probs)
    >>> result["label_quality"]["consensus_label"].tolist()
    [0, 1, 1]
    """
    wide = _Wide(labels_multiannotator)
    if return_weights and quality_method != "crowdlab":
        raise ValueError("weights exist only for quality_method='crowdlab'; set return_weights=False.")
    if quality_method not in _QUALITY_METHODS:
        raise ValueError(f"quality_method must be one of {_QUALITY_METHODS}, got {quality_method!r}.")
    names = consensus_method if isinstance(consensus_method, list) else [consensus_method]
    for name in names:
        if name not in _CONSENSUS_METHODS:
            raise ValueError(f"consensus_method must be one of {_CONSENSUS_METHODS}, got {name!r}.")
    wide.check(pred_probs, dimensions=2)
    results = _quality(
        wide,
        pred_probs[None],
        names,
        quality_method,
        calibrate_probs,
        verbose,
        label_quality_score_kwargs,
    )
    info = _report(wide, results, return_detailed_quality, return_annotator_stats)
    if return_weights:
        # Of several consensus methods the reference reports the weights of the last.
        info["model_weight"] = float(results[names[-1]].consensus.model_weight[0])
        info["annotator_weight"] = results[names[-1]].consensus.annotators.weight
    return info


def get_label_quality_multiannotator_ensemble(
    labels_multiannotator: Wide,
    pred_probs: Floats,
    *,
    calibrate_probs: bool = False,
    return_detailed_quality: bool = True,
    return_annotator_stats: bool = True,
    return_weights: bool = False,
    verbose: bool = True,
    label_quality_score_kwargs: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """`get_label_quality_multiannotator` for an ensemble.

    Parameters
    ----------
    labels_multiannotator : DataFrame or ndarray, shape (n_examples, n_annotators)
    pred_probs : ndarray, shape (n_models, n_examples, n_classes)
    calibrate_probs, return_detailed_quality, return_annotator_stats, return_weights, verbose : bool
    label_quality_score_kwargs : dict, optional
        As in `get_label_quality_multiannotator`.

    Returns
    -------
    dict
        As from `get_label_quality_multiannotator`, with ``model_weight`` of shape (n_models,).

    Raises
    ------
    ValueError
        If labels or probabilities are malformed.
    TypeError
        If ``pred_probs`` is no array.
    """
    wide = _Wide(labels_multiannotator)
    wide.check(pred_probs, dimensions=3)
    name = "best_quality"
    results = _quality(
        wide, pred_probs, [name], "crowdlab", calibrate_probs, verbose, label_quality_score_kwargs
    )
    info = _report(wide, results, return_detailed_quality, return_annotator_stats)
    if return_weights:
        info["model_weight"] = results[name].consensus.model_weight
        info["annotator_weight"] = results[name].consensus.annotators.weight
    return info


def get_active_learning_scores(
    labels_multiannotator: Wide | None = None,
    pred_probs: Floats | None = None,
    pred_probs_unlabeled: Floats | None = None,
    *,
    multi_label: bool = False,
) -> tuple[Float64s, Float64s]:
    """ActiveLab scores of labelled and unlabelled examples; the lowest is labelled next.

    Parameters
    ----------
    labels_multiannotator : DataFrame or ndarray, shape (n_examples, n_annotators), optional
    pred_probs : ndarray, shape (n_examples, n_classes), optional
        Out-of-sample probabilities of the labelled examples.
    pred_probs_unlabeled : ndarray, shape (n_unlabelled, n_classes), optional
        Probabilities of examples without labels.
    multi_label : bool
        Whether several classes may apply at once, with names and meaning of cleanlab's proposal for it:
        labels are lists of classes 0 to K - 1 in the cells of a DataFrame or of lists, or an array of 0, 1
        and NaN of shape (n_examples, n_annotators, n_classes); rows of probabilities need not sum to 1. The
        score is the mean over the classes of each as a yes-no question. `suggest_questions` asks better.

    Returns
    -------
    labeled, unlabeled : ndarray of float64
        Scores in (0, 1]; empty where no such examples were given.

    Raises
    ------
    ValueError
        If labels or probabilities are malformed, or neither kind of example is given.
    TypeError
        If probabilities are no array.

    Examples
    --------
    >>> import numpy as np
    >>> from activelab.multiannotator import get_active_learning_scores
    >>> labels = np.array([[0, 0, np.nan], [1, 1, 0], [1, np.nan, 1]])
    >>> pred_probs = np.array([[0.9, 0.1], [0.3, 0.7], [0.2, 0.8]])
    >>> labeled, unlabeled = get_active_learning_scores(labels, pred_probs, np.array([[0.5, 0.5]]))
    >>> labeled.round(2), unlabeled.round(2)
    (array([0.95, 0.81, 0.9 ]), array([0.5]))
    """
    scores = _scores_of_sets if multi_label else _active_learning_scores
    return scores(labels_multiannotator, pred_probs, pred_probs_unlabeled, 2)


def get_active_learning_scores_ensemble(
    labels_multiannotator: Wide | None = None,
    pred_probs: Floats | None = None,
    pred_probs_unlabeled: Floats | None = None,
    *,
    multi_label: bool = False,
) -> tuple[Float64s, Float64s]:
    """`get_active_learning_scores` for an ensemble.

    Parameters
    ----------
    labels_multiannotator : DataFrame or ndarray, shape (n_examples, n_annotators), optional
    pred_probs : ndarray, shape (n_models, n_examples, n_classes), optional
    pred_probs_unlabeled : ndarray, shape (n_models, n_unlabelled, n_classes), optional
    multi_label : bool
        As in `get_active_learning_scores`.

    Returns
    -------
    labeled, unlabeled : ndarray of float64

    Raises
    ------
    ValueError, TypeError
        As in `get_active_learning_scores`.
    """
    scores = _scores_of_sets if multi_label else _active_learning_scores
    return scores(labels_multiannotator, pred_probs, pred_probs_unlabeled, 3)


def get_majority_vote_label(
    labels_multiannotator: Wide, pred_probs: Floats | None = None, verbose: bool = True
) -> Ints:
    """Majority vote of each example.

    Ties go to the highest probability (if given), then to the class with the fewest labels, then to the
    more reliable annotators, then to a draw with a fixed seed.

    Parameters
    ----------
    labels_multiannotator : DataFrame or ndarray, shape (n_examples, n_annotators)
    pred_probs : ndarray, shape (n_examples, n_classes), optional
        Breaks ties and fixes K; by default K is the largest label plus one.
    verbose : bool
        Check the input in full and print which classes the vote lost.

    Returns
    -------
    ndarray of int64, shape (n_examples,)

    Raises
    ------
    ValueError
        If labels or probabilities are malformed.

    Examples
    --------
    >>> import numpy as np
    >>> from activelab.multiannotator import get_majority_vote_label
    >>> get_majority_vote_label(np.array([[0, 0, 1], [1, 1, 0]]))
    array([0, 1])
    """
    wide = _Wide(labels_multiannotator)
    if verbose:
        wide.check(pred_probs, dimensions=2)
    else:
        wide.check_pred_probs(pred_probs, dimensions=2)
    labels = wide.labels(wide.highest_class() if pred_probs is None else pred_probs.shape[1])
    models: Models = () if pred_probs is None else check_pred_probs(pred_probs, labels)
    sums = label_sums(labels)
    label = vote_labels(labels, sums, models, (None,) * len(models), conventions=REFERENCE)
    if verbose:
        _print_lost_classes(labels, label, "majority_vote")
    return label.astype(np.int64)


def convert_long_to_wide_dataset(labels_multiannotator_long: pd.DataFrame) -> pd.DataFrame:
    """A wide table from a long one with columns task, annotator and label.

    Rows and columns come out sorted by id: probabilities must be in the same order as the rows.

    Parameters
    ----------
    labels_multiannotator_long : DataFrame
        One row a label; further columns are ignored.

    Returns
    -------
    DataFrame, shape (n_examples, n_annotators)

    Raises
    ------
    ValueError
        If an annotator labelled a task twice.

    Examples
    --------
    >>> import pandas as pd
    >>> from activelab.multiannotator import convert_long_to_wide_dataset
    >>> long = pd.DataFrame({"task": ["b", "a"], "annotator": [1, 1], "label": [0, 1]})
    >>> convert_long_to_wide_dataset(long).index.tolist()
    ['a', 'b']
    """
    wide = labels_multiannotator_long.pivot(index="task", columns="annotator", values="label")
    return wide.rename_axis(index=None, columns=None)


def format_multiannotator_labels(labels: Wide) -> tuple[pd.DataFrame, dict[int, Any]]:
    """Labels of any kind as integers 0..K-1, as the functions of this module take them.

    Parameters
    ----------
    labels : DataFrame or ndarray, shape (n_examples, n_annotators)
        Text or numbers, NaN, None or NA where missing.

    Returns
    -------
    formatted : DataFrame of float, shape (n_examples, n_annotators)
        Codes of the labels, NaN where missing.
    mapping : dict
        The label behind each code.

    Raises
    ------
    InputError
        If the matrix holds no label or does not have two dimensions.

    Examples
    --------
    >>> import numpy as np
    >>> from activelab.multiannotator import format_multiannotator_labels
    >>> formatted, mapping = format_multiannotator_labels(np.array([["dog", None], ["cat", "dog"]]))
    >>> formatted.to_numpy().tolist(), mapping
    ([[1.0, nan], [0.0, 1.0]], {0: 'cat', 1: 'dog'})
    """
    if isinstance(labels, np.ndarray) and labels.dtype.kind == "U":
        labels = labels.astype(object)
        labels[labels == "nan"] = None  # what NaN becomes among texts
    table = Labels.from_wide(labels)
    cells = np.full((table.n_examples, table.n_annotators), np.nan)
    cells[table.example, table.annotator] = table.label
    formatted = pd.DataFrame(cells, index=table.examples, columns=table.annotators)
    return formatted, dict(enumerate(table.classes.tolist()))


class _Wide:
    """The labels of a dense matrix: row, column and value of each, and the ids of both axes."""

    def __init__(self, matrix: Any) -> None:
        self.index = self.columns = None
        if isinstance(matrix, pd.DataFrame):
            self.index, self.columns = matrix.index, matrix.columns
            values = _dense(matrix)
        elif isinstance(matrix, np.ndarray):
            values = matrix if matrix.dtype.kind in "iufb" else _floats(matrix)
        else:
            raise ValueError("labels_multiannotator must be a numpy array or a pandas DataFrame.")
        if values.ndim != 2:
            raise ValueError(
                "labels_multiannotator must have two dimensions, one row an example and one column an "
                f"annotator; got shape {values.shape}."
            )
        self.shape = values.shape
        # The cells are read in the order in which they lie in memory.
        by_column = values.flags.f_contiguous and not values.flags.c_contiguous
        flat = np.ascontiguousarray(values.T if by_column else values).reshape(-1)
        here = np.flatnonzero(flat == flat) if flat.dtype.kind == "f" else np.arange(len(flat))
        self.value = flat[here]
        width = max(self.shape[0 if by_column else 1], 1)
        outer, inner = np.divmod(here, width)
        self.row, self.column = (inner, outer) if by_column else (outer, inner)
        self.counts = np.bincount(self.row, minlength=self.shape[0])

    @property
    def single(self) -> bool:
        """Whether every example has exactly one label."""
        return bool((self.counts == 1).all())

    def highest_class(self) -> int:
        return int(self.value.max(initial=-1)) + 1

    def labels(self, n_classes: int, n_unlabelled: int = 0) -> Labels:
        """The sparse table over ``n_classes``, with unlabelled examples appended to the pool."""
        return Labels(
            self.row,
            self.column,
            self.value.astype(np.int64),
            examples=self.shape[0] + n_unlabelled,
            annotators=self.shape[1],
            classes=n_classes,
        )

    def check(self, pred_probs: Any, dimensions: int, allow_single: bool = False) -> None:
        """Raise or warn as the reference does, in its order (mathematics.md §15)."""
        if not self.counts.all():
            empty = first(np.flatnonzero(self.counts == 0)[:11])
            raise ValueError(
                f"each example needs at least one label, but labels_multiannotator has rows of NaN: {empty}."
            )
        given = np.bincount(self.column, minlength=self.shape[1])
        if not given.all():
            empty_columns = np.flatnonzero(given == 0)
            ids = empty_columns if self.columns is None else self.columns[empty_columns]
            raise ValueError(
                f"each annotator needs at least one label, but columns {first(ids[:11])} are all NaN."
            )
        if not allow_single:
            if self.shape[1] <= 1:
                raise ValueError(
                    "labels_multiannotator has one column: the quality of the labels of a single annotator "
                    "needs another method (cleanlab.rank.get_label_quality_scores)."
                )
            if self.single:
                raise ValueError(
                    "every example has one label: agreement of annotators cannot be estimated "
                    "(for single labels see cleanlab.rank.get_label_quality_scores)."
                )
            key = np.sort(self.row * (self.value.max(initial=0) + 1) + self.value)
            if not (key[1:] == key[:-1]).any():
                warnings.warn("Annotators do not agree on any example. Check input data.", stacklevel=3)
        if (self.value != np.floor(self.value)).any() or not np.isfinite(self.value).all():
            raise ValueError("labels must be integers 0, 1, …, K-1.")
        if self.value.min(initial=0) < 0:
            raise ValueError("labels must not be negative: they are integers 0, 1, …, K-1.")
        self.check_pred_probs(pred_probs, dimensions)

    def check_pred_probs(self, pred_probs: Any, dimensions: int) -> None:
        if pred_probs is None:
            return
        _check_dimensions(pred_probs, dimensions)
        if pred_probs.shape[-2] != self.shape[0]:
            raise ValueError(
                f"pred_probs and labels_multiannotator must have the same length, got "
                f"{pred_probs.shape[-2]} and {self.shape[0]}."
            )
        if pred_probs.shape[-1] < self.highest_class():
            raise ValueError(
                f"pred_probs must have at least {self.highest_class()} columns: the largest label is "
                f"{self.highest_class() - 1}. A class that lost every consensus still needs its column."
            )


def _dense(frame: pd.DataFrame) -> Ids:
    if all(isinstance(dtype, np.dtype) and dtype.kind in "iufb" for dtype in frame.dtypes):
        return frame.to_numpy()
    if all(getattr(dtype, "kind", "O") in "iufb" for dtype in frame.dtypes):
        return frame.to_numpy(dtype=float, na_value=np.nan)
    return _floats(frame.to_numpy(object))


def _floats(cells: Ids) -> Ids:
    if any(isinstance(cell, str) for cell in cells.ravel()):
        raise ValueError("labels must be integers 0, 1, …, K-1, not text.")
    return pd.DataFrame(cells).replace({pd.NA: np.nan, None: np.nan}).astype(float).to_numpy()


def _check_dimensions(pred_probs: Any, dimensions: int) -> None:
    if not isinstance(pred_probs, np.ndarray):
        raise TypeError("pred_probs must be a numpy array.")
    if pred_probs.ndim != dimensions:
        other = "an ensemble" if dimensions == 2 else "a single model"
        hint = f" There is a function for {other}." if pred_probs.ndim == 5 - dimensions else ""
        raise ValueError(f"pred_probs must be a {dimensions}d array, got {pred_probs.ndim}d.{hint}")


class _Quality:
    """A consensus with the quality scores asked for."""

    def __init__(
        self, consensus: Consensus, sums: LabelSums, quality_method: str, scoring: dict[str, Any]
    ) -> None:
        labels = consensus.labels
        self.consensus = consensus
        score = _scoring(scoring)
        self.label_quality = score(labels.example, labels.label, consensus.posterior)
        if quality_method == "agreement":
            self.score = consensus.agreement
        else:
            rows = np.arange(labels.n_examples)
            self.score = score(rows, consensus.label, consensus.posterior)
        crowdlab = quality_method == "crowdlab"
        self.table: AnnotatorTable = annotator_table(
            labels,
            consensus.label,
            self.score,
            sums,
            consensus.annotators.weight,
            label_quality=self.label_quality if crowdlab else None,
            model_weight=consensus.model_weight if crowdlab else None,
        )


def _quality(
    wide: _Wide,
    pred_probs: Floats,
    names: list[str],
    quality_method: str,
    calibrate: bool,
    verbose: bool,
    scoring: dict[str, Any] | None,
) -> dict[str, _Quality]:
    """Consensus and quality by each of the named consensus methods, in their order."""
    labels = wide.labels(pred_probs.shape[-1])
    models = check_pred_probs(pred_probs, labels)
    betas: Betas = (None,) * len(models)
    if calibrate:
        betas = TemperatureScaling(search="grid").fit_models(labels, models).betas
    sums = label_sums(labels)
    if verbose and not sums.verified.all():
        print(
            f"Annotators {first(np.flatnonzero(~sums.verified)[:11])} share no example with another; "
            "they get the mean agreement of the others."
        )
    votes = vote_labels(labels, sums, models, betas, conventions=REFERENCE)
    results = {}
    for name in names:
        if quality_method == "agreement":
            consensus = _by_agreement(labels, votes, sums)
        else:
            given = votes if name == "majority_vote" else None
            consensus = crowdlab_consensus(labels, models, betas, conventions=REFERENCE, label=given)
        results[name] = _Quality(consensus, sums, quality_method, scoring or {})
        if verbose:
            _print_lost_classes(labels, consensus.label, name)
    return results


def _by_agreement(labels: Labels, votes: Ints, sums: LabelSums) -> Consensus:
    """Majority vote with shares of the votes as posterior: both consensus methods coincide."""
    cell = labels.example.astype(np.int64) * labels.n_classes + labels.label
    counts = np.bincount(cell, minlength=labels.n_examples * labels.n_classes)
    share = counts.reshape(labels.n_examples, labels.n_classes) / labels.counts[:, None]
    return Consensus.build(labels, votes, share, sums, annotator_weight=np.ones(labels.n_annotators))


def _scoring(options: dict[str, Any]) -> Any:
    """Quality of labels ``label`` on examples ``row`` under a posterior."""
    unknown = set(options) - {"method", "adjust_pred_probs"}
    if unknown or options.get("adjust_pred_probs"):
        raise ValueError(
            "label_quality_score_kwargs may hold 'method' only; adjust_pred_probs=True is not supported."
        )
    method = options.get("method", "self_confidence")

    def self_confidence(row: Ints, label: Ints, q: Float64s) -> Float64s:
        return np.asarray(q[row, label])

    def normalized_margin(row: Ints, label: Ints, q: Float64s) -> Float64s:
        others = q[row]
        others[np.arange(len(row)), label] = -np.inf
        return np.asarray((q[row, label] - others.max(axis=1) + 1) / 2)

    def confidence_weighted_entropy(row: Ints, label: Ints, q: Float64s) -> Float64s:
        entropy = -np.einsum("ij,ij->i", q, np.log(np.maximum(q, 1e-300))) / np.log(q.shape[1])
        ratio = entropy[row] / np.maximum(q[row, label], 1e-6)
        return np.asarray(np.log1p(ratio) / np.maximum(ratio, 1e-6))

    known = {f.__name__: f for f in (self_confidence, normalized_margin, confidence_weighted_entropy)}
    if method not in known:
        raise ValueError(f"label_quality_score_kwargs['method'] must be one of {tuple(known)}.")
    return known[method]


def _report(wide: _Wide, results: dict[str, _Quality], detailed: bool, statistics: bool) -> dict[str, Any]:
    """The frames of `get_label_quality_multiannotator`."""
    main, *others = results.items()
    columns = _columns(main[1], "") | {"num_annotations": wide.counts}
    for name, result in others:
        columns |= _columns(result, f"_{name}")
    info: dict[str, Any] = {"label_quality": pd.DataFrame(columns, index=wide.index)}
    if detailed:
        labels = main[1].consensus.labels
        cells = np.full(wide.shape, np.nan)
        cells[labels.example, labels.annotator] = main[1].label_quality
        ids = range(wide.shape[1]) if wide.columns is None else wide.columns
        names = [f"quality_annotator_{annotator}" for annotator in ids]
        info["detailed_label_quality"] = pd.DataFrame(cells, index=wide.index, columns=names, copy=False)
    if statistics:
        table = main[1].table
        frame = pd.DataFrame(
            {
                "annotator_quality": table.quality,
                "agreement_with_consensus": table.agreement_with_consensus,
                "worst_class": table.worst_class,
                "num_examples_labeled": table.num_labels,
            },
            index=wide.columns,
        )
        info["annotator_stats"] = frame.sort_values(["annotator_quality", "agreement_with_consensus"])
    return info


def _columns(result: _Quality, suffix: str) -> dict[str, Any]:
    return {
        f"consensus_label{suffix}": result.consensus.label.astype(np.int64),
        f"consensus_quality_score{suffix}": result.score,
        f"annotator_agreement{suffix}": result.consensus.agreement,
    }


def _active_learning_scores(
    matrix: Wide | None, pred_probs: Floats | None, unlabeled: Floats | None, dimensions: int
) -> tuple[Float64s, Float64s]:
    """Scores over one pool: the labelled examples followed by the unlabelled ones."""
    if pred_probs is None and unlabeled is None:
        raise ValueError("give pred_probs, pred_probs_unlabeled, or both: they cannot both be None.")
    given = [p for p in (pred_probs, unlabeled) if p is not None]
    for one in given:
        _check_dimensions(one, dimensions)
    if len({p.shape[-1] for p in given}) > 1 or len({p.shape[0] for p in given if dimensions == 3}) > 1:
        raise ValueError(
            "pred_probs and pred_probs_unlabeled must have the same number of classes and of models."
        )
    n_unlabelled = 0 if unlabeled is None else unlabeled.shape[-2]
    n_classes = given[0].shape[-1]
    if pred_probs is None:
        labels = Labels([], [], [], examples=n_unlabelled, annotators=0, classes=n_classes)
    elif matrix is None:
        raise ValueError(
            "pred_probs needs labels_multiannotator; for unlabelled examples alone give only "
            "pred_probs_unlabeled."
        )
    else:
        wide = _Wide(matrix)
        wide.check(pred_probs, dimensions, allow_single=wide.single)
        labels = wide.labels(n_classes, n_unlabelled)
    pool = given[0] if len(given) == 1 else np.concatenate(given, axis=-2)
    models = check_pred_probs(pool, labels)
    scores = ActiveLab(conventions=REFERENCE).score_models(labels, models)
    n_labelled = labels.n_examples - n_unlabelled
    return scores[:n_labelled], scores[n_labelled:]


def _scores_of_sets(
    labels: Any, pred_probs: Floats | None, pred_probs_unlabeled: Floats | None, dimensions: int
) -> tuple[Float64s, Float64s]:
    """Mean over the classes of the scores of each as a yes-no question."""
    for given in (pred_probs, pred_probs_unlabeled):
        if given is not None:
            _check_dimensions(given, dimensions)
    given = pred_probs if pred_probs is not None else pred_probs_unlabeled
    if given is None:
        return _active_learning_scores(labels, pred_probs, pred_probs_unlabeled, dimensions)
    table = None if labels is None else _yes_and_no(labels, given.shape[-1])
    scores = []
    for code in range(given.shape[-1]):
        of_class = None if table is None else table[:, :, code]
        one, other = (_yes_or_no(probs, code) for probs in (pred_probs, pred_probs_unlabeled))
        scores.append(_active_learning_scores(of_class, one, other, dimensions))
    labeled, unlabeled = (np.mean(part, axis=0) for part in zip(*scores, strict=True))
    return labeled, unlabeled


def _yes_or_no(pred_probs: Floats | None, code: int) -> Floats | None:
    """Probabilities of one class as those of no and yes."""
    if pred_probs is None:
        return None
    return np.stack([1 - pred_probs[..., code], pred_probs[..., code]], axis=-1)


def _yes_and_no(labels: Any, n_classes: int) -> Float64s:
    """1 where an annotator chose a class, 0 where not, NaN where nobody asked."""
    if isinstance(labels, np.ndarray) and labels.ndim == 3:
        if labels.shape[2] != n_classes:
            raise InputError(f"labels have {labels.shape[2]} classes, pred_probs {n_classes}.")
        return labels.astype(np.float64)
    sets = LabelSets.from_wide(labels, n_classes)
    table = np.full((sets.n_examples, sets.n_annotators, n_classes), np.nan)
    table[sets.example, sets.annotator] = sets.chosen
    return table


def _print_lost_classes(labels: Labels, consensus: Ints, method: str) -> None:
    used = np.bincount(labels.label, minlength=labels.n_classes) > 0
    kept = np.bincount(consensus, minlength=labels.n_classes) > 0
    lost = np.flatnonzero(used & ~kept)
    if len(lost):
        print(
            f"CAUTION: no consensus label by {method!r} is of class {first(lost)}, though annotators used "
            "it; a classifier trained on the consensus will never see it."
        )
