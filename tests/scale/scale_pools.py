"""Pools as Parquet files for the tests of `activelab.scale`, and executors whose workers die."""

from __future__ import annotations

import os
import signal
from concurrent.futures import Executor
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

import activelab as al
from activelab import scale
from activelab.planning import plan_round
from activelab.pred_probs import frame_examples
from activelab.scale._engines import SerialExecutor


def plan_of(labels, probs, batch_size, method="activelab", seed=0):
    """Assessment and batch of a pool in memory, whose probabilities may bring their own ids."""
    ids = frame_examples(probs)
    labels = labels if ids is None else labels.with_examples(ids)
    plan = plan_round(labels, probs, al.Strategy.of(method), batch_size, seed=seed)
    return plan.assessment, plan.batch


class Pool:
    """Noisy labels in random order, and coarse probabilities, so that there are ties of every kind."""

    def __init__(self, seed=0, n=60, k=3, m=8, models=1, text=False, coarse=8, dtype=np.float64):
        rng = np.random.default_rng(seed)
        ids = rng.choice(3 * n, n, replace=False)
        self.ids = np.array([f"id-{i}" for i in ids], dtype=object) if text else ids
        self.classes = [f"c{place}" for place in range(k)]
        truth = rng.integers(k, size=n)
        counts = rng.integers(0, min(4, m + 1), size=n)
        counts[:2] = 2
        example = np.repeat(np.arange(n), counts)
        annotator = np.concatenate([rng.choice(m, c, replace=False) for c in counts])
        right = rng.random(len(example)) < 0.7
        label = np.where(right, truth[example], rng.integers(k, size=len(example)))
        order = rng.permutation(len(example))
        self.labels = pd.DataFrame(
            {
                "example": self.ids[example],
                "annotator": annotator,
                "label": [self.classes[one] for one in label],
            }
        ).iloc[order]
        self.probs = []
        for _ in range(models):
            weight = rng.integers(1, coarse, size=(n, k)).astype(float)
            weight[np.arange(n), truth] += coarse
            probs = (weight / weight.sum(axis=1, keepdims=True)).astype(dtype)
            frame = pd.DataFrame({name: probs[:, place] for place, name in enumerate(self.classes)})
            frame.insert(0, "example", self.ids)
            self.probs.append(frame)

    def in_memory(self, batch_size, method="activelab", seed=0):
        """What the core makes of it."""
        labels = al.Labels.from_long(self.labels, classes=self.classes)
        return plan_of(labels, self.probs, batch_size, method, seed)

    def write(self, folder: Path, label_files=1, prob_files=1, seed=0, as_list=False):
        """Files of labels and of each model, cut at random; returns the arguments of `scale.suggest`."""
        rng = np.random.default_rng(seed)
        cut(self.labels, folder / "labels", label_files, rng)
        names = []
        for number, frame in enumerate(self.probs):
            rows = frame.sample(frac=1, random_state=number)
            cut(lists(rows) if as_list else rows, folder / f"probs-{number}", prob_files, rng)
            names.append([str(folder / f"probs-{number}")])
        return str(folder / "labels"), names


class SetPool(Pool):
    """Noisy answers that are sets, with coarse probabilities of each class."""

    def __init__(self, seed=0, n=150, k=4, **options):
        super().__init__(seed, n, k, **options)
        rng = np.random.default_rng(seed)
        truth = rng.random((n, k)) < 0.3
        row = {one: at for at, one in enumerate(self.ids.tolist())}
        said = truth[[row[one] for one in self.labels["example"]]] ^ (
            rng.random((len(self.labels), k)) < 0.15
        )
        names = ["|".join(np.array(self.classes)[one]) or "|" for one in said]
        self.labels = self.labels.assign(label=names)
        for frame in self.probs:
            noise = rng.normal(0.25, 0.15, truth.shape)
            frame[self.classes] = np.clip(np.round(20 * (truth / 2 + noise)) / 20, 0, 1).astype(np.float32)

    def sets(self):
        """The answers and the predictions in memory."""
        columns = (self.labels[name] for name in ("example", "annotator", "label"))
        sets = al.LabelSets.from_long(*columns, self.classes).with_examples(self.ids)
        rows = [frame.set_index("example").loc[sets.examples.tolist()] for frame in self.probs]
        return sets, np.stack([frame.to_numpy() for frame in rows])

    def in_memory(self, batch_size, seed=0, **options):
        """The questions of the core."""
        return al.suggest_questions(*self.sets(), batch_size, seed=seed, **options)


