"""Abstentions used against abstentions dropped, on a real crowd that has them.

The crowd, consumer_complaints, is read from the folder in ACTIVELAB_DATA. One half of its ten people is
asked, 1, 2, 3 or all 5 of them about each example, drawn at random, and may answer or say that they cannot
tell. What is predicted are the answers of the other half, by soft labels, and the consensus of that half, by
the posterior.
Scores are nats, lower is better; differences have bootstrap intervals over examples. Prints markdown;
docs/soft-labels.md holds its output.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
import pandas as pd

import activelab as al
from _common import markdown, print_machine
from soft_labels import interval

NUMBERS = (1, 2, 3, 5)
HALVES = {"0 to 4": (0, "ds_from_annotators_5_9"), "5 to 9": (5, "ds_from_annotators_0_4")}
CANNOT_TELL = 6


def asked(table: pd.DataFrame, lowest: int, number: int, seed: int) -> tuple[al.Labels, al.Labels]:
    """Labels, and who could not tell, of ``number`` people of a half an example."""
    half = table[table["annotator"].between(lowest, lowest + 4)]
    rows = half.iloc[np.random.default_rng([seed, number]).permutation(len(half))]
    rows = rows[rows.groupby("item").cumcount() < number]
    answers = al.Labels(
        rows["item"],
        rows["annotator"],
        rows["label"].fillna(CANNOT_TELL).astype(int),
        examples=int(table["item"].max()) + 1,
        annotators=10,
        classes=CANNOT_TELL + 1,
    )
    return answers.set_apart(CANNOT_TELL)


def measured(folder: Path, seeds: int) -> tuple[list[list[str]], list[list[str]]]:
    """Lines of the two tables: log losses, and what is stated less what is true."""
    table = pd.read_csv(folder / "labels_with_abstentions.csv.gz")
    truths = np.load(folder / "truth_variants.npz")
    losses, honest = [], []
    for number in NUMBERS:
        differences: dict[str, list[np.ndarray]] = {"answers": [], "truth": []}
        rows: dict[str, list[np.ndarray]] = {"answers": [], "truth": []}
        means: dict[tuple[str, str], list[float]] = {}
        gaps: dict[tuple[str, str], list[tuple[float, float, int]]] = {}
        for seed in range(seeds):
            for lowest, truth_name in HALVES.values():
                labels, abstentions = asked(table, lowest, number, seed)
                other = table[~table["annotator"].between(lowest, lowest + 4)].dropna()
                at, label = other["item"].to_numpy(), other["label"].to_numpy(dtype=int)
                truth = truths[truth_name]
                known = np.flatnonzero((truth >= 0) & labels.labelled)
                hard = abstentions.counts[known] > 0
                scores = {}
                for how, given in (("dropped", None), ("used", abstentions)):
                    soft = al.soft_labels(labels, abstentions=given).distribution
                    consensus = al.bayesian_consensus(labels, abstentions=given, seed=seed)
                    posterior = consensus.posterior
                    scores[how] = (
                        -np.log(soft[at, label]),
                        -np.log(np.maximum(posterior[known, truth[known]], 1e-12)),
                    )
                    right = consensus.label[known] == truth[known]
                    for name, chosen in (("all", hard | True), ("some abstained", hard)):
                        if not chosen.any():
                            continue
                        stated = consensus.quality[known][chosen]
                        values = (float(stated.mean()), float(right[chosen].mean()), int(chosen.sum()))
                        gaps.setdefault((how, name), []).append(values)
                for place, (what, where) in enumerate((("answers", at), ("truth", known))):
                    differences[what].append(scores["used"][place] - scores["dropped"][place])
                    rows[what].append(where)
                    for how in scores:
                        means.setdefault((what, how), []).append(float(scores[how][place].mean()))
        for what in differences:
            mean, low, high = interval(np.concatenate(differences[what]), np.concatenate(rows[what]), 0)
            cells = [f"{np.mean(means[what, how]):.4f}" for how in ("dropped", "used")]
            losses.append([what, str(number), *cells, f"{mean:+.4f} ({low:+.4f} to {high:+.4f})"])
        for (how, name), values in gaps.items():
            stated, true, size = np.mean(values, axis=0)
            honest.append([str(number), name, how, f"{size:.0f}", f"{stated:.3f}", f"{true:.3f}"])
            honest[-1].append(f"{stated - true:+.3f}")
    return losses, honest


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    print_machine()
    losses, honest = measured(Path(os.environ["ACTIVELAB_DATA"], "consumer_complaints"), given.seeds)
    print("\nLog loss")
    print(markdown(["of", "asked", "dropped", "used", "used less dropped"], losses))
    print("\nStated − true")
    print(markdown(["asked", "examples", "abstentions", "number", "stated", "true", "stated − true"], honest))
