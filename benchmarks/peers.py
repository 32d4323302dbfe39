"""Consensus of labels alone against the nearest of other projects: time, and accuracy against the truth.

Everybody starts from the same table of example, annotator and label, as integers, so that reading it into
one's own form counts. Others are crowd-kit, LA-twopass (Yang et al., "A Light-weight, Effective and Efficient
Model for Label Aggregation in Crowdsourcing", 2024; ``--la`` is a checkout of the authors' repository),
annotator performances by scikit-activeml with a weighted vote, and two queries of DuckDB: a majority vote,
and a vote weighted by how often each annotator agrees with it. Times are CPU seconds, the best of three, of
one thread; once for what takes longer than ten seconds.

``ACTIVELAB_DATA=... python benchmarks/peers.py --la PATH``
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import duckdb
import numpy as np
import pandas as pd
from crowdkit import aggregation

import activelab as al
from _common import make_crowd, print_machine, print_table, timed
from accuracy_on_crowds import CROWDS, load

Table = pd.DataFrame
Answer = dict[int, int]

CROWDKIT = ("MajorityVote", "OneCoinDawidSkene", "DawidSkene")
MADE_UP = 100_000
MOST_CELLS = 20_000_000
"""scikit-activeml takes a matrix of examples times annotators: beyond this it is left out."""


def ours(consensus: Callable[[al.Labels], Any]) -> Callable[[Table], Answer]:
    """A consensus of this package."""

    def run(table: Table) -> Answer:
        found = consensus(al.Labels.from_long(table))
        return dict(zip(found.labels.examples.tolist(), found.label_ids.tolist(), strict=True))

    return run


def crowdkit(name: str) -> Callable[[Table], Answer]:
    """An aggregator of crowd-kit with its defaults."""

    def run(table: Table) -> Answer:
        renamed = table.rename(columns={"example": "task", "annotator": "worker"})
        return dict(getattr(aggregation, name)().fit_predict(renamed))

    return run


def la_twopass(path: Path) -> Callable[[Table], Answer]:
    """The authors' own code; what it imports beside itself is not needed."""
    for name, wanted in (
        ("data_pipeline", ("gete2wlandw2el", "getaccuracy")),
        ("results_summary", ("OfflineResultsSummary",)),
    ):
        stub: Any = types.ModuleType(name)
        for one in wanted:
            setattr(stub, one, None)
        sys.modules[name] = stub
    sys.path.insert(0, str(path))
    from LA_methods.proposed.proposed_method import one_pass, two_pass

    def run(table: Table) -> Answer:
        by_example: dict[int, list[Any]] = {}
        by_annotator: dict[int, list[Any]] = {}
        for example, annotator, label in table.itertuples(index=False):
            by_example.setdefault(example, []).append([annotator, label])
            by_annotator.setdefault(annotator, []).append([example, label])
        classes = sorted(set(table["label"]))
        random.seed(1)
        _, ability = one_pass(by_example, by_annotator, classes)
        return dict(two_pass(by_example, ability, classes))

    return run


def scikit_activeml(table: Table) -> Answer:
    """A vote weighted by `IntervalEstimationAnnotModel`'s mean performance of each annotator."""
    from skactiveml.pool.multiannotator import IntervalEstimationAnnotModel
    from skactiveml.utils import compute_vote_vectors

    example, names = pd.factorize(table["example"])
    annotator, people = pd.factorize(table["annotator"])
    y = np.full((len(names), len(people)), np.nan)
    y[example, annotator] = table["label"]
    classes = np.unique(table["label"])
    model = IntervalEstimationAnnotModel(classes=classes, random_state=0)
    weight = model.fit(X=np.zeros((len(y), 1)), y=y).A_perf_[:, 1]
    votes = compute_vote_vectors(y, np.tile(weight, (len(y), 1)), classes=classes)
    return dict(zip(names.tolist(), classes[votes.argmax(axis=1)].tolist(), strict=True))


MAJORITY = """
    SELECT example, first(label ORDER BY weight DESC, label) AS label
    FROM (SELECT example, label, {weight} AS weight FROM {table} GROUP BY ALL) GROUP BY example
"""


