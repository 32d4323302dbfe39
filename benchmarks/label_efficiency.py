"""How many labels each strategy needs for the accuracy the paper's ActiveLab ends with.

    python benchmarks/label_efficiency.py confirm --folder efficiency --report docs/results/strategies.md

Groups of settings, a setting being a dataset, a team of annotators and a classifier: `develop`, on which
`frugal` was chosen; `first`, on which an earlier version failed; `confirm`, on which it was
then measured, once; `taught`, on which the strategy of that name was measured, and `unbalanced`, on which
it fails; `parts`, which varies one part at a time; `rivals`, where strategies of others run beside the
package's (it needs scikit-activeml and torch). A group can be stopped and goes on where it was. Datasets
are read from the folder ACTIVELAB_DATA; wide features are reduced to 40 principal components,
which takes no labels.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.datasets import load_breast_cancer, make_classification
from sklearn.decomposition import PCA
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from _common import versions
from _rivals import RIVALS, see
from _rivals_table import rivals_markdown
from activelab.simulation import (
    Curves,
    Experiment,
    Simulation,
    learning_curves_of,
    load_dataset,
    results_table,
    run_experiment,
)
from activelab.simulation._experiment import prepare
from activelab.strategies import split_strategies
from activelab.tables import write_table
from efficiency_tables import efficiency_markdown, strategies_markdown

ACTIVELAB = "activelab"
FRUGAL = "frugal"
CHOOSING = "frugal+assignment=thompson+max_share=0.2"
BAR = (ACTIVELAB, FRUGAL, CHOOSING)
TAUGHT = (ACTIVELAB, FRUGAL, "taught", "taught+assignment=thompson+max_share=0.2")

_SIZE: dict[str, Any] = {
    "methods": BAR, "labelled": 150, "unlabelled": 1050, "test": 1000, "batch_size": 50, "rounds": 16,
    "cv": 3, "trials": 10, "seed": 1000,
}  # fmt: skip
_SMALL: dict[str, Any] = _SIZE | {
    "labelled": 60, "unlabelled": 240, "test": 269, "batch_size": 20, "rounds": 12,
}  # fmt: skip


_MADE_UP: dict[str, dict[str, Any]] = {
    "made-up": {
        "n_features": 12, "n_informative": 6, "n_redundant": 2, "n_classes": 5, "class_sep": 1.3,
        "random_state": 0,
    },
    "three-classes": {
        "n_features": 20, "n_informative": 8, "n_redundant": 0, "n_classes": 3, "class_sep": 1.0,
        "random_state": 1,
    },
    "eight-classes": {
        "n_features": 16, "n_informative": 10, "n_redundant": 2, "n_classes": 8, "class_sep": 1.5,
        "random_state": 2,
    },
}  # fmt: skip


def trees() -> Any:
    """Extra trees, few of them."""
    return ExtraTreesClassifier(15)


def logistic() -> Any:
    """Logistic regression on standardised features."""
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=60))


def network() -> Any:
    """A small network, trained briefly."""
    return make_pipeline(StandardScaler(), MLPClassifier((30,), max_iter=40, learning_rate_init=0.01))


def neighbours() -> Any:
    """Nearest neighbours, which take no weights."""
    return make_pipeline(StandardScaler(), KNeighborsClassifier(7, weights="distance"))


def bayes() -> Any:
    """Naive Bayes."""
    return GaussianNB()


def setting(dataset: str, model: str, annotators: str, noise: float = 0.15, **size: Any) -> Experiment:
    """One setting, in the common sizes."""
    size = _SIZE | size
    return Experiment(
        dataset=dataset, model=f"label_efficiency:{model}", annotators=annotators, noise=noise, **size
    )


def develop() -> list[Experiment]:
    """What the strategy was chosen on."""
    chosen = [
        ("digits", "trees", "class-conditional", 0.3),
        ("digits", "logistic", "heterogeneous", 0.3),
        ("digits", "neighbours", "adversarial", 0.2),
        ("wall-robot", "trees", "difficulty", 0.2),
        ("wall-robot", "logistic", "homogeneous", 0.3),
        ("product", "logistic", "replay", 0.0),
    ]
    return [setting(*one, seed=0, trials=3, rounds=10, unlabelled=650, test=800) for one in chosen]


def first(folder: Path) -> list[Experiment]:
    """Where an earlier version failed; what was changed then was chosen on these as well."""
    made = datasets(folder)
    return [
        setting("wall-robot-24", "trees", "heterogeneous", 0.25),
        setting("wall-robot-24", "neighbours", "class-conditional", 0.2),
        setting("wall-robot-24", "network", "adversarial", 0.15),
        setting(made["breast-cancer"], "logistic", "homogeneous", 0.3, **_only_size(_SMALL)),
        setting(made["breast-cancer"], "trees", "adversarial", 0.15, **_only_size(_SMALL)),
        setting(made["made-up"], "network", "difficulty", 0.2),
        setting(made["made-up"], "logistic", "class-conditional", 0.3),
        setting(made["sentiment-polarity"], "logistic", "replay", test=0),
        setting(made["labelme"], "bayes", "replay", test=0, unlabelled=-1),
        setting(made["cifar10h"], "logistic", "replay"),
        setting(made["cifar10h"], "trees", "heterogeneous", 0.3),
    ]


def confirm(folder: Path) -> list[Experiment]:
    """What it was measured on, once it was fixed."""
    made = datasets(folder)
    return [
        setting(made["three-classes"], "trees", "heterogeneous", 0.25, seed=2000),
        setting(made["eight-classes"], "logistic", "adversarial", 0.15, seed=2000),
        setting("wall-robot-24", "logistic", "difficulty", 0.2, seed=2000),
        setting("digits", "network", "homogeneous", 0.3, test=597, seed=2000),
        setting("digits", "bayes", "class-conditional", 0.2, test=597, seed=2000),
        setting(made["breast-cancer"], "network", "class-conditional", 0.25, seed=2000, **_only_size(_SMALL)),
        setting(made["cifar10h"], "neighbours", "homogeneous", 0.25, seed=2000),
        setting(made["cifar10h"], "network", "replay", seed=2000),
        setting(made["labelme"], "trees", "replay", test=0, unlabelled=-1, seed=2000),
        setting(made["sentiment-polarity"], "trees", "replay", test=0, seed=2000),
        setting("product", "trees", "replay", seed=2000),
        setting("wall-robot", "neighbours", "heterogeneous", 0.3, seed=2000),
    ]


def taught(folder: Path) -> list[Experiment]:
    """What `taught` was measured on, once it was fixed: `confirm` with new seeds, and a whole matrix."""
    made = datasets(folder)
    again = [replace(one, methods=TAUGHT, seed=3000) for one in confirm(folder)]
    everybody: dict[str, Any] = {"methods": TAUGHT, "test": 0, "seed": 3000}
    return [
        *again,
        setting(made["complaints"], "logistic", "replay", **everybody),
        setting(made["complaints"], "trees", "replay", **everybody),
    ]


def rivals(folder: Path) -> list[Experiment]:
    """Six of `taught`, chosen before the run: a whole matrix of labels, other people's labels, and simulated.

    Impact sampling fits the classifier again some hundred times a round: it is left out with trees.
    """
    made = datasets(folder)
    most = (*TAUGHT, *(text for name, text in RIVALS.items() if name != "impact sampling"))
    size: dict[str, Any] = {"methods": (*TAUGHT, *RIVALS.values()), "trials": 3, "seed": 4000, "rounds": 10}
    trees = size | {"methods": most}
    return [
        setting(made["complaints"], "logistic", "replay", **size | {"test": 0}),
        setting(made["complaints"], "trees", "replay", **trees | {"test": 0}),
        setting(made["labelme"], "trees", "replay", **trees | {"test": 0, "unlabelled": -1}),
        setting("product", "trees", "replay", **trees),
        setting(made["eight-classes"], "logistic", "adversarial", 0.15, **size),
        setting("wall-robot", "neighbours", "heterogeneous", 0.3, **size),
    ]


def unbalanced(folder: Path) -> list[Experiment]:
    """Rare classes, and a test that has as many of each: where hard labels of a whole pool are a danger."""
    made = datasets(folder)
    size: dict[str, Any] = {"methods": TAUGHT, "test": 0, "seed": 0, "rounds": 10}
    return [
        setting(made["unbalanced"], "logistic", "class-conditional", 0.2, **size),
        setting(made["convabuse"], "logistic", "replay", **size),
        setting(made["convabuse"], "neighbours", "replay", **size),
    ]


def parts() -> list[Experiment]:
    """One part at a time: consensus × acquisition, training, passes, batching, who, and when to stop."""
    consensus = ("majority_vote", "crowdlab", "dawid_skene", "bayesian")
    acquisition = ("good_random", "uncertainty", "activelab", "frugal")
    plain = "+training=hard+passes=1"
    square = [f"{what}+consensus={how}{plain}" for how in consensus for what in acquisition]
    varied = [
        "frugal+training=hard", "frugal+training=weights", "frugal+training=soft", "frugal+passes=1",
        "frugal", "activelab+consensus=bayesian+training=cautious+passes=2",
        "frugal+batching=diverse", "frugal+batching=stochastic", "frugal+skip_settled=true",
        "frugal+assignment=round_robin", "frugal+assignment=thompson",
        "frugal+assignment=thompson+max_share=0.2", "activelab",
        "activelab+assignment=thompson+max_share=0.2",
    ]  # fmt: skip
    common: dict[str, Any] = {
        "methods": (*square, *varied), "seed": 500, "trials": 3, "rounds": 12, "unlabelled": 850,
        "test": 800,
    }  # fmt: skip
    return [
        setting("digits", "logistic", "heterogeneous", 0.25, **common | {"test": 700}),
        setting("wall-robot", "trees", "class-conditional", 0.2, **common),
        setting("product", "logistic", "replay", 0.0, **common),
    ]


def _only_size(size: dict[str, Any]) -> dict[str, Any]:
    return {name: size[name] for name in ("labelled", "unlabelled", "test", "batch_size", "rounds")}


def datasets(folder: Path) -> dict[str, str]:
    """Folders with the datasets that have no name of their own, or features too wide for many small fits."""
    places = {
        name: folder / "datasets" / name
        for name in ("breast-cancer", *_MADE_UP, *_SPLIT, "sentiment-polarity", "labelme", "cifar10h")
    }
    for name, place in places.items():
        if not (place / "features.npz").exists():
            place.mkdir(parents=True, exist_ok=True)
            _write(name, place)
    return {name: str(place) for name, place in places.items()}


def _write(name: str, place: Path) -> None:
    if name == "breast-cancer":
        X, truth = load_breast_cancer(return_X_y=True)
        np.savez(place / "features.npz", X=X, truth=truth)
        return
    if name in _MADE_UP:
        X, truth = make_classification(4000, **_MADE_UP[name])
        np.savez(place / "features.npz", X=X, truth=truth)
        return
    if name in _SPLIT:
        _SPLIT[name](place)
        return
    source = load_dataset(name)
    reduced = PCA(40, random_state=0).fit(source.X)
    arrays = {"X": reduced.transform(source.X), "truth": source.truth}
    if source.X_test is not None and source.truth_test is not None:
        arrays |= {"X_test": reduced.transform(source.X_test[:1500]), "truth_test": source.truth_test[:1500]}
    assert source.labels is not None
    write_table(place / "labels.parquet", source.labels.to_long("pyarrow"))
    np.savez(place / "features.npz", **arrays)


def _unbalanced(place: Path) -> None:
    """Two classes, one example in ten of the rarer; the test has as many of either."""
    X, truth = make_classification(
        8000, 12, n_informative=6, n_redundant=2, weights=[0.9], class_sep=0.9, flip_y=0.0, random_state=3
    )
    rare, common = np.flatnonzero(truth == 1), np.flatnonzero(truth == 0)
    _write_split(place, X, truth, np.concatenate([rare[:400], common[:400]]))


def _convabuse(place: Path) -> None:
    """Whether an utterance is abusive: asked are some people, the truth is what the others say.

    The test has as many of either, the pool one abusive in twenty.
    """
    source = Path(os.environ["ACTIVELAB_DATA"]) / "convabuse"
    said = pd.read_csv(source / "truth.csv.gz").query("seed == 0 and severity >= 0")
    rows, truth = said["item"].to_numpy(), (said["severity"] < 3).to_numpy().astype(np.int64)
    asked = pd.read_csv(source / "split.csv.gz").query("s0 == 1")[["item", "annotator"]]
    labels = asked.merge(pd.read_csv(source / "labels.csv.gz")).assign(label=lambda t: (t["label"] < 3) * 1)
    order = np.random.default_rng(0).permutation(len(rows))
    rare, common = order[truth[order] == 1], order[truth[order] == 0]
    half = len(rare) // 2
    X = np.load(source / "features.npz")["X"][rows].astype(np.float64)
    _write_split(place, X, truth, np.concatenate([rare[:half], common[:half]]), labels, rows)


def _complaints(place: Path) -> None:
    """Five people who labelled everything; the truth is the consensus of five others, where it is sure."""
    source = Path(os.environ["ACTIVELAB_DATA"]) / "consumer_complaints"
    others = np.load(source / "truth_variants.npz")["ds_from_annotators_5_9"]
    rows = np.flatnonzero(others >= 0)
    stored = np.load(source / "features.npz")
    labels = pd.read_csv(source / "labels.csv.gz").query("annotator < 5")
    test = np.flatnonzero(stored["is_test"][rows])
    X, truth = stored["X"][rows].astype(np.float64), others[rows].astype(np.int64)
    _write_split(place, X, truth, test, labels, rows)


def _write_split(
    place: Path, X: Any, truth: Any, test: Any, labels: pd.DataFrame | None = None, rows: Any = None
) -> None:
    """A dataset with the rows ``test`` kept apart; ``rows`` are those of the items that labels name."""
    pool = np.setdiff1d(np.arange(len(X)), test)
    if X.shape[1] > 40:
        X = PCA(40, random_state=0).fit_transform(X)
    np.savez(place / "features.npz", X=X[pool], truth=truth[pool], X_test=X[test], truth_test=truth[test])
    if labels is not None:
        example = pd.Series(np.arange(len(pool)), index=rows[pool])
        kept = labels[labels["item"].isin(example.index)]
        table = pd.DataFrame(
            {
                "example": example[kept["item"]].to_numpy(),
                "annotator": kept["annotator"],
                "label": kept["label"],
            }
        )
        write_table(place / "labels.parquet", pa.Table.from_pandas(table, preserve_index=False))


_SPLIT = {"unbalanced": _unbalanced, "convabuse": _convabuse, "complaints": _complaints}


def title(experiment: Experiment) -> str:
    """A setting in words."""
    team = experiment.annotators
    noise = "" if team == "replay" else f" {experiment.noise:.0%}"
    return f"{Path(experiment.dataset).name}, {experiment.model.split(':')[1]}, {team}{noise}"


def run(
    experiments: list[Experiment], folder: Path, show: Callable[[Simulation], None] | None = None
) -> dict[str, dict[str, Curves]]:
    """Run what is missing, trial by trial, and return the curves of each setting.

    ``show`` gets the simulation of each setting and trial before it is run.
    """
    places = [
        folder / title(one).replace(", ", "-").replace(" ", "-").replace("%", "") for one in experiments
    ]
    for trial in range(max(one.trials for one in experiments)):
        for experiment, place in zip(experiments, places, strict=True):
            if show is not None:
                show(prepare(experiment, ACTIVELAB, trial))
            so_far = replace(experiment, trials=min(trial + 1, experiment.trials))
            for method, done, _ in run_experiment(so_far, place):
                if done == trial:
                    print(f"{title(experiment)}: {method}, trial {trial}", flush=True)
    return {
        title(one): learning_curves_of(results_table(one, place))
        for one, place in zip(experiments, places, strict=True)
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    groups = ("develop", "first", "confirm", "taught", "unbalanced", "parts", "rivals")
    parser.add_argument("group", choices=groups)
    parser.add_argument("--folder", type=Path, default=Path("efficiency"), help="where results are kept")
    parser.add_argument("--trials", type=int, help="instead of the group's own number")
    parser.add_argument("--methods", help="strategies, with commas, instead of the group's own")
    parser.add_argument("--report", type=Path, help="page with a place for the tables; else they are printed")
    options = parser.parse_args()
    place = options.folder / options.group
    needs_folder = options.group not in ("develop", "parts")
    made = globals()[options.group](*([options.folder] if needs_folder else []))
    if options.trials:
        made = [replace(one, trials=options.trials) for one in made]
    if options.methods:
        made = [replace(one, methods=tuple(split_strategies(options.methods))) for one in made]
    tables = {"parts": strategies_markdown, "rivals": rivals_markdown}.get(options.group, efficiency_markdown)
    found = run(made, place, see if options.group == "rivals" else None)
    page = f"{versions()}\n\n{tables(found, baseline=ACTIVELAB)}"
    if options.report is None:
        print(page)
        return
    text = options.report.read_text(encoding="utf-8")
    before, _, rest = text.partition(f"<!-- {options.group} -->\n")
    after = rest.partition(f"<!-- /{options.group} -->")[2]
    marked = f"<!-- {options.group} -->\n\n{page}\n<!-- /{options.group} -->"
    options.report.write_text(f"{before}{marked}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
