"""Abstentions used against abstentions dropped: in the consensus of each kind of answer, and in the order.

Crowds are read from the folder in ACTIVELAB_DATA. One half of the ten people of consumer_complaints is
asked, 1, 2, 3 or all 5 of them about each example, drawn at random, and may answer or say that they cannot
tell. What is predicted are the answers of the other half, by soft labels, and the consensus of that half, by
the posterior. The same answers are sets of one class. In convabuse the middle of the scale, "ambivalent", is
taken for "I cannot tell", of the severity and of the kinds of abuse; one person an example is held out.
Made-up people err and abstain more often on hard examples, or abstain by chance.

Then answers are replayed, a batch a round, by an order that knows who could not tell and by one that does
not; the consensus that is scored knows it in both. Every question counts, answered or not.

Scores are nats, lower is better; differences have bootstrap intervals over examples, or the standard error of
the replays. Prints markdown; docs/soft-labels.md and docs/multilabel.md hold its output.
"""

from __future__ import annotations

import argparse
import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

import activelab as al
from _common import markdown, print_machine
from activelab.consensus import bayesian_estimate
from activelab.consensus.parts import scale_positions
from activelab.multilabel.parts import estimate_beside, mean_rates
from activelab.pred_probs import Checked
from soft_labels import interval

NUMBERS = (1, 2, 3, 5)
HALVES = {"0 to 4": (0, "ds_from_annotators_5_9"), "5 to 9": (5, "ds_from_annotators_0_4")}
CANNOT_TELL = 6
AMBIVALENT = 3


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


@dataclass
class Seen:
    """Answers a method sees, and what is held out: single answers, and the truth where it is known."""

    kind: str
    answers: Any
    abstentions: al.Labels
    at: np.ndarray
    said: np.ndarray  # codes, or booleans of shape (n, n_classes)
    truth: np.ndarray | None = None


def judged(seen: Seen, given: al.Labels | None) -> tuple[np.ndarray, np.ndarray]:
    """The posterior of each example, and the distribution of what one more person says; of sets of yes."""
    answers = seen.answers
    if seen.kind == "sets":
        found = al.multilabel_consensus(answers, abstentions=given)
        yes, no = mean_rates(estimate_beside(answers, (), abstentions=given), answers)
        return found.posterior, found.posterior * yes + (1 - found.posterior) * (1 - no)
    if seen.kind == "one class":
        soft = al.soft_labels(answers, abstentions=given).distribution
        return al.bayesian_consensus(answers, abstentions=given).posterior, soft
    models = Checked((), answers, abstentions=given)
    channels = bayesian_estimate(answers, models, where=scale_positions(answers)).channels
    confusion = channels.confusion(np.arange(answers.n_annotators))
    confusion /= confusion.sum(axis=1, keepdims=True)
    mean = np.average(confusion, axis=0, weights=np.bincount(answers.annotator) + 1e-9)
    posterior = al.ordinal_consensus(answers, abstentions=given).posterior
    return posterior, posterior @ mean.T


def losses_of(probability: np.ndarray, at: np.ndarray, said: np.ndarray) -> np.ndarray:
    """Minus the log-probability of what was said or is true; of sets the mean over the classes."""
    if said.ndim == 2:
        of = np.where(said, probability[at], 1 - probability[at])
        return -np.log(np.maximum(of, 1e-12)).mean(axis=1)
    return -np.log(np.maximum(probability[at, said], 1e-12))


def complaints_as_sets(folder: Path, number: int, seed: int) -> Iterator[Seen]:
    table = pd.read_csv(folder / "consumer_complaints" / "labels_with_abstentions.csv.gz")
    truths = np.load(folder / "consumer_complaints" / "truth_variants.npz")
    for lowest, truth_name in HALVES.values():
        labels, abstentions = asked(table, lowest, number, seed)
        other = table[~table["annotator"].between(lowest, lowest + 4)].dropna()
        truth = truths[truth_name]
        of_class = np.where(truth[:, None] < 0, -1, truth[:, None] == np.arange(CANNOT_TELL))
        said = other["label"].to_numpy(dtype=int)[:, None] == np.arange(CANNOT_TELL)
        yield Seen("sets", one_class_sets(labels), abstentions, other["item"].to_numpy(), said, of_class)


def one_class_sets(labels: al.Labels) -> al.LabelSets:
    chosen = labels.label[:, None] == np.arange(labels.n_classes)
    pool = {"examples": labels.n_examples, "annotators": labels.n_annotators, "classes": labels.n_classes}
    return al.LabelSets(labels.example, labels.annotator, chosen, **pool)


