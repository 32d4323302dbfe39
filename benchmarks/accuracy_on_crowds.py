"""Consensus against the truth on real crowds, and what ActiveLab would ask next on CIFAR-10H.

The datasets are read from the folder in the environment variable ACTIVELAB_DATA, one folder each. Fewer
labels an item are drawn at random, with five seeds, and accuracies averaged. CROWDLAB's model is a logistic
regression on standardised features, trained on the majority vote, out-of-sample by five folds. Prints
markdown; the results in docs/crowd-results.md are its output.
"""

from __future__ import annotations

import argparse
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import activelab as al
from _common import print_table, versions

CROWDS = ["dog", "duck", "face", "product", "bluebirds", "labelme", "sentiment_polarity"]
METHODS = ["majority vote", "Dawid-Skene", "CROWDLAB", "model alone", "GLAD", "MACE"]
CROWDKIT = {"dog", "duck"}
CLASSES = 10


def load(folder: Path, name: str) -> tuple[al.Labels, np.ndarray, np.ndarray | None]:
    """Labels, truth and features (if any) of a crowd. Of repeated answers the last counts."""
    alone = folder / "crowd_only" / f"{name}_labels.csv.gz"
    with_features = folder / name / "labels.csv.gz"
    frame = pd.read_csv(with_features if with_features.exists() else alone)
    labels = al.Labels.from_long(frame, example="item", keep="last")
    if not with_features.exists():
        truth = pd.read_csv(folder / "crowd_only" / f"{name}_items.csv").set_index("item").truth
        return labels, truth.loc[labels.examples].to_numpy(), None
    arrays = np.load(folder / name / "features.npz")
    X = arrays["X" if "X" in arrays else "X_resnet"].astype(np.float64)
    return labels, arrays["truth"][labels.examples], X[labels.examples]


def keep_some(labels: al.Labels, most: int, seed: int) -> al.Labels:
    """At most so many labels an example, drawn at random."""
    draw = np.random.default_rng(seed).random(labels.n_labels)
    order = np.lexsort((draw, labels.example))
    rank = np.arange(labels.n_labels) - labels.offsets[labels.example]
    kept = order[rank < most]
    return al.Labels(
        labels.example[kept],
        labels.annotator[kept],
        labels.label[kept],
        examples=labels.examples,
        annotators=labels.annotators,
        classes=labels.classes,
    )


def accuracies(labels: al.Labels, truth: np.ndarray, X: Any, crowdkit: bool, seed: int) -> dict[str, float]:
    """Share of the examples on which each method agrees with the truth."""
    vote = al.majority_vote(labels, seed=seed)
    found = {"majority vote": vote.label, "Dawid-Skene": al.dawid_skene(labels, seed=seed).label}
    if X is not None:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
        fitted = al.cross_val_pred_probs(model, X, vote.label, labels.n_classes, cv=5, seed=seed)
        found["CROWDLAB"] = al.crowdlab(labels, fitted.pred_probs, seed=seed).label
        found["model alone"] = fitted.pred_probs[0].argmax(axis=1)
    if crowdkit:
        found["GLAD"] = al.crowdkit(labels, "glad").label
        found["MACE"] = al.crowdkit(labels, "mace").label
    return {name: float((labels.classes[code] == truth).mean()) for name, code in found.items()}


def crowds(folder: Path, seeds: int) -> None:
    """One row a dataset and number of labels."""
    rows = []
    for name in CROWDS:
        labels, truth, X = load(folder, name)
        for most in (1, 2, 3, None):
            if most and most >= labels.counts.max():
                continue
            some = [labels] if most is None else [keep_some(labels, most, seed) for seed in range(seeds)]
            with_crowdkit = name in CROWDKIT
            results = pd.DataFrame(
                [accuracies(one, truth, X, with_crowdkit, seed) for seed, one in enumerate(some)]
            ).mean()
            per_item = labels.counts.mean() if most is None else np.minimum(labels.counts, most).mean()
            cells = [f"{100 * results[m]:.1f}" if m in results else "" for m in METHODS]
            rows.append([name, f"{per_item:.2f}{' (all)' if most is None else ''}", *cells])
    print_table(["dataset", "labels an item", *METHODS], rows)


def cifar10h(folder: Path, seed: int = 0, batch_size: int = 500) -> None:
    """Three real labels an image, and what ActiveLab would ask about first.

    The files hold counts, not who said what: the annotators are made up, 150 with 200 labels each.
    """
    data, models = (
        np.load(folder / "cifar10h" / "labels.npz"),
        np.load(folder / "cifar10h" / "model_probs.npz"),
    )
    rng, truth = np.random.default_rng(seed), data["true_label"]
    drawn = [rng.permutation(np.repeat(np.arange(CLASSES), counts))[:3] for counts in data["counts"]]
    thirds = [50 * third + rng.permutation(len(truth)) % 50 for third in range(3)]
    matrix = np.full((len(truth), 150), np.nan)
    np.put_along_axis(matrix, np.stack(thirds, axis=1), np.stack(drawn).astype(float), axis=1)
    labels = al.Labels.from_wide(matrix, classes=CLASSES)
    probs = {name: p / p.sum(axis=1, keepdims=True) for name, p in models.items()}
    choices = {"resnet_110": probs["resnet_110"], "ensemble of four": np.stack([*probs.values()])}
    found, accuracy = [], []
    for name, pred_probs in choices.items():
        batch = al.suggest(labels, pred_probs, batch_size=len(truth), seed=seed)
        right = truth[batch.examples]
        consensus_wrong, model_wrong = batch.consensus_label != right, batch.predicted_label != right
        for what, wrong in {
            "consensus wrong": consensus_wrong,
            "model wrong": model_wrong,
            "either": consensus_wrong | model_wrong,
        }.items():
            first, random = wrong[:batch_size].sum(), wrong.mean() * batch_size
            found.append(
                [name, what, f"{first}", f"{random:.1f}", f"{first / random:.1f} ×", f"{wrong.sum()}"]
            )
        accuracy.append([f"CROWDLAB, {name}", f"{100 * (1 - consensus_wrong.mean()):.2f}"])
        accuracy.append([f"model alone, {name}", f"{100 * (1 - model_wrong.mean()):.2f}"])
    for name, one in {
        "majority vote": al.majority_vote(labels),
        "Dawid-Skene": al.dawid_skene(labels),
    }.items():
        accuracy.append([name, f"{100 * (one.label == truth).mean():.2f}"])
    header = [
        "model",
        "images",
        f"in the {batch_size} lowest scores",
        f"in {batch_size} at random",
        "",
        "in all",
    ]
    print_table(header, found)
    print_table(["consensus of 3 labels an image", "accuracy"], accuracy)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one seed instead of five")
    options = parser.parse_args()
    if "ACTIVELAB_DATA" not in os.environ:
        parser.exit(message="Set ACTIVELAB_DATA to the folder of the datasets; nothing to do without.\n")
    folder = Path(os.environ["ACTIVELAB_DATA"])
    print(versions("crowd-kit"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        crowds(folder, seeds=1 if options.quick else 5)
        cifar10h(folder)


if __name__ == "__main__":
    main()
