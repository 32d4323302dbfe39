"""Several questions about one example, asked together, against each asked separately and random examples.

Answers of real people to two or more questions about the same examples are replayed from the folder in
ACTIVELAB_DATA, where what they are scored by is gold or said by people who are never asked. Every question
has an `ActiveLearner` of its own. A round asks for as many answers in all, whatever the policy:

- *by lot*: an example comes from the order of one question, drawn by lot, and somebody is asked all questions
  about it, as projects ask several questions;
- *by ranks*: all questions about the examples whose mean rank in the orders is best;
- *separately*: each question about the examples of its own order, each read for that alone;
- *random*: all questions about examples drawn at random.

An answer is one person's to one question about one example; a reading is one person's of one example. Prints
markdown; docs/multilabel.md holds its output.
"""

from __future__ import annotations

import argparse
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

import activelab as al
from _common import markdown, print_machine
from activelab.kinds import KINDS
from activelab.simulation import labels_to_reach
from kinds import CUT, LEAST, principal

POLICIES = ("by lot", "by ranks", "separately", "random")


@dataclass
class Question:
    """What people say of each example: a code, or booleans a class; and the truth."""

    name: str
    kind: str
    said: np.ndarray  # shape (n_answers,) or (n_answers, n_classes)
    truth: np.ndarray
    classes: Any

    def answers(
        self, example: np.ndarray, annotator: np.ndarray, rows: np.ndarray, pool: dict[str, int]
    ) -> Any:
        """The answers in some rows, as the core takes them."""
        new = al.LabelSets if self.kind == "multilabel" else al.Labels
        return new(example[rows], annotator[rows], self.said[rows], **pool, classes=self.classes)


@dataclass
class Crowd:
    """Who read which example, in rows; each read of an example answers every question."""

    example: np.ndarray
    annotator: np.ndarray
    X: np.ndarray
    questions: list[Question]
    start: int
    readings_a_round: int


def crowd_of(
    table: pd.DataFrame,
    rows: np.ndarray,
    X: np.ndarray,
    questions: list[tuple[Any, ...]],
    start: int,
    batch: int,
) -> Crowd:
    """The answers about some examples, numbered in their order.

    Of a question name, kind, columns, truth and classes.
    """
    at = pd.Series(np.arange(len(rows)), index=rows)
    table = table[table["item"].isin(rows)]
    made = [
        Question(name, kind, table[columns].to_numpy(), truth[rows], classes)
        for name, kind, columns, truth, classes in questions
    ]
    who = pd.factorize(table["annotator"])[0]
    return Crowd(at[table["item"]].to_numpy(), who, X[rows], made, start, batch)


def abuse(data: Path) -> Crowd:
    """Severity and the most frequent kinds of abuse; half of the people of each utterance are the truth."""
    here = data / "convabuse"
    X = principal(np.load(here / "features.npz")["X"].astype(float))[0]
    split, held = pd.read_csv(here / "split.csv.gz"), pd.read_csv(here / "truth.csv.gz").query("seed == 0")
    kinds = pd.read_csv(here / "multilabel.csv.gz")
    classes = [name for name in kinds.columns[2:] if (held[name] == 1).sum() >= LEAST]
    table = pd.read_csv(here / "labels.csv.gz").merge(kinds, on=["item", "annotator"])
    table = table.merge(split[split["s0"] == 1][["item", "annotator"]])
    clear = held[(held[["severity", *classes]] >= 0).all(axis=1)].set_index("item")
    severity, marks = np.full(len(X), -1), np.zeros((len(X), len(classes)), dtype=bool)
    severity[clear.index], marks[clear.index] = clear["severity"], clear[classes] == 1
    table[classes] = table[classes].astype(bool)
    asked = [("severity", "ordinal", "label", severity, [-3, -2, -1, 0, 1])]
    asked += [("kinds", "multilabel", classes, marks, classes)]
    return crowd_of(table, clear.index.to_numpy(), X, asked, 100, 100)


def headlines(data: Path) -> Crowd:
    """Valence and six emotions, ten people a headline; six trained ones are the truth."""
    here = data / "snow_affect"
    found = np.load(here / "features.npz", allow_pickle=True)
    emotions = ["anger", "disgust", "fear", "joy", "sadness", "surprise"]
    table = pd.read_csv(here / "ratings.csv.gz").merge(pd.read_csv(here / "labels.csv.gz"))
    table[emotions] = table[emotions] >= CUT
    asked = [("valence", "ordinal", "label", found["truth"], [-2, -1, 0, 1, 2])]
    asked += [("emotions", "multilabel", emotions, found["gold"][:, :6] >= CUT, emotions)]
    return crowd_of(
        table, np.arange(100), principal(found["X"].astype(float), components=20)[0], asked, 30, 15
    )


CROWDS = {"headlines": (headlines, 6), "abuse": (abuse, 6)}
"""The crowds, and how often each is replayed."""


