"""Answers that are sets: the consensus against majority votes and crowd-kit, and single questions against whole
examples, on real and on made-up crowds.

Crowds are read from the folder in ACTIVELAB_DATA, with 1, 2 and 3 answers an example drawn at random. Where there
is no gold, the truth is what people say whose answers no method sees: the majority of half of them, or one of
them. With a model, its out-of-sample probabilities are those of a logistic regression a class on 40 principal
components, trained on majority votes. Prints markdown; docs/multilabel.md holds its output.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

import activelab as al
from _common import markdown, print_machine

NUMBERS = (1, 2, 3)
LEAST = 5  # examples a class must apply to for an F1
CUT = 20  # of 100, from which an emotion counts as chosen


@dataclass
class Pool:
    """Answers a method may see, by draws of some of them, and what they are scored by."""

    name: str
    item: np.ndarray
    annotator: np.ndarray
    chosen: np.ndarray
    truth: np.ndarray  # 1 and 0, -1 where unknown; shape (n_examples, n_classes)
    classes: list[str]
    features: np.ndarray | None = None

    def sets(self, rows: np.ndarray) -> al.LabelSets:
        return al.LabelSets(
            self.item[rows],
            self.annotator[rows],
            self.chosen[rows],
            examples=len(self.truth),
            annotators=int(self.annotator.max()) + 1,
            classes=self.classes,
        )

    def drawn(self, number: int, seed: int) -> al.LabelSets:
        """``number`` answers about every example, at random."""
        rows = np.random.default_rng([seed, number]).permutation(len(self.item))
        place = pd.Series(self.item[rows]).groupby(self.item[rows]).cumcount().to_numpy()
        return self.sets(rows[place < number])


def pools(folder: Path, seed: int) -> Iterator[Pool]:
    """Every crowd, with the people held out that the seed holds out."""
    for name, file in (("convabuse", "multilabel.csv.gz"), ("varierr_nli", "labels.csv.gz")):
        here = folder / name
        table, split = pd.read_csv(here / file), pd.read_csv(here / "split.csv.gz")
        classes = [column for column in table.columns if column not in ("item", "annotator")]
        X = features(here)
        held = pd.read_csv(here / "truth.csv.gz").query(f"seed == {seed % 3}")
        truth = np.full((int(table["item"].max()) + 1, len(classes)), -1)
        truth[held["item"]] = held[classes]
        rows = table.merge(split[["item", "annotator", f"s{seed % 3}"]], on=["item", "annotator"])
        yield pool_of(f"{name}, half held out", rows[rows[f"s{seed % 3}"] == 1], truth, classes, X)
        shuffled = table.sample(frac=1, random_state=seed)
        one = shuffled.groupby("item").cumcount() == 0
        several = shuffled.groupby("item")["annotator"].transform("size") > 2
        truth = np.full_like(truth, -1)
        truth[shuffled.loc[one & several, "item"]] = shuffled.loc[one & several, classes]
        yield pool_of(f"{name}, one held out", shuffled[~one], truth, classes, X)
    here = folder / "snow_affect"
    table, gold = pd.read_csv(here / "ratings.csv.gz"), pd.read_parquet(here / "items.parquet")
    classes = ["anger", "disgust", "fear", "joy", "sadness", "surprise"]
    truth = (gold[[f"gold_{name}" for name in classes]].to_numpy() >= CUT).astype(int)
    table[classes] = (table[classes] >= CUT).astype(int)
    yield pool_of("snow_affect, gold", table, truth, classes, features(here))


def pool_of(
    name: str, table: pd.DataFrame, truth: np.ndarray, classes: list[str], X: np.ndarray | None
) -> Pool:
    return Pool(
        name,
        table["item"].to_numpy(),
        table["annotator"].to_numpy(),
        table[classes].to_numpy(bool),
        truth,
        classes,
        X,
    )


def features(folder: Path, components: int = 40) -> np.ndarray:
    """Principal components of the features, of the premise and the statement together where there are two."""
    found = np.load(folder / "features.npz")
    if "X" in found:
        X = found["X"].astype(np.float64)
    else:
        one, other = found["C"].astype(np.float64), found["S"].astype(np.float64)
        X = np.hstack([one, other, np.abs(one - other), one * other])
    X = X - X.mean(axis=0)
    _, _, rotation = np.linalg.svd(X[:5000], full_matrices=False)
    X = X @ rotation[:components].T
    return X / X.std()


def predictions(X: np.ndarray, votes: np.ndarray, seed: int) -> np.ndarray:
    """Out-of-sample probabilities of each class; ``votes`` are 1 and 0, -1 where unknown."""
    from sklearn.linear_model import LogisticRegression

    fold = np.random.default_rng(seed).integers(5, size=len(X))
    found = np.empty(votes.shape)
    for at in range(5):
        for code in range(votes.shape[1]):
            train = (fold != at) & (votes[:, code] >= 0)
            said = votes[train, code]
            if said.size == 0 or said.min() == said.max():
                found[fold == at, code] = (said.sum() + 0.5) / (said.size + 1)
                continue
            model = LogisticRegression(max_iter=300).fit(X[train], said)
            found[fold == at, code] = model.predict_proba(X[fold == at])[:, 1]
    return found


# ------------------------------------------------------------------ peers


def majority(sets: al.LabelSets, seed: int) -> np.ndarray:
    """Majority a class; ties are drawn. 1 and 0, -1 where nobody was asked."""
    pairs = sets.pairs
    return al.majority_vote(pairs, seed=seed).label.reshape(sets.n_examples, sets.n_classes)


def binary_relevance(sets: al.LabelSets) -> np.ndarray:
    """crowd-kit's BinaryRelevance with its Dawid-Skene."""
    from crowdkit.aggregation import BinaryRelevance, DawidSkene

    frame = pd.DataFrame({"task": sets.example, "worker": sets.annotator})
    frame["label"] = [list(one) for one in sets.label_sets]
    found = BinaryRelevance(DawidSkene(n_iter=100)).fit_predict(frame)
    code = {name: at for at, name in enumerate(sets.classes.tolist())}
    chosen = np.zeros((sets.n_examples, sets.n_classes), dtype=bool)
    for task, names in found.items():
        chosen[task, [code[name] for name in names]] = True
    return chosen


