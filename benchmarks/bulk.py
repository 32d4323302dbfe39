"""Answers seen in bulk: is the quality that is stated of them true, if they count fully, and as a share?

Real crowds with truth and features, read from the folder in ACTIVELAB_DATA. A quarter of the pool gets single
labels; a classifier is trained on them. What it is surest of (0.9 and more) is offered in bulk. Whoever is
asked passes the class that is offered without looking with probability `blind`; else they look, and say what
somebody of the real crowd said: if it is that class, the answer is one seen in bulk, if not, a single one.
One in ten of what was passed gets the single label of somebody else as well; `unchecked` gets none.
Stated − true is of the examples that were passed and have no other label. Prints markdown; docs/honesty.md
holds its output.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import activelab as al
from _common import markdown, print_machine
from activelab.consensus.parts import alone_seen

SURE, CHECKED = 0.9, 0.1
BLIND = (0.0, 0.25, 0.5, 0.9)


class Crowd:
    """A pool: features, truth, and who says what of each example."""

    def __init__(self, folder: Path, name: str, seed: int) -> None:
        rng = np.random.default_rng(seed)
        if name == "cifar10h":
            labels = np.load(folder / name / "labels.npz")
            self.X = np.load(folder / name / "emb_mnv1.npz")["X"].astype(np.float32)
            self.truth, counts = labels["true_label"].astype(int), labels["counts"]
            # Who said what is not published: ten made-up people share the real labels of each image.
            said = [rng.permutation(np.repeat(np.arange(10), row))[:10] for row in counts]
            self.said = [list(zip(rng.permutation(10), row, strict=True)) for row in said]
        else:
            given = np.load(folder / name / "features.npz")
            self.X, self.truth = given["X"].astype(np.float32), given["truth"].astype(int)
            table = pd.read_csv(folder / name / "labels.csv.gz")
            self.said = [[] for _ in self.truth]
            for item, who, label in table[["item", "annotator", "label"]].itertuples(index=False):
                self.said[item].append((who, label))
            for row in self.said:
                rng.shuffle(row)
        self.n_classes = int(self.truth.max()) + 1


def simulated(
    crowd: Crowd, blind: float, checked: float, seed: int
) -> tuple[al.Labels, np.ndarray, np.ndarray]:
    """Labels, which were seen in bulk, and out-of-sample probabilities."""
    rng = np.random.default_rng([seed, int(100 * blind)])
    size = len(crowd.truth)
    rows = [(i, *one, False) for i in rng.permutation(size)[: size // 4] for one in crowd.said[i][:2]]
    probs = predicted(crowd, rows, seed)
    told = {i for i, *_ in rows}
    offered = probs.argmax(axis=1)
    for i in np.flatnonzero(probs.max(axis=1) >= SURE).tolist():
        if i in told or len(crowd.said[i]) < 2:
            continue
        (who, label), other = crowd.said[i][:2]
        passes = rng.random() < blind or label == offered[i]
        rows.append((i, who, offered[i] if passes else label, passes))
        if passes and rng.random() < checked:
            rows.append((i, *other, False))
    rows.sort()
    example, who, label, bulk = (np.array(column) for column in zip(*rows, strict=True))
    _, who = np.unique(who, return_inverse=True)
    classes = {"examples": size, "annotators": int(who.max()) + 1, "classes": crowd.n_classes}
    labels = al.Labels(example, who, label, **classes)
    mask = np.zeros((size, int(who.max()) + 1), dtype=bool)
    mask[example[bulk], who[bulk]] = True
    # As a project does: the next round trains on all of it.
    return labels, mask[labels.example, labels.annotator], predicted(crowd, rows, seed)


def predicted(crowd: Crowd, rows: list[tuple[int, int, int, bool]], seed: int) -> np.ndarray:
    """Probabilities of a classifier trained on the majority of single labels, by cross-validation."""
    votes = np.zeros((len(crowd.truth), crowd.n_classes))
    for i, _, label, many in rows:
        votes[i, label] += not many  # no classifier is trained on what it was asked to confirm
    target = np.where(votes.any(axis=1), votes.argmax(axis=1), -1)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=300))
    return al.cross_val_pred_probs(model, crowd.X, target, crowd.n_classes, cv=5, seed=seed).pred_probs[0]


def measured(folder: Path, names: list[str], seeds: int) -> list[list[str]]:
    """Lines of the table."""
    lines = []
    for name in names:
        for checked in (CHECKED, 0.0):
            for blind in BLIND:
                found = []
                for seed in range(seeds):
                    crowd = Crowd(folder, name, seed)
                    labels, bulk, probs = simulated(crowd, blind, checked, seed)
                    seen = np.zeros(labels.n_examples, dtype=bool)
                    seen[labels.example[bulk]] = True
                    of = np.flatnonzero(seen & (labels.counts == 1))
                    full = al.bayesian_consensus(labels, probs)
                    shared = al.bayesian_consensus(labels, probs, bulk=bulk)
                    right = (shared.label == crowd.truth)[of].mean()
                    share = float(shared.notes[0].split("counts for ")[1].split()[0])
                    without = al.bayesian_consensus(alone_seen(labels, bulk), probs)
                    stated = [one.posterior[of, shared.label[of]] for one in (without, full, shared)]
                    found.append([len(of), share, right, *(one.mean() - right for one in stated)])
                number, share, right, *gaps = np.mean(found, axis=0)
                lines.append([name, f"{checked:.0%}", f"{blind:.0%}", f"{number:,.0f}", f"{share:.2f}"])
                lines[-1] += [f"{right:.3f}", *(f"{gap:+.3f}" for gap in gaps)]
                print(lines[-1], flush=True)
    return lines


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sets", nargs="*", default=["sentiment_polarity", "labelme", "cifar10h"])
    parser.add_argument("--quick", action="store_true", help="one seed of the smallest set")
    given = parser.parse_args()
    if given.quick:
        given.seeds, given.sets = 1, ["labelme"]
    print_machine()
    head = ["set", "checked by others", "passed blindly", "examples", "share", "true"]
    head += ["stated − true: by the model alone", "counted fully", "as a share"]
    print(markdown(head, measured(Path(os.environ["ACTIVELAB_DATA"]), given.sets, given.seeds)))
