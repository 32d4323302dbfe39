"""Ratings and sets: what is asked by expected loss against random choice, round by round.

Made-up teams on data that come with scikit-learn, and people replayed from the folder in ACTIVELAB_DATA,
where what they are scored by is gold or said by people who are never asked. Everything but the choice of
questions is alike. Prints markdown; docs/ordinal.md and docs/multilabel.md hold its output.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from _common import markdown, print_machine
from activelab.simulation import (
    Experiment,
    labels_to_reach,
    learning_curves_of,
    results_table,
    run_experiment,
)

CUT = 20  # of 100, from which an emotion counts as chosen
LEAST = 40  # examples a class must apply to
RATINGS = ("expected_loss", "random+training=cautious+passes=2")
SETS = ("expected_loss", "expected_loss+ask=examples", "expected_loss+ask=classes", "random")


def principal(X: np.ndarray, *others: np.ndarray, components: int = 40) -> list[np.ndarray]:
    mean = X.mean(axis=0)
    _, _, rotation = np.linalg.svd(X - mean, full_matrices=False)
    rotation = rotation[:components].T
    scale = ((X - mean) @ rotation).std()
    return [(one - mean) @ rotation / scale for one in (X, *others)]


def stored(folder: Path, arrays: dict[str, np.ndarray], labels: pd.DataFrame) -> str:
    folder.mkdir()
    np.savez(folder / "features.npz", **arrays)
    labels.to_csv(folder / "labels.csv", index=False)
    return str(folder)


def kept(labels: pd.DataFrame, rows: np.ndarray) -> pd.DataFrame:
    """The labels of some examples, numbered in their order."""
    at = pd.Series(np.arange(len(rows)), index=rows)
    labels = labels[labels["item"].isin(rows)]
    return labels.assign(example=at[labels["item"]].to_numpy())[["example", "annotator", "label"]]


def texts(marks: np.ndarray) -> list[str]:
    return ["|".join(np.flatnonzero(row).astype(str)) or "|" for row in marks]


def convabuse(data: Path, into: Path) -> Iterator[tuple[str, str, str]]:
    """Half of the people of each example are asked; the others are the truth."""
    here = data / "convabuse"
    X = np.load(here / "features.npz")["X"].astype(float)
    split, truth = pd.read_csv(here / "split.csv.gz"), pd.read_csv(here / "truth.csv.gz").query("seed == 0")
    asked = split[split["s0"] == 1][["item", "annotator"]]
    severity = truth[truth["severity"] >= 0]
    rows = severity["item"].to_numpy()
    labels = pd.read_csv(here / "labels.csv.gz").merge(asked)
    arrays = {"X": principal(X)[0][rows], "truth": severity["severity"].to_numpy()}
    yield "convabuse, severity", "ordinal", stored(into / "severity", arrays, kept(labels, rows))
    table = pd.read_csv(here / "multilabel.csv.gz").merge(asked)
    classes = [name for name in table.columns[2:] if (truth[name] == 1).sum() >= LEAST]
    clear = truth[(truth[classes] >= 0).all(axis=1)]
    rows = clear["item"].to_numpy()
    table["label"] = texts(table[classes].to_numpy())
    arrays = {"X": principal(X)[0][rows], "truth": clear[classes].to_numpy()}
    yield f"convabuse, {len(classes)} kinds", "multilabel", stored(into / "abuse", arrays, kept(table, rows))


def stars(data: Path, into: Path) -> Iterator[tuple[str, str, str]]:
    """One person and six language models are asked; the mean of the other people is the truth."""
    here = data / "llm_and_people" / "cebab_stars"
    protocol = pd.read_csv(here / "protocol.csv.gz").query("seed == 0")
    labels = pd.read_csv(here / "labels.csv.gz")
    one = labels.merge(protocol.rename(columns={"asked": "annotator"})[["item", "annotator"]])
    rows = protocol["item"].to_numpy()
    arrays = {
        "X": principal(np.load(here / "features.npz")["X"].astype(float))[0][rows],
        "truth": np.rint(protocol["truth_mean"].to_numpy()).astype(int),
    }
    asked = kept(pd.concat([one, labels[labels["kind"] == "llm"]]), rows)
    yield "cebab, stars", "ordinal", stored(into / "stars", arrays, asked)


def headlines(data: Path, into: Path) -> Iterator[tuple[str, str, str]]:
    """Ten people a headline; six trained ones are the truth, also of 900 further headlines."""
    here = data / "snow_affect"
    found = np.load(here / "features.npz", allow_pickle=True)
    X, X_test = principal(found["X"].astype(float), found["X_test"].astype(float), components=20)
    labels = pd.read_csv(here / "labels.csv.gz")
    arrays = {"X": X, "truth": found["truth"], "X_test": X_test, "truth_test": found["y_test"]}
    yield "headlines, valence", "ordinal", stored(into / "valence", arrays, kept(labels, np.arange(100)))
    ratings = pd.read_csv(here / "ratings.csv.gz")
    emotions = ["anger", "disgust", "fear", "joy", "sadness", "surprise"]
    ratings["label"] = texts(ratings[emotions].to_numpy() >= CUT)
    arrays = {"X": X, "truth": (found["gold"][:, :6] >= CUT).astype(int), "X_test": X_test}
    arrays["truth_test"] = (found["gold_test"][:, :6] >= CUT).astype(int)
    yield (
        "headlines, emotions",
        "multilabel",
        stored(into / "emotions", arrays, kept(ratings, np.arange(100))),
    )


def experiments(data: Path, into: Path, trials: int) -> Iterator[tuple[str, Experiment]]:
    base = Experiment(model="logistic-regression", trials=trials)
    made = replace(base, labelled=100, unlabelled=500, test=1000, rounds=10, batch_size=60)
    yield (
        "made up, diabetes",
        replace(
            made, dataset="diabetes", kind="ordinal", annotators="raters", noise=0.4, methods=RATINGS,
            labelled=60, unlabelled=240, test=142, batch_size=30, num_annotators=20,
        ),
    )  # fmt: skip
    yield (
        "made up, topics",
        replace(
            made, dataset="topics", kind="multilabel", annotators="heterogeneous", methods=SETS,
            num_annotators=20,
        ),
    )  # fmt: skip
    for crowd in (stars, headlines, convabuse):
        for name, kind, folder in crowd(data, into):
            small = "headlines" in name
            yield (
                name,
                replace(
                    base, dataset=folder, kind=kind, annotators="replay",
                    methods=RATINGS if kind == "ordinal" else SETS,
                    labelled=30 if small else 100, unlabelled=-1, test=0 if small else 200,
                    rounds=8, batch_size=30 if small else 100,
                ),
            )  # fmt: skip


def rows(name: str, experiment: Experiment, place: Path, jobs: int) -> Iterator[dict[str, object]]:
    for _ in run_experiment(experiment, place, n_jobs=jobs, progress=False):
        pass
    table = results_table(experiment, place)
    loss, headline = ("error", "kappa") if experiment.kind == "ordinal" else ("hamming", "f1")
    losses = learning_curves_of(table, f"pool_{loss}")
    good, tested = (
        learning_curves_of(table, f"pool_{headline}"),
        learning_curves_of(table, f"test_{headline}"),
    )
    random = next(one for key, one in good.items() if key.startswith("random"))
    base = next(one for key, one in losses.items() if key.startswith("random"))
    spent = random.num_annotations.mean(axis=0)
    for method, one in good.items():
        mean = one.num_annotations.mean(axis=0)
        first = mean[0]
        needed = labels_to_reach(mean, one.accuracy.mean(axis=0), float(random.final.mean()))
        paired = one.area - random.area
        yield {
            "crowd": name,
            "method": method.partition("+training")[0],
            "labels": f"{first:,.0f} to {mean[-1]:,.0f}",
            loss: losses[method].final.mean(),
            "of random's": losses[method].final.mean() / base.final.mean(),
            headline: one.final.mean(),
            "area − random's": paired.mean(),
            "±": paired.std(ddof=1) / np.sqrt(len(paired)) if len(paired) > 1 else np.nan,
            "new labels to random's end": (needed - first) / (spent[-1] - spent[0]),
            "test": tested[method].final.mean(),
        }


def shown(cell: object) -> str:
    if not isinstance(cell, float):
        return str(cell)
    return "not reached" if np.isnan(cell) else f"{cell:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--trials", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", default="", help="crowds whose name holds this")
    arguments = parser.parse_args()
    print_machine()
    found: dict[str, list[dict[str, object]]] = {"ordinal": [], "multilabel": []}
    with tempfile.TemporaryDirectory() as folder:
        for at, (name, experiment) in enumerate(
            experiments(Path(os.environ["ACTIVELAB_DATA"]), Path(folder), arguments.trials)
        ):
            if arguments.only in name:
                place = Path(folder, f"results-{at}")
                found[experiment.kind] += (said := list(rows(name, experiment, place, arguments.jobs)))
                print(*said, sep="\n", flush=True)
    for several in found.values():
        if several:
            print()
            print(markdown(list(several[0]), [[shown(cell) for cell in row.values()] for row in several]))


if __name__ == "__main__":
    main()
