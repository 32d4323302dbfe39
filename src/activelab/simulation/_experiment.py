"""Experiments: every method × trial of a configuration, in parallel, resumable."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import tomllib
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from activelab._errors import InputError, unknown
from activelab._progress import Show, shown
from activelab._registry import import_object
from activelab._typing import Floats
from activelab._whole import whole_file
from activelab.kinds import KINDS
from activelab.learner import ActiveLearner
from activelab.simulation._annotators import make_team
from activelab.simulation._datasets import load_dataset
from activelab.simulation._rounds import SimulatedRound, Simulation, initial_labels
from activelab.strategies import Strategy

if TYPE_CHECKING:
    import pyarrow as pa

_COLUMNS = (
    "dataset",
    "model",
    "method",
    "trial",
    "round",
    "num_annotations",
    "test_accuracy",
    "test_accuracy_averaged",
    "consensus_accuracy",
    "num_labelled",
    "relabel_share",
    "temperature",
    "model_weight",
    "seconds",
    "fit_seconds",
)

_LEAST = {
    "labelled": 2,
    "unlabelled": -1,
    "test": 0,
    "batch_size": 1,
    "rounds": 0,
    "trials": 0,
    "cv": 2,
    "class_price": 0,
    "seed": 0,
}


_FRACTIONS = ("noise", "class_price")
# Of ratings all is alike but what is asked.
_COMPARED = {
    "ordinal": ("expected_loss", "random+training=cautious+passes=2"),
    "multilabel": ("expected_loss", "random"),
}


@dataclass(frozen=True)
class Experiment:
    """A whole experiment: what is compared, on what, how often.

    Attributes
    ----------
    dataset : str
        A name or a folder (see `load_dataset`).
    model : str
        "extra-trees", "mlp", "knn", "logistic-regression", "linear-head" (for embeddings), "linear-heads"
        (an ensemble of one on each third of the columns), "ensemble" (the paper's three), or an import
        path ``module:attribute`` of a classifier, a class or function that makes one, or a list of them.
    methods : tuple of str
        Acquisition methods, or strategies made of parts, as
        ``activelab+consensus=bayesian+training=soft+passes=2+assignment=thompson`` (see
        `activelab.strategies.Strategy`).
    labelled, unlabelled, test : int
        Sizes of the three parts, drawn without replacement for each trial. With ``test`` 0 the examples
        the dataset keeps apart are the test; ``unlabelled`` −1 takes all that remain.
    batch_size, rounds, trials, cv : int
    annotators : str
        Kind of team (see `make_team`).
    noise : float
    num_annotators : int
    single_label : bool
        Never ask for a second label of an example.
    kind : str
        Kind of question: "single", "ordinal" (the classes are points of a scale) or "multilabel". It decides
        what is measured (see `SimulatedRound.scores`). For ratings the consensus is the ordinal one unless a
        strategy names another.
    class_price : float
        Of sets, the price of a question about one class, a whole answer costing 1; 0 for one over the number
        of classes. A batch costs ``batch_size`` whole answers.
    seed : int
        Trial t draws data, team, initial labels and learner from seed + t: the methods share them.
    """

    dataset: str = "wall-robot"
    model: str = "extra-trees"
    methods: tuple[str, ...] = ("activelab", "random")
    labelled: int = 500
    unlabelled: int = 1500
    test: int = 1000
    batch_size: int = 100
    rounds: int = 20
    trials: int = 5
    cv: int = 5
    annotators: str = "class-conditional"
    noise: float = 0.15
    num_annotators: int = 30
    single_label: bool = False
    kind: str = "single"
    class_price: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        KINDS.get(self.kind)
        for name, least in _LEAST.items():
            if getattr(self, name) < least:
                raise InputError(f"{name} must be at least {least}, got {getattr(self, name)}.")
        if len(set(self.methods)) < len(self.methods):
            raise InputError(f"methods names a method twice: {', '.join(self.methods)}.")

    @classmethod
    def fitting(cls, dataset: str, kind: str | None = None) -> Experiment:
        """The default experiment on a dataset, whatever its size, and on its kind of question.

        The sizes are the paper's, in the same proportions for a dataset with fewer examples; the test is the
        one the dataset keeps apart, if it does. Recorded labels are replayed. Wall Robot Complete starts with
        every example labelled.

        Raises
        ------
        InputError
            If the dataset is unknown or cannot be had.

        Examples
        --------
        >>> from activelab.simulation import Experiment
        >>> fitting = Experiment.fitting("digits")
        >>> fitting.labelled, fitting.unlabelled, fitting.test
        (299, 899, 599)
        """
        data, default = load_dataset(dataset), cls()
        apart = data.X_test is not None
        wanted = [default.labelled, default.unlabelled, 0 if apart else default.test]
        share = min(1.0, len(data.X) / sum(wanted))
        kind = data.kind if kind is None else KINDS.get(kind).name
        labelled, pool, used = (int(share * size) for size in np.cumsum(wanted))
        if dataset == "wall-robot-complete":
            labelled = pool
        return replace(
            default,
            dataset=dataset,
            labelled=max(labelled, 2),
            unlabelled=max(pool - labelled, 0),
            test=used - pool,
            annotators=simulated_team(kind) if data.labels is None else "replay",
            kind=kind,
            methods=_COMPARED.get(kind, default.methods),
        )

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str]) -> Experiment:
        """Read a configuration; keys are the attributes, those left out keep their defaults.

        Raises
        ------
        InputError
            If the file is not TOML, or a key is unknown or of another type.
        """
        try:
            with open(path, "rb") as file:
                given = tomllib.load(file)
        except FileNotFoundError:
            raise InputError(f"{path}: no such file.") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{path} is not TOML: {error}.") from None
        types = {field.name: type(field.default) for field in fields(cls)}
        for key, value in given.items():
            if key not in types:
                raise unknown(f"key in {path}", key, list(types))
            wanted = (int, float) if types[key] is float else types[key]
            if types[key] is tuple:
                wanted = list
            fits = isinstance(value, wanted) and isinstance(value, bool) == (wanted is bool)
            if wanted is list:
                fits = fits and all(isinstance(one, str) for one in value)
            if not fits:
                name = "list of str" if wanted is list else types[key].__name__
                raise InputError(f"{path}: {key} = {value!r} should be of type {name}.")
        if "methods" in given:
            given["methods"] = tuple(given["methods"])
        return cls(**given)

    def to_toml(self) -> str:
        """The configuration as TOML."""
        lines = []
        for name, value in asdict(self).items():
            shown = json.dumps(float(value) if name in _FRACTIONS else value, ensure_ascii=False)
            lines.append(f"{name} = {shown}")
        return "\n".join(lines) + "\n"

    @property
    def key(self) -> str:
        """Identifies all that decides a trial of one method: everything but methods, rounds and trials."""
        deciding = replace(self, methods=(), rounds=0, trials=0)
        return hashlib.sha256(deciding.to_toml().encode()).hexdigest()[:16]


def simulated_team(kind: str) -> str:
    """The team that is simulated for a kind of question, if none is named (see `make_team`)."""
    return {"ordinal": "raters", "multilabel": "heterogeneous"}.get(kind, Experiment.annotators)


def make_model(name: str) -> Any:
    """A classifier by name, or by import path ``module:attribute``; a list for an ensemble.

    Raises
    ------
    InputError
        If the name is unknown or nothing can be imported.

    Examples
    --------
    >>> from activelab.simulation import make_model
    >>> make_model("sklearn.naive_bayes:GaussianNB")
    GaussianNB()
    """
    if name in _MODELS:
        return _MODELS[name]()
    if ":" not in name:
        raise unknown("model (and no import path module:attribute)", name, list(_MODELS))
    found = import_object(name, "model")
    try:
        made = isinstance(found, list) or (hasattr(found, "get_params") and not isinstance(found, type))
        return found if made else found()
    except (TypeError, ValueError) as error:
        raise InputError(f"cannot make model {name!r}: {error}.") from None


def _extra_trees() -> Any:
    from sklearn.ensemble import ExtraTreesClassifier

    return ExtraTreesClassifier()


def _mlp() -> Any:
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier(max_iter=500)


def _knn() -> Any:
    from sklearn.neighbors import KNeighborsClassifier

    return KNeighborsClassifier(weights="distance")


def _logistic_regression() -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))


def _linear_head() -> Any:
    """A strongly regularised linear model, for embeddings of unit scale."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=0.01, max_iter=200)


def _linear_heads() -> list[Any]:
    """A linear head on each third of the columns: three embeddings side by side."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    return [
        make_pipeline(FunctionTransformer(_third, kw_args={"which": which}), _linear_head())
        for which in range(3)
    ]


def _third(X: Floats, which: int) -> Floats:
    width = X.shape[1]
    return X[:, which * width // 3 : (which + 1) * width // 3]


_MODELS: dict[str, Callable[[], Any]] = {
    "extra-trees": _extra_trees,
    "mlp": _mlp,
    "knn": _knn,
    "logistic-regression": _logistic_regression,
    "linear-head": _linear_head,
    "linear-heads": _linear_heads,
    "ensemble": lambda: [_mlp(), _extra_trees(), _knn()],
}


def model_names() -> list[str]:
    """Names `make_model` knows."""
    return list(_MODELS)


def prepare(experiment: Experiment, method: str, trial: int) -> Simulation:
    """The simulation of one method and trial, before its first round.

    Raises
    ------
    InputError
        If the dataset has too few examples, or a name is unknown.
    """
    kind = KINDS.get(experiment.kind)
    strategy = Strategy.of(method, decides=kind.decides)
    dataset = load_dataset(experiment.dataset)
    if (dataset.truth.ndim == 2) != (kind.name == "multilabel"):
        raise InputError(
            f"dataset {dataset.name!r} is for questions of the kind {dataset.kind}, not {kind.name}."
        )
    if kind.name == "multilabel":
        strategy.check_sets()
    # One independent seed for each thing that is drawn; the methods of a trial share them.
    source = np.random.SeedSequence(experiment.seed + trial)
    split, people, start, asked, learning = source.generate_state(5).tolist()
    order = np.random.default_rng(split).permutation(len(dataset.X))
    test, rest = order[: experiment.test], order[experiment.test :]
    if experiment.test == 0 and dataset.X_test is None:
        raise InputError(f"dataset {dataset.name!r} keeps no test examples apart: give test > 0.")
    size = len(rest) if experiment.unlabelled < 0 else experiment.labelled + experiment.unlabelled
    if size > len(rest) or experiment.labelled > size:
        parts = (experiment.labelled, max(experiment.unlabelled, 0), experiment.test)
        raise InputError(
            f"dataset {dataset.name!r} has {len(order):,} examples, fewer than labelled + unlabelled + test "
            f"= {' + '.join(f'{size:,}' for size in parts)} = {sum(parts):,}. Make some of them smaller."
        )
    pool = rest[:size]
    team = make_team(
        experiment.annotators,
        dataset,
        pool,
        noise=experiment.noise,
        num_annotators=experiment.num_annotators,
        seed=people,
    )
    labels = initial_labels(
        team,
        size,
        len(dataset.classes),
        experiment.labelled,
        seed=start,
        single_label=experiment.single_label,
    )
    X_test, truth_test = dataset.X[test], dataset.truth[test]
    if dataset.X_test is not None and dataset.truth_test is not None and experiment.test == 0:
        X_test, truth_test = dataset.X_test, dataset.truth_test
    return Simulation(
        ActiveLearner(make_model(experiment.model), strategy, experiment.cv, seed=learning),
        dataset.X[pool],
        dataset.truth[pool],
        labels,
        team,
        X_test=X_test,
        truth_test=truth_test,
        batch_size=experiment.batch_size,
        kind=kind,
        class_price=experiment.class_price or None,
        single_label=experiment.single_label,
        seed=asked,
    )


def run_experiment(
    experiment: Experiment,
    folder: str | os.PathLike[str],
    *,
    n_jobs: int | None = None,
    progress: bool | Show | None = None,
) -> Iterator[tuple[str, int, int]]:
    """Run what is missing of an experiment; results and checkpoints live in ``folder``.

    After every round a checkpoint holds the rows so far and all that the next round follows from. A run
    that was killed therefore goes on with the round it was in, and gives the same table as one that was
    not.

    Parameters
    ----------
    experiment : Experiment
    folder : path
        Made if it is missing. ``experiment.toml`` in it states the experiment.
    n_jobs : int, optional
        Parallel trials, as in joblib.
    progress : bool or callable, optional
        In a notebook a bar with the time left; False for none. A function is told which trial was done, how
        many are, and of how many.

    Yields
    ------
    (method, trial, rounds) : tuple of (str, int, int)
        As each method and trial is done: how many rounds it has.

    Raises
    ------
    InputError
        If the folder holds another experiment.
    """
    from joblib import Parallel, delayed

    place = Path(folder)
    units = [(method, trial) for trial in range(experiment.trials) for method in experiment.methods]
    for method in experiment.methods:
        prepare(experiment, method, 0)  # a mistake in the configuration shows before anything is written
    place.mkdir(parents=True, exist_ok=True)
    _state(experiment, place)
    jobs = (delayed(run_unit)(experiment, method, trial, place) for method, trial in units)
    with shown(progress) as show:
        show("", 0, len(units))
        for done, unit in enumerate(Parallel(n_jobs=n_jobs, return_as="generator_unordered")(jobs), 1):
            show(f"{unit[0]}, trial {unit[1]}", done, len(units))
            yield unit


def _state(experiment: Experiment, place: Path) -> None:
    stated = place / "experiment.toml"
    if stated.exists() and Experiment.from_toml(stated).key != experiment.key:
        raise InputError(
            f"{place} holds another experiment (see {stated}); only methods, rounds and trials may change. "
            "Choose another folder."
        )
    with whole_file(stated) as file:
        file.write(experiment.to_toml().encode())


def run_unit(experiment: Experiment, method: str, trial: int, place: Path) -> tuple[str, int, int]:
    """Run one method and trial to its last round, from its checkpoint if there is one."""
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    checkpoint = _checkpoint(place, method, trial)
    simulation, rows = prepare(experiment, method, trial), list[dict[str, Any]]()
    if checkpoint.exists():
        with open(checkpoint, "rb") as file:
            state, rows = pickle.load(file)
        simulation.restore(state)
    with threadpool_limits(1), warnings.catch_warnings():
        # The paper stops its MLP after 500 iterations, converged or not.
        warnings.simplefilter("ignore", ConvergenceWarning)
        while simulation.number <= experiment.rounds and simulation.can_go_on():
            rows.append(_row(experiment, method, trial, simulation.round()))
            with whole_file(checkpoint) as file:
                pickle.dump((simulation.state(), rows), file)
    return method, trial, len(rows)


def _row(experiment: Experiment, method: str, trial: int, measured: SimulatedRound) -> dict[str, Any]:
    values = {
        "dataset": experiment.dataset,
        "model": experiment.model,
        "method": method,
        "trial": trial,
        "round": measured.number,
        "num_annotations": measured.spent if experiment.kind == "multilabel" else int(measured.spent),
    }
    rest = [name for name in _COLUMNS if name not in values]
    return values | {name: getattr(measured, name) for name in rest} | measured.scores


def results_table(experiment: Experiment, folder: str | os.PathLike[str]) -> pa.Table:
    """The rows of an experiment so far, ordered by method, trial and round.

    The configuration is stored with them, as the schema's metadata ``experiment``.
    """
    import pyarrow as pa

    rows: list[dict[str, Any]] = []
    for method in experiment.methods:
        for trial in range(experiment.trials):
            checkpoint = _checkpoint(Path(folder), method, trial)
            if checkpoint.exists():
                with open(checkpoint, "rb") as file:
                    rows += [row for row in pickle.load(file)[1] if row["round"] <= experiment.rounds]
    scores = [name for name in (rows[0] if rows else ()) if name not in _COLUMNS]
    table = pa.table({name: [row[name] for row in rows] for name in (*_COLUMNS, *scores)})
    return table.replace_schema_metadata({"experiment": experiment.to_toml()})


def _checkpoint(place: Path, method: str, trial: int) -> Path:
    return place / f"{method}-{trial:03d}.checkpoint"