def abuse(kind: str) -> Callable[[Path, int, int], Iterator[Seen]]:
    """Severity, or kinds of abuse, of those who are not ambivalent; one answer an example is held out."""

    def of(folder: Path, number: int, seed: int) -> Iterator[Seen]:
        sets = pd.read_csv(folder / "convabuse" / "multilabel.csv.gz")
        classes = [name for name in sets if name not in ("item", "annotator")]
        table = pd.read_csv(folder / "convabuse" / "labels.csv.gz").merge(sets, on=["item", "annotator"])
        table = table.sample(frac=1, random_state=seed)
        place = table.groupby("item").cumcount()
        several = table.groupby("item")["item"].transform("size") > 2
        held = table[(place == 0) & several & (table["label"] != AMBIVALENT)]
        shown = table[((place > 0) | ~several) & (place <= number)]
        silent, told = shown[shown["label"] == AMBIVALENT], shown[shown["label"] != AMBIVALENT]
        pool = {"examples": int(table["item"].max()) + 1, "annotators": 8}
        apart = al.Labels(silent["item"], silent["annotator"], [0] * len(silent), **pool, classes=1)
        at = held["item"].to_numpy()
        if kind == "sets":
            said = al.LabelSets(told["item"], told["annotator"], told[classes], **pool, classes=classes)
            yield Seen(kind, said, apart, at, held[classes].to_numpy(dtype=bool))
            return
        codes = {0: 0, 1: 1, 2: 2, 4: 3}
        label = told["label"].map(codes)
        ratings = al.Labels(told["item"], told["annotator"], label, **pool, classes=[-3, -2, -1, 1])
        yield Seen(kind, ratings, apart, at, held["label"].map(codes).to_numpy())

    return of


SHARES = np.array([0.3, 0.15, 0.4, 0.1])  # of the classes of made-up sets


def made_up(
    kind: str, seed: int, *, size: int, by_chance: bool = False, lost: float = 0.0
) -> tuple[np.ndarray, ...]:
    """Truth; what 8 people say of each example, for sets of each class; who can tell; which are hard."""
    rng = np.random.default_rng([seed, len(kind)])
    hard, shape = rng.random(size) < 0.3, (size, 8)
    if kind == "sets":
        truth = rng.random((size, len(SHARES))) < SHARES
        wrong = rng.random((*shape, len(SHARES))) < np.where(hard, 0.3, 0.05)[:, None, None]
        said = truth[:, None] ^ wrong
    elif kind == "ratings":
        truth = rng.integers(5, size=size)
        heard = truth[:, None] + rng.normal(0, np.where(hard, 1.5, 0.5)[:, None], shape)
        said = np.rint(heard + np.linspace(-0.5, 0.5, 8)).clip(0, 4).astype(int)
    else:
        truth = rng.integers(4, size=size)
        wrong = rng.random(shape) < np.where(hard, 0.5, 0.08)[:, None]
        said = (truth[:, None] + np.where(wrong, rng.integers(1, 4, shape), 0)) % 4
    rate = np.full(size, 0.15) if by_chance else np.where(hard, 0.4, 0.05)
    can = rng.random(shape) >= rate[:, None] * np.linspace(0.5, 1.5, 8)
    beyond = rng.random(size) < lost  # of which hardly anybody can tell
    return truth, said, can & ~(beyond[:, None] & (rng.random(shape) < 0.95)), hard | beyond


def classes_of(kind: str) -> int:
    return {"sets": len(SHARES), "ratings": 5}.get(kind, 4)


def told_by(
    kind: str, said: np.ndarray, can: np.ndarray, of: np.ndarray, n_classes: int
) -> tuple[Any, al.Labels]:
    """What those who were asked (a mask) say, and who of them could not tell."""
    pool = {"examples": len(said), "annotators": said.shape[1]}
    example, annotator = np.nonzero(of & ~can)
    apart = al.Labels(example, annotator, np.zeros(len(example), dtype=int), **pool, classes=1)
    example, annotator = np.nonzero(of & can)
    new = al.LabelSets if kind == "sets" else al.Labels
    return new(example, annotator, said[example, annotator], **pool, classes=n_classes), apart


def invented(kind: str, *, by_chance: bool = False) -> Callable[[Path, int, int], Iterator[Seen]]:
    def of(_: Path, number: int, seed: int) -> Iterator[Seen]:
        truth, said, can, _ = made_up(kind, seed, size=1500, by_chance=by_chance)
        place = np.random.default_rng(seed).random(can.shape).argsort(axis=1)
        answers, apart = told_by(kind, said, can, place < number, classes_of(kind))
        at, who = np.nonzero((place == 7) & can)
        yield Seen(kind, answers, apart, at, said[at, who], truth)

    return of


