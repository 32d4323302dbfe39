"""Soft labels against the empirical distribution, on answers of people whose labels were not seen.

Crowds are read from the folder in ACTIVELAB_DATA. Of each example 1, 2, 3 and 5 labels drawn at random are
seen, and the other labels are what is predicted. Scores are nats a held-out label (cross-entropy), lower is
better; intervals are bootstraps over examples. The empirical distribution is smoothed towards the even one
(add-α), or towards the shares of the classes in the pool, with the α that is best on the held-out labels
themselves. A second table has groups: one or two people and six language models label each example, and the
answers of the other people are predicted. Prints markdown; docs/soft-labels.md holds its output.
"""

from __future__ import annotations

import argparse
import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

import activelab as al
from _common import markdown, print_machine

NUMBERS = (1, 2, 3, 5)
ALPHAS = np.geomspace(0.05, 50, 25)
BOOTSTRAPS = 1000


def crowds(folder: Path, seed: int) -> dict[str, pd.DataFrame]:
    """Labels of every crowd: item, annotator, label."""
    names = [
        "consumer_complaints",
        "convabuse",
        "varierr_nli",
        "snow_affect",
        "sentiment_polarity",
        "labelme",
    ]
    names += ["bluebirds", "crowd_only/dog", "crowd_only/face"]
    found = {}
    for name in names:
        path = folder / name / "labels.csv.gz"
        if not path.exists():
            continue
        table = pd.read_csv(path)
        if name == "varierr_nli":
            classes = ["entailment", "neutral", "contradiction"]
            table = table[table[classes].sum(axis=1) == 1]
            table = table.assign(label=table[classes].to_numpy().argmax(axis=1))
        found[name] = table[["item", "annotator", "label"]]
    for name in ("framing", "lgbteen", "cebab_stars", "summeval"):
        table = pd.read_csv(folder / "llm_and_people" / name / "labels.csv.gz").query("kind == 'human'")
        found[name] = table[["item", "annotator", "label"]]
    # Who gave which label is not known: everybody is a number.
    counts = np.load(folder / "cifar10h" / "labels.npz")["counts"].astype(int)
    item, label = (
        np.repeat(np.arange(len(counts)), counts.sum(axis=1)),
        np.concatenate([np.repeat(np.arange(10), row) for row in counts]),
    )
    shuffled = np.random.default_rng(seed).permutation(len(item))
    cifar = pd.DataFrame({"item": item[shuffled], "label": label[shuffled]})
    cifar["annotator"] = cifar.groupby("item").cumcount()
    found["cifar10h"] = cifar
    return found