def lists(frame):
    """The same table with one column of lists."""
    values = list(frame.drop(columns="example").to_numpy())
    return pd.DataFrame({"example": frame["example"].to_numpy(), "probabilities": values})


def cut(frame, folder, n_files, rng):
    """Write the rows of a table to files at random."""
    folder.mkdir(parents=True)
    file = rng.integers(n_files, size=len(frame))
    for number in range(n_files):
        write(frame[file == number], folder / f"{number}.parquet")


def write(frame, path):
    """Write a table without its index."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), path)
    return str(path)


def assert_same_columns(found, expected):
    """The same batch, bit for bit."""
    mine = found.to_dict()
    for name, values in expected.to_dict().items():
        if values.dtype.kind == "f":
            np.testing.assert_array_equal(mine[name], values, strict=True)
        else:
            assert mine[name].tolist() == values.tolist()


def assert_same(found: scale.Suggestion, expected):
    """Every column of the batch, and what it rests on, bit for bit."""
    assessment, batch = expected
    assert found.batch.examples.tolist() == batch.examples.tolist()
    assert_same_columns(found.batch, batch)
    np.testing.assert_array_equal(found.temperature, assessment.temperature)
    np.testing.assert_array_equal(found.model_weight, assessment.model_weight)
    np.testing.assert_array_equal(found.annotator_weight, assessment.annotator_weight)
    np.testing.assert_array_equal(found.annotator_accuracy, assessment.annotator_accuracy)
    assert found.notes == batch.notes


class Counting(SerialExecutor):
    """Counts the tasks of each pass, and fails once it has taken so many."""

    def __init__(self, fail_after=10**9):
        self.tasks = []
        self.fail_after = fail_after

    def submit(self, fn, /, *args, **kwargs):
        if len(self.tasks) >= self.fail_after:
            raise RuntimeError("the power is cut")
        self.tasks.append(args[0].__name__)
        return super().submit(fn, *args, **kwargs)


class Dying(Executor):
    """An executor whose workers are killed by some of the tasks, as long as a file has lines."""

    def __init__(self, inner, lives: Path):
        self.inner, self.lives = inner, str(lives)

    def submit(self, fn, /, *args, **kwargs):
        return self.inner.submit(die_or_run, self.lives, fn, *args, **kwargs)

    def shutdown(self, wait=True, *, cancel_futures=False):
        self.inner.shutdown(wait=wait, cancel_futures=cancel_futures)


def die_or_run(lives, fn, *args, **kwargs):
    """Kill this process if it runs the consensus of partition 1 and a life is left to take."""
    function, partition = args[0], args[3]
    if function.__name__ == "agree" and partition.number == 1:
        try:
            os.unlink(f"{lives}-{_next(lives)}")
        except FileNotFoundError:
            pass
        else:
            os.kill(os.getpid(), signal.SIGKILL)
    return fn(*args, **kwargs)


def _next(lives):
    folder, name = os.path.split(lives)
    left = [one for one in os.listdir(folder) if one.startswith(f"{name}-")]
    return left[0].rpartition("-")[2] if left else "none"


def give_lives(folder: Path, number: int) -> Path:
    """As many files as workers may die."""
    for one in range(number):
        (folder / f"life-{one}").touch()
    return folder / "life"