CROWDS = {
    "complaints, as sets": (complaints_as_sets, (1, 2, 3, 5)),
    "abuse, severity": (abuse("ratings"), (2, 3)),
    "abuse, kinds": (abuse("sets"), (2, 3)),
    "made up, one class": (invented("one class"), (1, 2, 3, 5)),
    "made up, ratings": (invented("ratings"), (1, 2, 3, 5)),
    "made up, sets": (invented("sets"), (1, 2, 3, 5)),
    "by chance, one class": (invented("one class", by_chance=True), (3,)),
    "by chance, ratings": (invented("ratings", by_chance=True), (3,)),
    "by chance, sets": (invented("sets", by_chance=True), (3,)),
}


def of_kinds(folder: Path, seeds: int) -> Iterator[list[str]]:
    """Log losses of what one more person says and of the truth; what is stated where somebody abstained."""
    for name, (crowd, numbers) in CROWDS.items():
        for number in numbers:
            found: dict[str, list[tuple[float, float, np.ndarray, np.ndarray]]] = {"answers": [], "truth": []}
            honest = []
            for seed in range(seeds):
                for seen in crowd(folder, number, seed):
                    dropped, used = (judged(seen, given) for given in (None, seen.abstentions))
                    some = (seen.abstentions.counts > 0) & seen.answers.labelled
                    for what, place, at, said in targets(seen):
                        before, after = (losses_of(one[place], at, said) for one in (dropped, used))
                        found[what].append((before.mean(), after.mean(), after - before, at))
                    if seen.truth is not None and some.any():
                        honest.append([stated_less_true(one[0], seen.truth, some) for one in (dropped, used)])
            for what, scores in found.items():
                if not scores:
                    continue
                before, after = (f"{np.mean([one[at] for one in scores]):.4f}" for at in (0, 1))
                mean, low, high = interval(*(np.concatenate([one[at] for one in scores]) for at in (2, 3)), 0)
                row = [name, what, str(number), before, after, f"{mean:+.4f} ({low:+.4f} to {high:+.4f})"]
                gaps = [f"{one:+.3f}" for one in np.mean(honest, axis=0)] if honest else ["", ""]
                yield [*row, *(gaps if what == "truth" else ["", ""])]


def targets(seen: Seen) -> Iterator[tuple[str, int, np.ndarray, np.ndarray]]:
    yield "answers", 1, seen.at, seen.said
    if seen.truth is not None:
        known = np.flatnonzero(seen.answers.labelled & (seen.truth.reshape(len(seen.truth), -1) >= 0).all(1))
        yield "truth", 0, known, seen.truth[known] == 1 if seen.kind == "sets" else seen.truth[known]


def stated_less_true(posterior: np.ndarray, truth: np.ndarray, some: np.ndarray) -> float:
    """By how much the probability of being right exceeds how often that is so; of sets of each class."""
    if truth.ndim == 2:
        known = some[:, None] & (truth >= 0)
        right = (posterior > 0.5) == (truth == 1)
        return float(np.maximum(posterior, 1 - posterior)[known].mean() - right[known].mean())
    known = some & (truth >= 0)
    return float(posterior.max(axis=1)[known].mean() - (posterior.argmax(axis=1) == truth)[known].mean())


# ------------------------------------------------------------------ the order


@dataclass
class Replay:
    """People who can be asked about every example, what classifiers see, and the truth, -1 unknown."""

    kind: str
    said: np.ndarray
    can: np.ndarray
    X: np.ndarray
    truth: np.ndarray
    classes: int


def replays(folder: Path, seed: int) -> Iterator[tuple[str, Replay]]:
    here = folder / "consumer_complaints"
    table = pd.read_csv(here / "labels_with_abstentions.csv.gz")
    lowest, truth_name = [*HALVES.values()][seed % 2]
    half = table[table["annotator"].between(lowest, lowest + 4)]
    said = np.full((3000, 5), -1)
    said[half["item"], half["annotator"] - lowest] = half["label"].fillna(-1)
    X = np.load(here / "features.npz")["X"].astype(np.float64)
    X = (X - X.mean(axis=0)) @ np.linalg.eigh(np.cov(X.T))[1][:, -40:]
    X, truth = X / X.std(), np.load(here / "truth_variants.npz")[truth_name].astype(int)
    rows = np.random.default_rng(seed).permutation(3000)[:1500]
    yield "complaints", Replay("one class", said[rows], said[rows] >= 0, X[rows], truth[rows], 6)
    sets = said[rows][:, :, None] == np.arange(6)
    of_class = np.where(truth[rows, None] < 0, -1, truth[rows, None] == np.arange(6))
    yield "complaints, as sets", Replay("sets", sets, said[rows] >= 0, X[rows], of_class, 6)
    for kind, lost in product(("one class", "ratings", "sets"), (0.0, 0.15)):
        truth, said, can, hard = made_up(kind, seed, size=1000, lost=lost)
        rng = np.random.default_rng([seed, 1])
        seen = truth.astype(float) if truth.ndim == 2 else np.eye(5)[truth]
        X = seen + rng.normal(0, np.where(hard, 1.5, 0.6)[:, None], seen.shape)
        name = f"made up, {kind}" if not lost else f"{lost:.0%} beyond telling, {kind}"
        yield name, Replay(kind, said, can, X, truth.astype(int), classes_of(kind))