def split(table: pd.DataFrame, number: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """``number`` labels of each example, and the rest; examples without a rest are left out."""
    rng = np.random.default_rng([seed, number])
    rows = table.iloc[rng.permutation(len(table))]
    rows = rows[rows.groupby("item")["label"].transform("size") > number]
    seen = rows.groupby("item").cumcount() < number
    return rows[seen], rows[~seen]


def best_alpha(counts: np.ndarray, towards: np.ndarray, item: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Log-probability of each held-out label by add-α, with the α that suits them best."""
    scores = []
    for alpha in ALPHAS:
        soft = (counts + alpha * towards) / (counts.sum(axis=1, keepdims=True) + alpha)
        scores.append(np.log(np.maximum(soft[item, label], 1e-12)))
    return max(scores, key=np.mean)


def compared(table: pd.DataFrame, number: int, seed: int) -> dict[str, np.ndarray] | None:
    """Log-probability of each held-out label by each method, and the example of each."""
    seen, rest = split(table, number, seed)
    if len(rest) < 200:
        return None
    kept, item = np.unique(seen["item"], return_inverse=True)
    classes = int(table["label"].max()) + 1
    labels = al.Labels(
        item,
        seen["annotator"],
        seen["label"].astype(int),
        examples=len(kept),
        annotators=int(table["annotator"].max()) + 1,
        classes=classes,
    )
    at, label = np.searchsorted(kept, rest["item"]), rest["label"].to_numpy(dtype=int)
    counts = np.zeros((len(kept), classes))
    np.add.at(counts, (labels.example, labels.label), 1)
    shares = counts.sum(axis=0) / counts.sum()
    posterior = al.bayesian_consensus(labels, seed=seed).posterior
    soft = al.soft_labels(labels).distribution
    return {
        "example": at,
        "even": best_alpha(counts, np.full(classes, 1 / classes), at, label),
        "shares": best_alpha(counts, shares, at, label),
        "posterior": np.log(np.maximum(posterior[at, label], 1e-12)),
        "soft": np.log(soft[at, label]),
    }


def by_group(table: pd.DataFrame, number: int, seed: int) -> dict[str, np.ndarray] | None:
    """As `compared`, of the answers of people, with the labels of models seen beside ``number`` people's."""
    people = table[table["kind"] == "human"]
    seen, rest = split(people, number, seed)
    models = table[(table["kind"] == "llm") & table["item"].isin(seen["item"])]
    if len(rest) < 200:
        return None
    rows = pd.concat([seen, models])
    kept, item = np.unique(rows["item"], return_inverse=True)
    classes = int(table["label"].max()) + 1
    size = int(table["annotator"].max()) + 1
    labels = al.Labels(
        item, rows["annotator"], rows["label"], examples=len(kept), annotators=size, classes=classes
    )
    at, label = np.searchsorted(kept, rest["item"]), rest["label"].to_numpy(dtype=int)
    counts = np.zeros((2, len(kept), classes))
    human = (rows["kind"] == "human").to_numpy()
    np.add.at(counts[0], (item[human], rows["label"].to_numpy()[human]), 1)
    np.add.at(counts[1], (item, rows["label"].to_numpy()), 1)
    shares = counts[0].sum(axis=0) / counts[0].sum()
    kinds = dict(zip(rows["annotator"].tolist(), rows["kind"].tolist(), strict=True))
    soft = al.soft_labels(labels, groups=kinds)
    of_people = soft.by_group[soft.groups.tolist().index("human")]
    return {
        "example": at,
        "people": best_alpha(counts[0], shares, at, label),
        "all": best_alpha(counts[1], shares, at, label),
        "soft": np.log(soft.distribution[at, label]),
        "by group": np.log(of_people[at, label]),
    }


def interval(difference: np.ndarray, example: np.ndarray, seed: int) -> tuple[float, float, float]:
    """Mean over held-out labels, and 95 % of its bootstraps over examples."""
    total, number = np.bincount(example, difference), np.bincount(example)
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(total), size=(BOOTSTRAPS, len(total)))
    means = total[drawn].sum(axis=1) / np.maximum(number[drawn].sum(axis=1), 1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(total.sum() / number.sum()), float(low), float(high)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    print_machine()
    lines = []
    for name, table in crowds(Path(os.environ["ACTIVELAB_DATA"]), given.seed).items():
        for number in NUMBERS:
            scores = compared(table, number, given.seed)
            if scores is None:
                continue
            example = scores.pop("example")
            even, low, high = interval(scores["even"] - scores["soft"], example, given.seed)
            shares = interval(scores["shares"] - scores["soft"], example, given.seed)
            cells = [f"{-scores[method].mean():.3f}" for method in ("posterior", "even", "shares", "soft")]
            cells.append(f"{even:+.3f} ({low:+.3f} to {high:+.3f})")
            cells.append(f"{shares[0]:+.3f} ({shares[1]:+.3f} to {shares[2]:+.3f})")
            lines.append([name, str(number), f"{len(example):,}", *cells])
            print(lines[-1], flush=True)
    header = ["crowd", "labels", "held out", "posterior", "add-α", "add-α to shares", "soft labels"]
    print(markdown([*header, "less add-α", "less add-α to shares"], lines))
    lines = []
    for name in ("framing", "lgbteen", "cebab_stars", "summeval"):
        path = Path(os.environ["ACTIVELAB_DATA"], "llm_and_people", name, "labels.csv.gz")
        for number in (1, 2):
            scores = by_group(pd.read_csv(path), number, given.seed)
            if scores is None:
                continue
            example = scores.pop("example")
            cells = [f"{-values.mean():.3f}" for values in scores.values()]
            for method in ("people", "soft"):
                mean, low, high = interval(scores[method] - scores["by group"], example, given.seed)
                cells.append(f"{mean:+.3f} ({low:+.3f} to {high:+.3f})")
            lines.append([name, str(number), f"{len(example):,}", *cells])
    header = ["crowd", "people", "held out", "add-α of people", "add-α of all", "soft labels", "of the group"]
    print(markdown([*header, "less add-α of people", "less soft labels"], lines))
