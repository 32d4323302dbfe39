"""Answers that are sets: the consensus against majority votes and crowd-kit, single questions against whole
examples, and the time it takes.

Crowds are read from the folder in ACTIVELAB_DATA, with 1, 2 and 3 answers an example drawn at random. Where
there is no gold, the truth is what people say whose answers no method sees: the majority of half of them, or
one of them. With a model, its out-of-sample probabilities are those of a logistic regression a class on 40
principal components, trained on majority votes. Prints markdown; docs/multilabel.md holds its output.
"""

from __future__ import annotations

import argparse
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

import activelab as al
from _common import markdown, print_machine, timed

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


@cache
def features(folder: Path, components: int = 40) -> np.ndarray:
    """Principal components of the features, of the premise and the statement together where there are two."""
    found = np.load(folder / "features.npz")
    if "X" in found:
        X = found["X"].astype(np.float64)
    else:
        one, other = found["C"].astype(np.float64), found["S"].astype(np.float64)
        X = np.hstack([one, other, np.abs(one - other), one * other])
    X = X - X.mean(axis=0)
    _, rotation = np.linalg.eigh(X.T @ X)
    X = X @ rotation[:, -components:]
    return np.asarray(X / X.std())


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
    found = BinaryRelevance(DawidSkene(n_iter=20)).fit_predict(frame)
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
    """Macro-F1, share of right single answers, what is stated less what is true, and `expected_answers`."""
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
        name: (macro_f1(truth, one), float((one == (truth == 1))[known].mean()), np.nan, np.nan)
        for name, one in chosen.items()
    }
    for loss in ("hamming", "f1"):
        result = al.multilabel_consensus(sets, pred_probs, loss=loss)
        right = (result.chosen == (truth == 1))[known]
        stated = result.quality[known]
        found[loss] = (
            macro_f1(truth, result.chosen),
            float(right.mean()),
            float(stated.mean() - right.mean()),
            float(expected_answers(result)[known].mean() - right.mean()),
        )
    return found


def expected_answers(result: al.MultilabelConsensus) -> np.ndarray:
    """Probability that one more person says of each class what the consensus does.

    Where the truth is the answer of one person, this is what can be true of it.
    """
    table = pd.DataFrame(result.annotators.of_class).dropna()
    rate = table[["sensitivity", "specificity"]].mul(table["num_labels"], axis=0)
    rate = rate.groupby(table["class"]).sum().div(table.groupby("class")["num_labels"].sum(), axis=0)
    sensitivity, specificity = rate.loc[result.sets.classes.tolist()].to_numpy().T
    yes = result.posterior * sensitivity + (1 - result.posterior) * (1 - specificity)
    return np.where(result.chosen, yes, 1 - yes)


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
    return pd.DataFrame(
        rows, columns=["crowd", "model", "answers", "method", "f1", "right", "over", "answer"]
    )


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
        cells.append(f"{values['answer']['hamming']:+.3f}" if "one held out" in crowd else "")
        lines.append([crowd, "with" if model else "without", str(number), *cells])
    header = ["crowd", "model", "answers", *(f"F1, {m}" for m in methods)]
    header += ["right, majority", "hamming", "stated − true, hamming", "f1", "expected − real answers"]
    print(markdown(header, lines), flush=True)


# ------------------------------------------------------------------ questions