METHODS = {"one class": "frugal", "ratings": "expected_loss", "sets": "expected_loss+ask=examples"}


def replayed(crowd: Replay, how: str, seed: int, rounds: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Log loss and share of right decisions after each round, by a consensus that knows all answers."""
    rng, size = np.random.default_rng(seed), len(crowd.said)
    turn = rng.random(crowd.can.shape).argsort(axis=1)  # whose turn comes when
    counts = np.zeros(size, dtype=int)
    counts[rng.permutation(size)[: size // 5]] = 1
    method = METHODS[crowd.kind] if how != "random" else "random"
    learner = al.ActiveLearner(LogisticRegression(max_iter=300), method, cv=3, seed=seed)
    scores = []
    for _ in range(rounds):
        answers, apart = told_by(crowd.kind, crowd.said, crowd.can, turn < counts[:, None], crowd.classes)
        batch = learner.ask(
            crowd.X, answers, size // 10, eligible=counts < crowd.can.shape[1],
            abstentions=apart if how == "knows" else None, progress=False,
        )  # fmt: skip
        counts[np.asarray(batch.examples, dtype=int)] += 1
        answers, apart = told_by(crowd.kind, crowd.said, crowd.can, turn < counts[:, None], crowd.classes)
        scores.append(scored(crowd, answers, apart, learner))
    return np.array(scores).T[0], np.array(scores).T[1]


def scored(crowd: Replay, answers: Any, apart: al.Labels, learner: al.ActiveLearner) -> tuple[float, float]:
    known = (crowd.truth.reshape(len(crowd.truth), -1) >= 0).all(axis=1)
    truth = crowd.truth[known]
    if crowd.kind == "sets":
        probs = learner.set_round_.pred_probs
        posterior = al.multilabel_consensus(answers, probs, abstentions=apart).posterior[known]
        return (
            float(losses_of(posterior, np.arange(len(truth)), truth == 1).mean()),
            float(((posterior > 0.5) == (truth == 1)).mean()),
        )
    consensus = al.ordinal_consensus if crowd.kind == "ratings" else al.bayesian_consensus
    posterior = consensus(answers, learner.round_.pred_probs, abstentions=apart).posterior[known]
    return (
        float(losses_of(posterior, np.arange(len(truth)), truth).mean()),
        float((posterior.argmax(axis=1) == truth).mean()),
    )


def orders(folder: Path, seeds: int, only: str) -> Iterator[list[str]]:
    found: dict[str, dict[str, list[tuple[np.ndarray, np.ndarray]]]] = {}
    for seed in range(seeds):
        for name, crowd in replays(folder, seed):
            if only not in name:
                continue
            for how in ("knows", "does not", "random"):
                found.setdefault(name, {}).setdefault(how, []).append(replayed(crowd, how, seed))
    for name, of in found.items():
        loss, right = (np.array([[run[at] for run in of[how]] for how in of]) for at in (0, 1))
        row = [name]
        for curves, digits in ((loss, 4), (right, 3)):
            row += [f"{one:.{digits}f}" for one in curves[:, :, -1].mean(axis=1)]
            paired = (curves[0] - curves[1]).mean(axis=1)
            row.append(f"{paired.mean():+.4f} ± {paired.std(ddof=1) / np.sqrt(len(paired)):.4f}")
        yield row


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--replays", type=int, default=6)
    parser.add_argument("--only", default="", help="replays whose name holds this")
    parser.add_argument("--part", choices=("complaints", "kinds", "order"), help="only this")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    print_machine()
    folder = Path(os.environ["ACTIVELAB_DATA"])
    if given.part in (None, "complaints"):
        losses, honest = measured(folder / "consumer_complaints", given.seeds)
        print("\nLog loss")
        print(markdown(["of", "asked", "dropped", "used", "used less dropped"], losses))
        print("\nStated − true")
        heads = ["asked", "examples", "abstentions", "number", "stated", "true", "stated − true"]
        print(markdown(heads, honest))
    if given.part in (None, "kinds"):
        print("\nOf every kind", flush=True)
        heads = [
            "crowd",
            "of",
            "asked",
            "dropped",
            "used",
            "used less dropped",
            "stated − true, dropped",
            "used",
        ]
        print(markdown(heads, [*of_kinds(folder, given.seeds)]), flush=True)
    if given.part in (None, "order"):
        print("\nThe order")
        of_loss = ["log loss, knows", "does not", "random", "mean of knows − does not"]
        of_right = ["right, knows", "does not", "random", "mean of knows − does not"]
        print(markdown(["crowd", *of_loss, *of_right], [*orders(folder, given.replays, given.only)]))