def replayed(crowd: Crowd, policy: str, seed: int, rounds: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Answers and readings after each round, and then the error of each question."""
    rng, size = np.random.default_rng(seed), len(crowd.X)
    # Rows of each example in the order in which its people come.
    turns = rng.permutation(len(crowd.example))
    turns = turns[np.argsort(crowd.example[turns], kind="stable")]
    begin = np.searchsorted(crowd.example[turns], np.arange(size + 1))
    there = np.diff(begin)
    counts = np.zeros((len(crowd.questions), size), dtype=int)  # answers to each question
    counts[:, rng.permutation(size)[: crowd.start]] = 1
    readings = crowd.start
    learners = [
        al.ActiveLearner(
            LogisticRegression(max_iter=300),
            "expected_loss+ask=examples" if one.kind == "multilabel" else "expected_loss",
            cv=3,
            seed=seed,
        )
        for one in crowd.questions
    ]
    pool = {"examples": size, "annotators": int(crowd.annotator.max()) + 1}
    place = np.empty(len(turns), dtype=int)
    place[turns] = np.arange(len(turns)) - begin[crowd.example[turns]]
    answers, read, errors = [], [], []
    for number in range(rounds + 1):
        orders, scores = [], []
        for one, learner, count in zip(crowd.questions, learners, counts, strict=True):
            rows = np.flatnonzero(place < count[crowd.example])
            given = one.answers(crowd.example, crowd.annotator, rows, pool)
            eligible = count < there
            batch = learner.ask(
                crowd.X, given, max(int(eligible.sum()), 1), eligible=eligible, progress=False
            )
            orders.append(np.asarray(batch.examples, dtype=int))
            scores.append(error_of(one, given, learner))
        answers.append(counts.sum())
        read.append(readings)
        errors.append(scores)
        if number == rounds:
            break
        size_of_round = min(crowd.readings_a_round, int((counts[0] < there).sum()))
        if policy == "separately":
            for count, order in zip(counts, orders, strict=True):
                count[order[:size_of_round]] += 1
                readings += len(order[:size_of_round])
            continue
        chosen = together(policy, orders, size_of_round, rng)
        counts[:, chosen] += 1
        readings += len(chosen)
    return np.array(answers), np.array(read), np.array(errors).T


def together(policy: str, orders: list[np.ndarray], size: int, rng: np.random.Generator) -> np.ndarray:
    """The examples of a round about which all questions are asked."""
    if policy == "random":
        return rng.permutation(orders[0])[:size]
    if policy == "by ranks":
        rank = np.zeros(max(int(order.max()) for order in orders) + 1)
        for order in orders:
            rank[order] += np.arange(len(order))
        return orders[0][np.argsort(rank[orders[0]], kind="stable")][:size]
    chosen: dict[int, None] = {}
    queues = [iter(order.tolist()) for order in orders]
    while len(chosen) < size:
        of = queues[int(rng.integers(len(queues)))]
        chosen[next(one for one in of if one not in chosen)] = None
    return np.array([*chosen])


def error_of(question: Question, given: Any, learner: al.ActiveLearner) -> float:
    """Mean distance from the truth, or 1 less the mean F1 of the classes, over all examples."""
    kind = KINDS.get(question.kind)
    sets = question.kind == "multilabel"
    models = (learner.set_round_ if sets else learner.round_).pred_probs
    checked = tuple(models) if sets else al.check_pred_probs(models, given)
    found = kind.decide(kind.posterior(given, checked), given, kind.loss("f1" if sets else None))
    score = kind.scores(question.truth, found, given)
    return 1 - score["f1"] if sets else score["error"]


def lines(name: str, crowd: Crowd, trials: int, rounds: int) -> Iterator[list[str]]:
    """Errors with the answers of random choice and with its readings; how many it takes to its last error."""
    runs = {policy: [replayed(crowd, policy, seed, rounds) for seed in range(trials)] for policy in POLICIES}
    mean = {
        policy: [np.mean([run[at] for run in of], axis=0) for at in range(3)] for policy, of in runs.items()
    }
    answers, readings, last = mean["random"][0], mean["random"][1], mean["random"][2][:, -1]
    for policy in POLICIES:
        mine, read, errors = mean[policy]
        of_trials = np.array([run[2].mean(axis=1) for run in runs[policy]])
        of_random = np.array([run[2].mean(axis=1) for run in runs["random"]])
        for at, question in enumerate(crowd.questions):
            paired = of_trials[:, at] - of_random[:, at]
            same_read = float(np.interp(readings[-1], read, errors[at]))
            share = []
            for one, base in ((mine, answers), (read, readings)):
                needed = labels_to_reach(one, -errors[at], -last[at], to_stay=True)
                part = (needed - one[0]) / (base[-1] - base[0])
                share.append("not reached" if np.isnan(part) else f"{part:.0%}")
            spread = paired.std(ddof=1) / np.sqrt(trials) if trials > 1 else np.nan
            shown = ["", ""] if policy == "random" else [f"{paired.mean():+.3f} ± {spread:.3f}"]
            yield [
                name, question.name, policy, f"{mine[-1]:,.0f}", f"{read[-1]:,.0f}",
                f"{errors[at][-1]:.3f}", f"{same_read:.3f}", shown[0], *share,
            ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--trials", type=int, help="how often each is replayed")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--only", default="", help="crowds whose name holds this")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    print_machine()
    rows: list[list[str]] = []
    for name, (crowd, usual) in CROWDS.items():
        if given.only in name:
            made = crowd(Path(os.environ["ACTIVELAB_DATA"]))
            found = [*lines(name, made, given.trials or usual, given.rounds)]
            print(*found, sep="\n", flush=True)
            rows += found
    heads = ["crowd", "question", "policy", "answers", "readings", "error at the end"]
    heads += ["with random's readings", "mean error − random's", "answers to random's end", "readings"]
    print()
    print(markdown(heads, rows))


if __name__ == "__main__":
    main()
