"""Pools in Parquet files for the benchmarks of `activelab.scale`, and the same batch in SQL."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from _common import make_crowd

N_CLASSES = 10
ROWS_A_FILE = 500_000


DENSE = (0, 1, 2, 3)
SPARSE = (*(0,) * 19, 2)
LABELLED = {"dense": DENSE, "sparse": SPARSE}
"""Labels of an example, as often each: three quarters have one to three, or every twentieth has two."""


def make_pool(
    n_examples: int,
    folder: Path,
    labels_per_example: tuple[int, ...] = DENSE,
    rows_a_file: int = ROWS_A_FILE,
) -> None:
    """Labels and float32 probabilities in files of as many examples each, with the same ranges of ids.

    1.5 labels an example by 10,000 annotators, a quarter of the examples without a label.
    """
    for kind in ("labels", "probs"):
        (folder / kind).mkdir(parents=True)
    for number, start in enumerate(range(0, n_examples, rows_a_file)):
        size = min(rows_a_file, n_examples - start)
        crowd = make_crowd(size, 10_000, labels_per_example=labels_per_example, dtype=np.float32, seed=number)
        labels = {"example": crowd.example.astype(np.int64) + start, "annotator": crowd.annotator}
        pq.write_table(
            pa.table({**labels, "label": crowd.label}), folder / "labels" / f"part-{number:04d}.parquet"
        )
        probs = {str(k): np.ascontiguousarray(crowd.pred_probs[:, k]) for k in range(N_CLASSES)}
        pq.write_table(
            pa.table({"example": np.arange(start, start + size), **probs}),
            folder / "probs" / f"part-{number:04d}.parquet",
        )


def read_once(folder: Path, kind: str) -> None:
    """Read every column of a table with one thread, a file at a time."""
    for path in sorted((folder / kind).glob("*.parquet")):
        pq.ParquetFile(path).read(use_threads=False)


class Sql:
    """The batch of `al.suggest` written in SQL: every sum over the pool is a query."""

    def __init__(self, folder: Path, spill: Path, memory: str) -> None:
        self.db = duckdb.connect(str(spill / "pool.duckdb"), config={"threads": 1})
        self.db.execute(f"SET memory_limit = '{memory}'")
        self.db.execute(f"SET temp_directory = '{spill}'")
        self.db.execute("SET preserve_insertion_order = false")
        self.db.execute(f"CREATE VIEW labels AS FROM '{folder}/labels/*.parquet'")
        self.db.execute(f"CREATE VIEW probs AS FROM '{folder}/probs/*.parquet'")

    def batch(self, size: int) -> set[int]:
        """Examples to label next."""
        self._votes()
        beta = self._beta()
        self._consensus(self._majority(), "voted")
        weights = self._trust("voted")
        self._weighted(weights)
        self._consensus(self._supported(weights, beta), "agreed")
        weights = self._trust("agreed")
        self._weighted(weights)
        return self._best(weights, beta, size)

    def one(self, query: str) -> tuple[Any, ...]:
        """The only row of a result."""
        row: tuple[Any, ...] = self.db.execute(query).fetchall()[0]
        return row

    def _votes(self) -> None:
        counts = ", ".join(f"count(*) FILTER (label = {k}) AS v{k}" for k in range(N_CLASSES))
        self.db.execute(
            f"CREATE TABLE votes AS SELECT example, count(*) AS n, {counts} FROM labels GROUP BY example"
        )
        same = " ".join(f"WHEN {k} THEN v{k}" for k in range(N_CLASSES))
        self.db.execute(
            "CREATE TABLE agreement AS SELECT annotator, "
            f"sum((CASE label {same} END) - 1) / sum(n - 1) AS g "
            "FROM labels JOIN votes USING (example) WHERE n > 1 GROUP BY annotator"
        )
        self.totals = self.db.execute("SELECT label, count(*) FROM labels GROUP BY label").fetchall()
        self.mean_labels = float(self.one("SELECT sum(n) / count(*) FROM votes")[0])

    def _beta(self) -> float:
        """Newton's method, on a sample first."""
        beta = 1.0
        for table in ("(FROM probs USING SAMPLE 1 PERCENT (bernoulli, 1))", "probs"):
            for _ in range(20):
                slope, curvature = self._derivatives(table, beta)
                step = -slope / curvature
                beta += step
                if abs(step) < (1e-3 if table != "probs" else 1e-5):
                    break
        return beta

    def _derivatives(self, table: str, beta: float) -> tuple[float, float]:
        logs = ", ".join(f'ln(greatest("{k}"::DOUBLE, 1e-30)) AS l{k}' for k in range(N_CLASSES))
        parts = [(f"exp({beta!r} * l{k})", f"l{k}") for k in range(N_CLASSES)]
        z = " + ".join(p for p, _ in parts)
        first = " + ".join(f"{p} * {log}" for p, log in parts)
        second = " + ".join(f"{p} * {log} * {log}" for p, log in parts)
        told = " + ".join(f"v{k} * l{k}" for k in range(N_CLASSES))
        return self.one(
            f"SELECT avg(first / z - told / n), avg(second / z - (first / z) * (first / z)) FROM (SELECT n, "
            f"{z} AS z, {first} AS first, {second} AS second, {told} AS told FROM (SELECT votes.*, {logs} "
            f"FROM votes JOIN {table} USING (example)))"
        )

    def _majority(self) -> str:
        # Ties go to the more probable class.
        scores = [f'v{k} + 0.5 * "{k}"' for k in range(N_CLASSES)]
        return f"SELECT example, n, {_argmax(scores)} AS label FROM votes JOIN probs USING (example)"

    def _consensus(self, query: str, name: str) -> None:
        self.db.execute(f"CREATE TABLE {name} AS {query}")

    def _trust(self, name: str) -> tuple[float, float, float, float]:
        """P, the model's weight, the baseline's error and the annotators' mean weight."""
        right = " ".join(f"WHEN {k} THEN v{k}" for k in range(N_CLASSES))
        model = _argmax([f'"{k}"' for k in range(N_CLASSES)])
        common = max(self.totals, key=lambda one: one[1])[0]
        accuracy, model_right, baseline = self.one(
            f"SELECT avg((CASE label {right} END) / votes.n), avg((label = {model})::INT), "
            f"avg((label = {common})::INT) FROM {name} JOIN votes USING (example) JOIN probs USING (example) "
            "WHERE votes.n > 1"
        )
        error = max(1 - baseline, 1e-6)
        weight = max(1 - (1 - model_right) / error, 1e-6) * math.sqrt(self.mean_labels)
        mean = self.one(f"SELECT avg(greatest(1 - (1 - g) / {error!r}, 1e-6)) FROM agreement")[0]
        return accuracy, weight, error, mean

    def _weighted(self, weights: tuple[float, float, float, float]) -> None:
        sums = ", ".join(f"coalesce(sum(w) FILTER (label = {k}), 0) AS w{k}" for k in range(N_CLASSES))
        self.db.execute(
            f"CREATE OR REPLACE TABLE weighted AS SELECT example, sum(w) AS w, {sums} FROM (SELECT example, "
            f"label, greatest(1 - (1 - g) / {weights[2]!r}, 1e-6) AS w FROM labels JOIN agreement "
            "USING (annotator)) GROUP BY example"
        )

    def _support(self, weights: tuple[float, float, float, float], beta: float) -> list[str]:
        accuracy, model, _, _ = weights
        wrong = (1 - accuracy) / (N_CLASSES - 1)
        return [
            f"{model!r} * p{k} / z + coalesce(w{k}, 0) * {accuracy - wrong!r} + coalesce(w, 0) * {wrong!r}"
            for k in range(N_CLASSES)
        ]

    def _tempered(self, beta: float, join: str) -> str:
        powers = [f'pow(greatest("{k}"::DOUBLE, 1e-30), {beta!r})' for k in range(N_CLASSES)]
        columns = ", ".join(f"{power} AS p{k}" for k, power in enumerate(powers))
        total = " + ".join(f"p{k}" for k in range(N_CLASSES))
        return (
            f"(SELECT *, {total} AS z FROM (SELECT *, {columns} FROM probs {join} weighted USING (example)))"
        )

    def _supported(self, weights: tuple[float, float, float, float], beta: float) -> str:
        scores = self._support(weights, beta)
        return f"SELECT example, {_argmax(scores)} AS label FROM {self._tempered(beta, 'JOIN')}"

    def _best(self, weights: tuple[float, float, float, float], beta: float, size: int) -> set[int]:
        _, model, _, mean = weights
        support = " ".join(f"WHEN {k} THEN {one}" for k, one in enumerate(self._support(weights, beta)))
        predicted = _argmax([f'"{k}"' for k in range(N_CLASSES)])
        rows = self.db.execute(
            f"SELECT example FROM (SELECT example, ((CASE coalesce(label, {predicted}) {support} END) + "
            f"{mean / N_CLASSES!r}) / ({model + mean!r} + coalesce(w, 0)) AS score "
            f"FROM {self._tempered(beta, 'LEFT JOIN')} LEFT JOIN agreed USING (example)) "
            f"ORDER BY score LIMIT {size}"
        ).fetchall()
        return {row[0] for row in rows}


def _argmax(scores: list[str]) -> str:
    return f"list_position([{', '.join(scores)}], greatest({', '.join(scores)})) - 1"