def duckdb_majority(table: Table) -> Answer:
    """One query."""
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1")
        connection.register("votes", table)
        return dict(connection.sql(MAJORITY.format(weight="count(*)", table="votes")).fetchall())


def duckdb_weighted(table: Table) -> Answer:
    """A vote weighted by the log-odds of agreement with the majority."""
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1")
        connection.register("votes", table)
        k = table["label"].nunique()
        vote = MAJORITY.format(weight="count(*)", table="votes")
        connection.execute(
            f"""CREATE TABLE weighted AS
            WITH vote AS ({vote}), agreed AS (
                SELECT annotator, (1 + count(*) FILTER (votes.label = vote.label)) / (2 + count(*)) AS share
                FROM votes JOIN vote USING (example) GROUP BY annotator)
            SELECT example, label, ln(share / (1 - share) * {max(k - 1, 1)}) AS w
            FROM votes JOIN agreed USING (annotator)"""
        )
        return dict(connection.sql(MAJORITY.format(weight="sum(w)", table="weighted")).fetchall())


def measured(method: Callable[[Table], Answer], table: Table, truth: Answer) -> tuple[float, float]:
    """CPU seconds, and accuracy where the truth is known."""
    found: Answer = {}

    def call() -> None:
        found.update(method(table))

    time = timed(call).cpu
    if time < 10:
        time = min(time, timed(call, repeat=2).cpu)
    return time, float(np.mean([found.get(one) == truth[one] for one in truth])) if truth else float("nan")


def crowds(folder: Path) -> dict[str, tuple[Table, Answer]]:
    """Real crowds by name with their truths, and a large one that is made up, as tables of integers."""
    tables: dict[str, tuple[Table, Answer]] = {}
    for name in CROWDS:
        labels, right, _ = load(folder, name)
        place = {one: code for code, one in enumerate(labels.classes.tolist())}
        columns = {"example": labels.example, "annotator": labels.annotator, "label": labels.label}
        known = {row: place.get(one, -1) for row, one in enumerate(right.tolist()) if labels.labelled[row]}
        tables[name] = pd.DataFrame(columns), known
    made = make_crowd(MADE_UP, 1_000)
    columns = {"example": made.example, "annotator": made.annotator, "label": made.label}
    tables["made up"] = pd.DataFrame(columns), {}
    return tables


def main() -> None:
    """Print a table of times and one of accuracies."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--la", type=Path, help="checkout of the repository of LA-twopass")
    parser.add_argument("--only", nargs="*", help="names of crowds")
    given = parser.parse_args()
    print_machine("crowd-kit", "scikit-activeml", "duckdb")
    methods: dict[str, Callable[[Table], Answer]] = {
        "al.majority_vote": ours(al.majority_vote),
        "al.dawid_skene": ours(al.dawid_skene),
        "al.bayesian_consensus": ours(al.bayesian_consensus),
        **{f"crowd-kit {name}": crowdkit(name) for name in CROWDKIT},
        "scikit-activeml": scikit_activeml,
        "DuckDB majority": duckdb_majority,
        "DuckDB weighted": duckdb_weighted,
    }
    if given.la is not None:
        methods["LA-twopass"] = la_twopass(given.la)
    tables = crowds(Path(os.environ["ACTIVELAB_DATA"]))
    names = [name for name in tables if not given.only or name in given.only]
    times: dict[str, list[str]] = {name: [] for name in methods}
    rights: dict[str, list[str]] = {name: [] for name in methods}
    for crowd in names:
        table, truth = tables[crowd]
        for name, method in methods.items():
            cells = table["example"].nunique() * table["annotator"].nunique()
            if name == "scikit-activeml" and cells > MOST_CELLS:
                times[name].append("")
                rights[name].append("")
                continue
            time, right = measured(method, table, truth)
            times[name].append(f"{time:.3g}")
            rights[name].append(f"{right:.4f}" if truth else "")
    shown = [f"{name}, {len(tables[name][0]):,}" for name in names]
    print_table(["CPU s, labels", *shown], [[name, *row] for name, row in times.items()])
    print_table(["accuracy", *names], [[name, *row] for name, row in rights.items()])
    print(f"load average after: {os.getloadavg()[0]:.2f}")


if __name__ == "__main__":
    main()