# ------------------------------------------------------------------ consensus


def macro_f1(truth: np.ndarray, chosen: np.ndarray) -> float:
    """Mean F1 of the classes that apply to at least `LEAST` examples."""
    found = []
    for right, said in zip(truth.T, chosen.T, strict=True):
        known = right >= 0
        if (right == 1).sum() >= LEAST:
            both = ((right == 1) & said)[known].sum()
            found.append(2 * both / max((right == 1).sum() + said[known].sum(), 1))
    return float(np.mean(found))


def compared(pool: Pool, sets: al.LabelSets, seed: int, with_model: bool) -> dict[str, tuple[float, ...]]:
    """Macro-F1, share of right single answers, and what is stated less what is true."""
    votes = majority(sets, seed)
    truth = np.where(sets.labelled[:, None], pool.truth, -1)
    known = truth >= 0
    chosen = {"majority": votes == 1}
    pred_probs = None
    if with_model and pool.features is not None:
        pred_probs = predictions(pool.features, votes, seed)
    else:
        chosen["binary relevance"] = binary_relevance(sets)
    found = {
        name: (macro_f1(truth, one), float((one == (truth == 1))[known].mean()), np.nan)
        for name, one in chosen.items()
    }
    for loss in ("hamming", "f1"):
        result = al.multilabel_consensus(sets, pred_probs, loss=loss)
        right = (result.chosen == (truth == 1))[known]
        stated = result.quality[known]
        found[loss] = (macro_f1(truth, result.chosen), float(right.mean()), float(stated.mean() - right.mean()))
    return found


def measured(folder: Path, seeds: int) -> pd.DataFrame:
    rows = []
    for seed in range(seeds):
        for pool in pools(folder, seed):
            # A hundred examples need more draws than thousands.
            for draw in range(8 if len(pool.truth) < 200 else 1):
                for number in NUMBERS:
                    sets = pool.drawn(number, seed * 100 + draw)
                    for with_model in (False, True):
                        for name, values in compared(pool, sets, seed * 100 + draw, with_model).items():
                            rows.append((pool.name, with_model, number, name, *values))
    return pd.DataFrame(rows, columns=["crowd", "model", "answers", "method", "f1", "right", "over"])


def report(table: pd.DataFrame) -> None:
    mean = table.groupby(["crowd", "model", "answers", "method"], sort=False).mean()
    methods = ["majority", "binary relevance", "hamming", "f1"]
    lines = []
    for key, group in mean.groupby(["crowd", "model", "answers"], sort=False):
        values = group.droplevel([0, 1, 2])
        crowd, model, number = key
        cells = [f"{values['f1'][m]:.3f}" if m in values.index else "" for m in methods]
        cells += [f"{values['right'][m]:.3f}" for m in ("majority", "hamming")]
        cells += [f"{values['over'][m]:+.3f}" for m in ("hamming", "f1")]
        lines.append([crowd, "with" if model else "without", str(number), *cells])
    header = ["crowd", "model", "answers", *(f"F1, {m}" for m in methods)]
    header += ["right, majority", "hamming", "stated − true, hamming", "f1"]
    print(markdown(header, lines), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    print_machine("scikit-learn", "pandas", "crowd-kit")
    start = time.perf_counter()
    report(measured(Path(os.environ["ACTIVELAB_DATA"]), given.seeds))
    print(f"\n{time.perf_counter() - start:.0f} s")
