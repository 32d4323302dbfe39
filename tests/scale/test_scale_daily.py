"""Day after day in one working folder: the batch of the core, from what the days before have kept."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scale_pools import Counting, Pool, assert_same, write

from activelab import InputError, scale
from activelab.scale._plan import PROCESS


class Days:
    """A pool in files, sorted by example or not, that gets new labels; every batch is compared."""

    def __init__(self, pool, folder: Path, method="activelab", batch_size=12, files=5, in_order=True):
        self.pool, self.folder, self.method, self.size = pool, folder, method, batch_size
        self.models = []
        for number, frame in enumerate(pool.probs):
            rows = frame.sort_values("example") if in_order else frame
            parts = np.array_split(np.arange(len(rows)), files)
            # Names do not tell the order of the ids.
            for place, part in enumerate(parts):
                write(rows.iloc[part], folder / f"probs-{number}" / f"{files - place}.parquet")
            self.models.append([str(folder / f"probs-{number}")])
        write(pool.labels, folder / "labels" / "first.parquet")
        self.first, self.added = pool.labels, {}

    def suggest(self, **options):
        """The batch of today, equal to that of the core."""
        pool = self.pool
        pool.labels = pd.concat([self.first, *self.added.values()])
        usual = {"workers": 1, "seed": 1, "partitions": 5, "method": self.method}
        options = {**usual, "work_dir": str(self.folder / "work"), **options}
        found = scale.suggest(str(self.folder / "labels"), self.models, self.size, **options)
        assert_same(found, pool.in_memory(self.size, self.method, seed=1))
        return found

    def add(self, name, ids, seed=0, label=None):
        """Labels of somebody new, by chance if they are not given."""
        if label is None:
            rng = np.random.default_rng(seed)
            label = [self.pool.classes[one] for one in rng.integers(len(self.pool.classes), size=len(ids))]
        frame = pd.DataFrame({"example": ids, "annotator": 100 + len(self.added), "label": label})
        self.added[name] = frame
        write(frame, self.folder / "labels" / f"{name}.parquet")

    def remove(self, name):
        del self.added[name]
        (self.folder / "labels" / f"{name}.parquet").unlink()

    def damage_probabilities(self):
        """Make the probabilities unreadable, but not the ids; sizes and times of the files stay."""
        for path in (*self.folder.glob("probs-*/*"), *self.folder.glob("work/shuffle/model-*/*/*")):
            told = path.stat()
            group = pq.read_metadata(path).row_group(0)
            columns = [group.column(place) for place in range(1, group.num_columns)]
            first = min(one.dictionary_page_offset or one.data_page_offset for one in columns)
            with path.open("r+b") as file:
                file.seek(first)
                file.write(bytes(sum(one.total_compressed_size for one in columns)))
            os.utime(path, ns=(told.st_atime_ns, told.st_mtime_ns))


def pool_of(seed, models=1, text=False, n=600, labelled=450):
    """A pool of which some examples at the beginning have labels."""
    pool = Pool(seed, n=n, models=models, text=text, coarse=60, dtype=np.float32)
    pool.labels = pool.labels[pool.labels["example"].isin(pool.ids[:labelled])]
    return pool


@pytest.mark.parametrize(
    ("method", "in_order", "whole"), [("activelab", True, 0), ("activelab", False, 0), ("frugal", True, 5)]
)
def test_what_was_asked_is_answered_and_no_probabilities_are_read(method, in_order, whole, tmp_path):
    days = Days(pool_of(5, text=in_order, labelled=300), tmp_path, method, in_order=in_order)
    found = days.suggest()
    assert (found.read_whole, found.plan.aligned) == (whole, in_order)
    days.damage_probabilities()
    for day in ("second", "third"):
        days.add(day, found.batch.examples)
        found = days.suggest()
        assert found.read_whole == 0
    days.add("unasked", days.pool.ids[300:])
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        days.suggest()


@pytest.mark.parametrize("seed", [3, 4])
def test_a_larger_batch_takes_more_than_the_reserve(seed, tmp_path):
    days = Days(pool_of(seed, labelled=150), tmp_path, batch_size=1)
    before = days.suggest()
    assert before.read_whole == 0
    days.size = 80
    assert days.suggest().read_whole >= 4
    assert days.suggest().read_whole == 0
    for who in ("ann", "bob", "cem", "dov"):
        days.add(who, np.sort(days.pool.ids)[:150])
    assert days.suggest().temperature > 3 * before.temperature


@pytest.mark.parametrize("method", ["activelab", "activelab+skip_settled=true", "frugal"])
@pytest.mark.parametrize(("exponent", "size", "seed"), [(1, 10, 3), (1, 10, 4), (8, 60, 1), (8, 60, 3)])
def test_what_the_first_pass_keeps_does_for_some_parts_only(
    method, exponent, size, seed, tmp_path, monkeypatch
):
    # So little that it is seldom enough.
    monkeypatch.setattr("activelab.scale._reserve.TIMES", 1)
    monkeypatch.setattr("activelab.scale._reserve.LEAST_CERTAIN", 0)
    pool = Pool(seed, n=2000, k=10, coarse=6, dtype=np.float32)
    pool.labels = pool.labels[pool.labels["example"].isin(pool.ids[:200])]
    for frame in pool.probs:
        values = (frame[pool.classes] + 1e-3) ** exponent
        frame[pool.classes] = values.div(values.sum(axis=1), axis=0).astype(np.float32)
    days = Days(pool, tmp_path, method, size)
    found = days.suggest(work_dir=None)
    assert found.read_whole > 0
    days.suggest()


def test_a_reserve_is_used_up(tmp_path):
    days, whole = Days(pool_of(4, labelled=150), tmp_path, batch_size=6), []
    for day in range(7):
        found = days.suggest()
        whole.append(found.read_whole)
        # Sure labels, so that new examples are asked about.
        for who in range(3):
            days.add(f"day {day}, {who}", found.batch.examples, label=found.batch.predicted_label)
    assert whole[:2] == [0, 0]
    assert 0 < sum(whole) < 5 * 4


def test_labels_that_are_taken_back(tmp_path):
    days = Days(pool_of(5, n=300, labelled=200), tmp_path)
    days.add("soon gone", days.pool.ids[200:290])
    days.suggest()
    days.remove("soon gone")
    assert days.suggest().read_whole == 5
    assert days.suggest().read_whole == 0


@settings(max_examples=5)
@given(
    seed=st.integers(0, 2**16),
    method=st.sampled_from(["activelab", "frugal", "entropy", "expected_loss", "active_label_cleaning"]),
    models=st.integers(1, 2),
    in_order=st.booleans(),
    sizes=st.tuples(*[st.sampled_from([1, 5, 20, 80])] * 3),
    keep=st.sampled_from(["error", "last"]),
)
def test_any_days(seed, method, models, in_order, sizes, keep):
    with tempfile.TemporaryDirectory() as folder:
        pool = pool_of(seed, models, bool(seed % 2), n=160, labelled=100)
        days, rng = Days(pool, Path(folder), method, in_order=in_order, files=3), np.random.default_rng(seed)
        for day, days.size in enumerate(sizes):
            found = days.suggest(partitions=3, keep=keep)
            asked = found.batch.examples if day % 2 else rng.choice(pool.ids, 30, replace=False)
            days.add(f"day {day}", asked, seed)


def test_files_of_labels_are_cut_alone(tmp_path):
    days = Days(pool_of(6), tmp_path)
    engine = Counting()
    found = days.suggest()
    assert [name for name, _, _ in found.plan.passes][:2] == ["partition", "prepare"]
    assert found.plan.passes[0][1] == (tmp_path / "labels" / "first.parquet").stat().st_size
    ids = np.sort(days.pool.ids)
    days.add("in the second and fourth", ids[[130, 370]])
    days.suggest(engine=lambda: engine)
    assert engine.tasks.count("prepare") == 2
    cut = tmp_path / "work" / "shuffle"
    assert all(folder.name.startswith("across-") for folder in cut.iterdir() if folder.is_dir())
    days.add("unknown", [int(ids[-1]) + 1])
    with pytest.raises(InputError, match="1 labelled examples have no row in the probabilities"):
        days.suggest()


def test_a_few_labels_more_do_not_cut_the_pool_into_more_parts(tmp_path, monkeypatch):
    # Budgets of partitions as small as this pool.
    monkeypatch.setattr("activelab.scale._plan.LEAST", 1)
    days = Days(pool_of(7), tmp_path, in_order=False)
    labels, memory = str(tmp_path / "labels"), PROCESS + 12_000

    def wanted():
        return scale.plan(labels, days.models, workers=1, memory=memory).partitions

    def taken():
        return days.suggest(partitions=None, memory=memory).plan.partitions

    before = wanted()
    assert taken() == before
    for number in range(20):
        days.add(f"few {number}", days.pool.ids[:10])
        if wanted() > before:
            break
    assert before < wanted() <= before / 0.9
    assert taken() == before
    days.add("many", days.pool.ids)
    assert taken() == wanted() > before / 0.9