def made_up(seed: int, n_examples: int = 400, n_classes: int = 8, n_annotators: int = 20) -> Pool:
    """Answers of 20 annotators who differ in care and zeal, about classes that apply to 3 to 40 %."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_examples, 20))
    signal = X @ rng.standard_normal((20, n_classes)) / np.sqrt(20) + 0.6 * rng.standard_normal(
        (n_examples, n_classes)
    )
    rate = np.linspace(0.03, 0.4, n_classes)
    truth = (signal >= np.array([np.quantile(s, 1 - r) for s, r in zip(signal.T, rate, strict=True)])).astype(
        int
    )
    care, zeal = rng.normal(0, 0.6, (n_annotators, 1)), rng.normal(0, 0.5, (n_annotators, 1))
    hit = 1 / (1 + np.exp(-(1.2 + care + zeal + rng.normal(0, 0.3, (n_annotators, n_classes)))))
    alarm = 1 / (1 + np.exp(2.6 + care - zeal + rng.normal(0, 0.3, (n_annotators, n_classes))))
    item, annotator = (one.reshape(-1) for one in np.indices((n_examples, n_annotators)))
    chance = np.where(truth[item] == 1, hit[annotator], alarm[annotator])
    chosen = rng.random(chance.shape) < chance
    return Pool("made up", item, annotator, chosen, truth, [f"c{code}" for code in range(n_classes)], X)


class Desk:
    """Hands out the answers of a pool one at a time: of an example, of somebody not yet asked, at random."""

    def __init__(self, pool: Pool, seed: int) -> None:
        self.pool, self.rng = pool, np.random.default_rng(seed)
        shuffled = self.rng.permutation(len(pool.item))
        order = shuffled[np.argsort(pool.item[shuffled], kind="stable")]
        count = np.bincount(pool.item, minlength=len(pool.truth))
        first = np.cumsum(count) - count
        self.order, self.first, self.count = order, first, count
        self.used = np.zeros(pool.truth.shape, dtype=int)
        self.asked = np.zeros(pool.chosen.shape, dtype=bool)

    @property
    def left(self) -> np.ndarray:
        """Which classes of which examples somebody is left for."""
        return self.used < self.count[:, None]

    def answer(self, example: int, code: int | None) -> None:
        for each in range(self.used.shape[1]) if code is None else [code]:
            if self.used[example, each] < self.count[example]:
                row = self.order[self.first[example] + self.used[example, each]]
                self.asked[row, each] = True
                self.used[example, each] += 1

    def sets(self) -> al.LabelSets:
        rows = np.flatnonzero(self.asked.any(axis=1))
        pool = self.pool
        return al.LabelSets(
            pool.item[rows],
            pool.annotator[rows],
            pool.chosen[rows] & self.asked[rows],
            asked=self.asked[rows],
            examples=len(pool.truth),
            annotators=int(pool.annotator.max()) + 1,
            classes=pool.classes,
        )


def curve(pool: Pool, arm: str, rounds: int, each: int, first: int, seed: int) -> list[tuple[float, float]]:
    """Single answers given, and macro-F1 of the consensus on the whole pool, after each round."""
    desk, rng = Desk(pool, seed), np.random.default_rng([seed, 1])
    size = pool.truth.shape[1]
    for example in rng.permutation(len(pool.truth))[:first]:
        desk.answer(int(example), None)
    found = []
    pred_probs = None
    for _ in range(rounds + 1):
        sets = desk.sets()
        for _ in range(2):
            result = al.multilabel_consensus(sets, pred_probs, loss="f1")
            votes = np.where(desk.used > 0, result.posterior >= 0.5, -1).astype(int)
            pred_probs = predictions(pool.features, votes, seed)
        result = al.multilabel_consensus(sets, pred_probs, loss="f1")
        chosen = result.posterior >= result.threshold
        found.append((float(desk.asked.sum()), macro_f1(pool.truth, chosen)))
        if arm == "random":
            free = np.flatnonzero(desk.left.all(axis=1))
            for example in rng.permutation(free)[: each // size]:
                desk.answer(int(example), None)
            continue
        ask = {"examples": "examples", "classes": "classes"}[arm.split()[0]]
        free = desk.left.all(axis=1) if ask == "examples" else desk.left.any(axis=1)
        number = each // size if ask == "examples" else each
        batch = al.suggest_questions(sets, pred_probs, number, ask=ask, loss=arm.split()[1], eligible=free)
        code = {name: at for at, name in enumerate(pool.classes)}
        for example, name in batch:
            desk.answer(int(example), None if name is None else code[name])
    return found


def needed(points: list[tuple[float, float]], level: float) -> float:
    """Answers after which the curve, as far as it only rises, has reached a level; infinite if never."""
    before, best = points[0]
    reached = best
    for number, value in points:
        if value >= level:
            share = 1.0 if value == reached else (level - reached) / (value - reached)
            return before + max(share, 0.0) * (number - before)
        if value > reached:
            before, reached = number, value
    return float("inf")


ARMS = ("random", "classes f1", "classes hamming")


def questions(folder: Path, seeds: int) -> None:
    lines = []
    for name, make, first, each, rounds in asked_pools(folder):
        curves: dict[str, list[list[tuple[float, float]]]] = {arm: [] for arm in ARMS}
        for seed in range(seeds):
            pool = make(seed)
            for arm in ARMS:
                curves[arm].append(curve(pool, arm, rounds, each * len(pool.classes), first, seed))
        mean = {
            arm: [(float(x), float(y)) for x, y in np.mean(found, axis=0)] for arm, found in curves.items()
        }
        level = max(value for _, value in mean["random"])
        budget = needed(mean["random"], level)
        cells = [f"{needed(mean[arm], level) / budget:.0%}" for arm in ARMS[1:]]
        ends = [f"{mean[arm][-1][1]:.3f}" for arm in ARMS]
        lines.append([name, f"{level:.3f}", f"{budget:,.0f}", *cells, *ends])
        print(lines[-1], flush=True)
    header = ["crowd", "F1", "single answers, random", *(f"{arm}" for arm in ARMS[1:])]
    print(markdown([*header, *(f"last F1, {arm}" for arm in ARMS)], lines), flush=True)


def asked_pools(folder: Path) -> Iterator[tuple[str, object, int, int, int]]:
    """Name, how to make it for a seed, whole answers at first and a round, rounds."""
    yield "made up", made_up, 40, 50, 14
    yield "convabuse, half held out", lambda seed: next(pools(folder, seed)), 300, 300, 8
    yield "snow_affect, gold", lambda seed: [*pools(folder, seed)][-1], 20, 25, 12


# ------------------------------------------------------------------ time


def many(n_examples: int, n_classes: int = 20, n_annotators: int = 500, answers: int = 3) -> al.LabelSets:
    """Answers of people who err, about classes that apply to 2 to 40 %."""
    rng = np.random.default_rng(0)
    rate = np.linspace(0.02, 0.4, n_classes)
    truth = rng.random((n_examples, n_classes), dtype=np.float32) < rate
    example = np.repeat(np.arange(n_examples), answers)
    start, step = rng.integers(n_annotators, size=n_examples), rng.integers(1, 100, size=n_examples)
    annotator = (start[example] + np.tile(np.arange(answers), n_examples) * step[example]) % n_annotators
    care = rng.uniform(0.6, 0.95, n_annotators).astype(np.float32)[annotator]
    chance = np.where(truth[example], care[:, None], np.float32(0.04))
    chosen = rng.random(chance.shape, dtype=np.float32) < chance
    return al.LabelSets(
        example, annotator, chosen, examples=n_examples, annotators=n_annotators, classes=n_classes
    )


def speed(n_examples: int) -> None:
    sets = many(n_examples)
    together = timed(lambda: al.multilabel_consensus(sets))
    binary = [
        timed(lambda code=code: al.bayesian_consensus(sets.of_class(code))) for code in range(sets.n_classes)
    ]
    alone = sum(one.wall for one in binary), sum(one.cpu for one in binary)
    print(f"{n_examples:,} examples, {sets.n_classes} classes, {sets.n_answers:,} answers")
    print(f"multilabel_consensus: {together}")
    print(f"{sets.n_classes} binary runs: {alone[1]:.3g} s CPU, {alone[0]:.3g} s wall")
    print(
        f"ratio: {together.cpu / alone[1]:.2f} of the CPU time, {together.wall / alone[0]:.2f} by the clock"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--examples", type=int, default=1_000_000, help="of the pool that is timed")
    parser.add_argument("--only", choices=["consensus", "questions", "time"])
    parser.add_argument("--quick", action="store_true", help="one seed, a tenth of the timed pool")
    given = parser.parse_args()
    if given.quick:
        given.seeds, given.examples = 1, given.examples // 10
    warnings.simplefilter("ignore")
    folder = Path(os.environ["ACTIVELAB_DATA"])
    print_machine("scikit-learn", "pandas", "crowd-kit")
    if given.only in (None, "consensus"):
        report(measured(folder, given.seeds))
    if given.only in (None, "questions"):
        questions(folder, given.seeds)
    if given.only in (None, "time"):
        speed(given.examples)
