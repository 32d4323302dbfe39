"""Pools in Parquet files: the same batch as in memory, however they are cut."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import fsspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scale_pools import (
    Counting,
    Dying,
    Pool,
    SetPool,
    assert_same,
    assert_same_columns,
    give_lives,
    lists,
    plan_of,
    write,
)

import activelab as al
from activelab import InputError, scale
from activelab._kernels import fixed_sum
from activelab.planning import plan_round
from activelab.pred_probs import check_pred_probs
from activelab.scale._engines import make_engine


def suggest(arguments, batch_size=10, **options):
    return scale.suggest(*arguments, batch_size, **{"workers": 1, "seed": 1, **options})


# ---------------------------------------------------------------------- the same as in memory


def stays(dtype):
    """Whether a dataframe keeps it: with old libraries float16 comes out as float64, of more digits."""
    frame = pd.DataFrame({"a": np.ones(1, dtype)})
    return check_pred_probs(frame, al.Labels.from_wide([["a"]], classes=["a"]))[0].dtype == dtype


FLOATS = [dtype for dtype in (np.float16, np.float32, np.float64) if stays(dtype)]


@settings(max_examples=15)
@given(
    seed=st.integers(0, 2**32 - 1),
    k=st.integers(2, 5),
    models=st.integers(1, 2),
    text=st.booleans(),
    coarse=st.sampled_from([2, 4, 100]),
    dtype=st.sampled_from(FLOATS),
    files=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    partitions=st.integers(1, 7),
    as_list=st.booleans(),
)
def test_any_cut_gives_the_batch_of_the_core(
    seed, k, models, text, coarse, dtype, files, partitions, as_list
):
    pool = Pool(seed, k=k, models=models, text=text, coarse=coarse, dtype=dtype)
    size = len(pool.ids) if seed % 2 else 7
    with tempfile.TemporaryDirectory() as folder:
        arguments = pool.write(Path(folder), *files, seed=seed, as_list=as_list)
        found = suggest(arguments, size, partitions=partitions, classes=pool.classes)
    assert_same(found, pool.in_memory(size, seed=1))
    assert found.plan.n_examples == found.n_examples == len(pool.ids)


IN_PARTS = [name for name in al.methods() if al.get_method(name).by_example]


@pytest.mark.parametrize("method", IN_PARTS)
def test_every_method(method, tmp_path):
    pool = Pool(3, models=2)
    size = 20
    found = suggest(pool.write(tmp_path, 2, 2), size, partitions=3, method=method)
    assert_same(found, pool.in_memory(size, method, seed=1))


class Ranks(al.acquisition.Acquisition):
    """Scores an example by its place among all others."""

    def score_models(self, labels, models, *, seed=0):
        return models[0].max(axis=1).argsort().argsort().astype(float)


def test_a_method_that_needs_the_whole_pool_says_so(tmp_path):
    with pytest.raises(al.InputError, match="Ranks may need the whole pool"):
        suggest(Pool(3).write(tmp_path, 2, 2), 5, partitions=2, method=Ranks())


# Partitions and workers: one, some, and some in processes of their own.
CUTS = [(1, 1), (3, 1), (3, 2)]


@pytest.mark.parametrize("seed", [0, 1])
def test_methods_that_rest_on_an_estimate_of_the_labelled(seed, tmp_path):
    pool = Pool(seed, n=200, k=5, models=1 + seed, text=bool(seed), coarse=30, dtype=np.float32)
    arguments = pool.write(tmp_path, 2, 3)
    for method in ("frugal", "expected_loss"):
        expected = pool.in_memory(25, method, seed=1)
        assert set(expected[1].kind) == {"new", "relabel"}
        for partitions, workers in CUTS[: 3 if seed and method == "expected_loss" else 2]:
            found = suggest(arguments, 25, method=method, partitions=partitions, workers=workers)
            assert_same(found, expected)
    plan = scale.plan(*arguments, workers=1, method="expected_loss")
    assert [name for name, _, _ in plan.passes] == ["partition", "prepare", "gather", "learn", "assess"]
    assert found.n_labelled == pool.labels["example"].nunique()


def test_an_estimate_of_more_labels_than_are_held_at_once(tmp_path):
    """The estimate rests on a sample of the labelled, which is drawn by their ids, and on sums of all."""
    rng = np.random.default_rng(0)
    size = 120_000
    truth, counts = rng.integers(2, size=size), rng.integers(0, 3, size)
    example = np.repeat(np.arange(size), counts)
    annotator = rng.integers(0, 6, size)[example] + 6 * (np.arange(len(example)) % 2)
    right = rng.random(len(example)) < 0.6 + annotator / 40
    label = np.where(right, truth[example], 1 - truth[example])
    ids = rng.permutation(size)
    labels = pd.DataFrame({"example": ids[example], "annotator": annotator, "label": label})
    yes = np.clip(0.3 + 0.4 * truth + rng.normal(0, 0.15, size), 0.02, 0.98)
    probs = pd.DataFrame({"example": ids, "0": 1 - yes, "1": yes})
    expected = plan_of(al.Labels.from_long(labels), [probs], 50, "recommended", seed=1)
    files = write(labels, tmp_path / "labels.parquet"), write(probs, tmp_path / "probs.parquet")
    for part in range(2):  # files that hold the same range of ids must be cut
        write(probs[part::2], tmp_path / "probs" / f"{part}.parquet")
    for arguments, partitions in ((files, 1), ((files[0], str(tmp_path / "probs")), 5)):
        found = suggest(arguments, 50, method="recommended", partitions=partitions)
        assert found.plan.partitions == partitions
        assert_same(found, expected)
    assert found.n_labelled > 75_000


@pytest.mark.parametrize("method", ["activelab", "frugal"])
def test_a_model_in_another_order_is_noticed(method, tmp_path):
    pool = Pool(4, n=200)
    pool.probs[0]["example"] = np.roll(pool.ids, 1)
    arguments = pool.write(tmp_path, 2, 2)
    found = suggest(arguments, method=method, partitions=3)
    assert "the model is no better than chance" in found.notes[-1]
    assert_same(found, pool.in_memory(10, method, seed=1))
    assert scale.consensus(*arguments, method="crowdlab", workers=1).notes == found.notes


@pytest.mark.parametrize("method", ["activelab", "frugal", "expected_loss"])
def test_who_labels_what_is_not_settled(method, tmp_path):
    pool = Pool(2, n=150, k=3, m=5, coarse=20, dtype=np.float32)
    strategy = al.Strategy(method, skip_settled=True, assignment="thompson", max_share=0.3)
    labels = al.Labels.from_long(pool.labels, classes=pool.classes).with_examples(pool.ids)
    plan = plan_round(labels, pool.probs, strategy, 149, seed=1)
    for partitions in (1, 3):
        files = pool.write(tmp_path / f"{partitions}", 2, 3)
        found = suggest(files, 149, method=strategy, partitions=partitions)
        assert_same_columns(found.batch, plan.batch)
        assert found.notes == plan.notes
        assert (found.n_settled, found.n_ambiguous) == (plan.n_settled, plan.n_ambiguous)
        assert found.annotator.tolist() == labels.annotators[plan.annotator].tolist()
    assert found.n_settled
    with pytest.raises(InputError, match="the batching 'diverse' compares examples of the whole pool"):
        suggest(("labels", "probs"), method=al.Strategy(method, batching="diverse"))


@pytest.mark.parametrize("method", [al.bayesian_consensus, al.crowdlab])
def test_any_cut_gives_the_consensus_of_the_core(method, tmp_path):
    pool = Pool(5, n=200, k=4, models=2, text=True, coarse=10, dtype=np.float32)
    copied = pool.labels[pool.labels["annotator"] == 0].assign(annotator=99)  # a voice that is none
    pool.labels = pd.concat([pool.labels, copied])
    expected = method(al.Labels.from_long(pool.labels, classes=pool.classes), pool.probs, seed=1)
    arguments, files = pool.write(tmp_path, 2, 3), set()
    name = method.__name__.partition("_")[0]
    for partitions, workers in CUTS if name == "bayesian" else CUTS[:2]:
        target = tmp_path / f"{partitions}-{workers}.parquet"
        options = {"partitions": partitions, "workers": workers, "seed": 1}
        found = scale.consensus(*arguments, target, name, **options)
        assert_same_columns(found.annotators, expected.annotators)
        np.testing.assert_array_equal(found.model_weight, expected.model_weight)
        assert found.notes == expected.notes
        files.add(target.read_bytes())
    assert len(files) == 1
    assert any("2 annotators agree with each other" in note for note in found.notes) == (name == "bayesian")
    table = pd.read_parquet(target)
    for column, values in expected.to_dict().items():
        assert table[column].tolist() == values.tolist()
    assert found.mean_quality == pytest.approx(np.nanmean(expected.quality), abs=1e-12)


@pytest.mark.parametrize("loss", ["absolute", "quadratic"])
def test_any_cut_gives_the_consensus_of_ratings(loss, tmp_path):
    pool = Pool(6, n=200, k=5, models=2, text=True, coarse=10, dtype=np.float32)
    labels = al.Labels.from_long(pool.labels, classes=pool.classes)
    expected = al.ordinal_consensus(labels, pool.probs, loss=loss, seed=1)
    arguments, target = pool.write(tmp_path, 2, 3), tmp_path / "consensus.parquet"
    for partitions, workers in CUTS[:3]:
        options = {"partitions": partitions, "workers": workers, "seed": 1}
        found = scale.consensus(*arguments, target, kind="ordinal", loss=loss, **options)
        assert_same_columns(found.annotators, expected.annotators)
        assert np.isfinite(found.annotators["shift"]).any()
        assert (found.method, found.notes) == ("ordinal", expected.notes)
        table = pd.read_parquet(target)
        for column, values in expected.to_dict().items():
            assert table[column].tolist() == values.tolist(), column


def test_any_cut_gives_the_consensus_of_sets(tmp_path):
    pool = SetPool(1, models=2, text=True)
    expected = al.multilabel_consensus(*pool.sets(), loss="f1")
    arguments, target = pool.write(tmp_path, 2, 3), tmp_path / "consensus.parquet"
    for partitions, workers in CUTS[:2]:
        options = {"partitions": partitions, "workers": workers}
        found = scale.consensus(*arguments, target, kind="multilabel", loss="f1", **options)
        assert_same_columns(found.annotators, expected.annotators)
        assert found.notes == expected.notes
        table = pd.read_parquet(target)
        for column, values in expected.to_dict().items():
            assert table[column].tolist() == values.tolist(), column
        assert table["predicted_label"].str.contains("c").any()


@pytest.mark.parametrize("seed", [0, 1])
def test_sets_of_classes(seed, tmp_path):
    pool = SetPool(seed, models=1 + seed, text=bool(seed))
    if seed:  # lists in place of texts
        pool.labels["label"] = [[name for name in one.split("|") if name] for one in pool.labels["label"]]
    arguments, whole = pool.write(tmp_path, 2, 3), pool.write(tmp_path / "as they are")
    if seed:
        pool.labels["label"] = ["|".join(one) or "|" for one in pool.labels["label"]]
    for how in ({}, {"class_price": 0.6}):
        expected = pool.in_memory(25, seed=1, **how)
        for partitions, workers in CUTS[: 3 if seed and how else 2]:
            options = {"workers": workers, "partitions": partitions, "seed": 1, **how}
            found = scale.suggest_questions(*arguments, 25, **options)
            assert_same_columns(found.batch, expected)
    found = scale.suggest_questions(*whole, 25, **options)
    assert found.plan.aligned
    assert_same_columns(found.batch, expected)
    assert 0 < sum(name is None for name in expected.classes) < 25
    assert (found.n_labelled, found.n_labels) == (pool.labels["example"].nunique(), len(pool.labels))
    everything = scale.suggest_questions(*arguments, 10**6, ask="examples", workers=1, partitions=2)
    assert everything.notes == ("only 150 questions are left to ask.",)


def test_labelled_examples_that_do_not_fit_the_budget(tmp_path):
    size = 40_000
    probs = {"example": np.arange(size), **{f"c{at}": np.full(size, 0.5, np.float32) for at in range(30)}}
    labels = {"example": np.arange(size), "annotator": np.zeros(size, int), "label": ["c1|c2"] * size}
    files = [write(pd.DataFrame(one), tmp_path / f"{len(one)}.parquet") for one in (labels, probs)]
    with pytest.raises(InputError, match="40,000 of them with 30 classes take about 88 MB"):
        scale.suggest_questions(*files, workers=1, memory="300MB")


def test_sets_that_cannot_be_used(tmp_path):
    def refused(message, labels=None, probs=None, **options):
        pool = SetPool(2)
        if labels is not None:
            pool.labels.iloc[0, 2] = labels
        if probs is not None:
            pool.probs[0].loc[0, "c1"] = probs
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        with pytest.raises(InputError, match=message):
            scale.suggest_questions(*pool.write(folder), workers=1, **options)

    refused("'c9' is not one of the 4 classes", labels="c0|c9")
    refused("column 'label' is empty; the empty set is written '|'", labels=" ")
    refused(r"holds 1\.5; probabilities lie between 0 and 1", probs=1.5)
    refused(r"'c0\|c1' holds '\|'", classes=["c0|c1", "c2"])
    refused("unknown ask 'all'", ask="all")
    refused("class_price must be positive", class_price=0.0)


def test_processes_and_a_pool_that_needs_a_sample(tmp_path):
    pool = Pool(0, n=45_000, k=3, m=40, coarse=1000)
    arguments = pool.write(tmp_path, 2, 3)
    expected = pool.in_memory(3000, seed=1)
    for workers, partitions in ((2, 5), (1, 1)):
        assert_same(suggest(arguments, 3000, workers=workers, partitions=partitions), expected)


def test_a_pool_with_single_labels(tmp_path):
    pool = Pool(1)
    pool.labels = pool.labels.drop_duplicates("example")
    found = suggest(pool.write(tmp_path, 2, 2), 30, partitions=3)
    assert_same(found, pool.in_memory(30, seed=1))
    assert np.isnan(found.annotator_accuracy)


def test_ids_that_are_numbers_here_and_text_there(tmp_path):
    pool = Pool(2)
    labels, probs = pool.write(tmp_path)
    pool.labels["example"] = pool.labels["example"].astype(str)
    pool.probs[0]["example"] = pool.probs[0]["example"].astype(str)
    write(pool.labels, tmp_path / "labels" / "0.parquet")
    assert_same(suggest((labels, probs), partitions=2), pool.in_memory(10, seed=1))


def test_models_in_another_order(tmp_path):
    pool = Pool(4, models=2, text=True)
    labels = write(pool.labels, tmp_path / "labels.parquet")
    probs = [
        write(frame.sample(frac=1, random_state=number), tmp_path / f"{number}.parquet")
        for number, frame in enumerate(pool.probs)
    ]
    found = suggest((labels, probs))
    assert found.plan.aligned
    assert_same(found, pool.in_memory(10, seed=1))


def test_a_repeated_label(tmp_path):
    pool = Pool(5)
    again = pool.labels.iloc[:5].assign(label="c0")
    arguments = pool.write(tmp_path, label_files=2)
    write(again, tmp_path / "labels" / "z.parquet")
    with pytest.raises(InputError, match="more than once"):
        suggest(arguments, partitions=2)
    rows = pd.concat([pd.read_parquet(path) for path in sorted((tmp_path / "labels").iterdir())])
    for keep in ("first", "last"):
        labels = al.Labels.from_long(rows, classes=pool.classes, keep=keep)
        expected = al.suggest(labels, pool.probs, 10, seed=1)
        found = suggest(arguments, partitions=3, keep=keep)
        assert found.batch.examples.tolist() == expected.examples.tolist()
        np.testing.assert_array_equal(found.batch.score, expected.score)


def test_the_order_of_the_pool_does_not_matter_to_the_core():
    pool = Pool(6, n=200, coarse=2)
    labels = al.Labels.from_long(pool.labels, classes=pool.classes)
    expected = al.suggest(labels, pool.probs, 50, seed=3).examples.tolist()
    for seed in range(3):
        shuffled = [frame.sample(frac=1, random_state=seed) for frame in pool.probs]
        rows = pool.labels.sample(frac=1, random_state=seed)
        again = al.Labels.from_long(rows, classes=pool.classes, examples=shuffled[0]["example"])
        assert al.suggest(again, shuffled, 50, seed=3).examples.tolist() == expected


@given(st.lists(st.floats(-1e5, 1e5), max_size=50), st.randoms(use_true_random=False))
def test_sums_in_fixed_point_do_not_depend_on_the_order(values, random):
    shuffled = random.sample(values, len(values))
    middle = random.randint(0, len(values))
    total = fixed_sum(np.array(values))
    assert total == fixed_sum(np.array(shuffled[:middle])) + fixed_sum(np.array(shuffled[middle:]))
    assert total / 2**52 == pytest.approx(sum(values), rel=1e-9, abs=1e-9)


# ---------------------------------------------------------------------- files


def by_range(pool, folder, n_files):
    """Files cut at the same ids; the labels of each part in two files, the last part without any."""
    edges = np.quantile(pool.ids, np.linspace(0, 1, n_files + 1))
    for frames, kind in (([pool.labels], "labels"), (pool.probs, "probs")):
        for frame in frames:
            place = np.searchsorted(edges[1:-1], frame["example"], side="right")
            for number in range(n_files):
                part = frame[place == number]
                if kind == "probs":
                    write(part, folder / kind / f"{number}.parquet")
                elif number < n_files - 1:
                    write(part[::2], folder / kind / f"{number}-0.parquet")
                    write(part[1::2], folder / kind / f"{number}-1.parquet")
    rest = pool.labels["example"] < edges[-2]
    pool.labels = pool.labels[rest]
    return str(folder / "labels"), str(folder / "probs")


def test_aligned_files_are_used_as_they_are(tmp_path):
    pool = Pool(7, n=100)
    arguments = by_range(pool, tmp_path, 4)
    work = tmp_path / "work"
    found = suggest(arguments, work_dir=str(work))
    assert found.plan.aligned
    assert found.plan.partitions == 4
    assert not (work / "shuffle").exists()
    assert_same(found, pool.in_memory(10, seed=1))


def test_names_patterns_and_urls(tmp_path):
    pool = Pool(8)
    labels, probs = pool.write(tmp_path, 2, 2)
    expected = pool.in_memory(10, seed=1)
    memory = fsspec.filesystem("memory")
    memory.put(f"{tmp_path}/", "/pool/", recursive=True)
    for names in (
        (f"{labels}/*.parquet", [f"{probs[0][0]}/*.parquet"]),
        ([f"{labels}/0.parquet", f"{labels}/1.parquet"], [sorted(map(str, Path(probs[0][0]).iterdir()))]),
        (f"file://{labels}", [f"file://{probs[0][0]}"]),
        ("memory://pool/labels", ["memory://pool/probs-0/*.parquet"]),
    ):
        assert_same(suggest(names, partitions=2), expected)
    memory.rm("/pool", recursive=True)


def test_columns_are_recognised_or_given(tmp_path):
    pool = Pool(9)
    expected = pool.in_memory(10, seed=1)
    labels = pool.labels.rename(columns={"example": "item_id", "annotator": "worker", "label": "answer"})
    probs = pool.probs[0].rename(columns={"example": "item_id"})
    names = write(labels, tmp_path / "l.parquet"), write(probs, tmp_path / "p.parquet")
    assert_same(suggest(names), expected)
    odd = labels.rename(columns={"item_id": "x", "worker": "y", "answer": "z"})
    names = (
        write(odd, tmp_path / "l.parquet"),
        write(probs.rename(columns={"item_id": "x"}), tmp_path / "p.parquet"),
    )
    options = {"example_column": "x", "annotator_column": "y", "label_column": "z"}
    assert_same(suggest(names, **options), expected)
    with pytest.raises(InputError, match=r"l\.parquet: no column"):
        suggest(names)


def test_lists_without_names_of_classes(tmp_path):
    pool = Pool(10)
    labels = write(pool.labels, tmp_path / "l.parquet")
    probs = write(lists(pool.probs[0]), tmp_path / "p.parquet")
    assert_same(suggest((labels, probs)), pool.in_memory(10, seed=1))
    with pytest.raises(InputError, match=r"p\.parquet.*list of 3"):
        suggest((labels, probs), classes=[*pool.classes, "more"])


def test_integer_classes_and_dictionaries(tmp_path):
    pool = Pool(11)
    pool.labels["label"] = pool.labels["label"].str[1:].astype(int)
    pool.labels["annotator"] = pool.labels["annotator"].map("ann-{}".format).astype("category")
    pool.probs[0].columns = ["example", "0", "1", "2"]
    pool.classes = [0, 1, 2]
    assert_same(suggest(pool.write(tmp_path, 2, 2), partitions=2), pool.in_memory(10, seed=1))


# ---------------------------------------------------------------------- runs


def test_a_worker_that_dies_is_replaced(tmp_path):
    pool = Pool(12, n=200)
    arguments = pool.write(tmp_path, 2, 2)
    start, lives = make_engine("processes", None, 2), give_lives(tmp_path, 1)
    found = suggest(arguments, workers=2, partitions=4, engine=lambda: Dying(start(), lives))
    assert not list(tmp_path.glob("life-*"))
    assert_same(found, pool.in_memory(10, seed=1))


def test_a_partition_that_kills_its_workers_is_named(tmp_path):
    arguments = Pool(12, n=200).write(tmp_path, 2, 2)
    start, lives = make_engine("processes", None, 2), give_lives(tmp_path, 3)
    with pytest.raises(InputError, match=r"partition \d.*lost 3 times"):
        suggest(arguments, workers=2, partitions=2, engine=lambda: Dying(start(), lives))


def test_a_run_goes_on_where_it_stopped(tmp_path):
    pool = Pool(13)
    arguments = pool.write(tmp_path / "in", 2, 2)
    work = str(tmp_path / "work")
    first, second = Counting(fail_after=9), Counting()
    with pytest.raises(RuntimeError, match="the power is cut"):
        suggest(arguments, partitions=4, work_dir=work, engine=lambda: first)
    found = suggest(arguments, partitions=4, work_dir=work, engine=lambda: second)
    assert_same(found, pool.in_memory(10, seed=1))
    whole = Counting()
    suggest(arguments, partitions=4, engine=lambda: whole)
    assert len(first.tasks) == 9
    assert first.tasks + second.tasks == whole.tasks
    assert found.computed == len(second.tasks)


def test_new_labels_touch_only_their_partitions(tmp_path):
    pool = Pool(14, n=200)
    arguments = pool.write(tmp_path / "in", 2, 2)
    work = str(tmp_path / "work")
    suggest(arguments, partitions=8, work_dir=work)
    shuffled = {path: path.stat().st_mtime_ns for path in (tmp_path / "work" / "shuffle").rglob("*.parquet")}
    unlabelled = np.setdiff1d(pool.ids, pool.labels["example"])[:2]
    new = pd.DataFrame({"example": unlabelled, "annotator": 1, "label": "c1"})
    write(new, tmp_path / "in" / "labels" / "new.parquet")
    pool.labels = pd.concat([pool.labels, new])
    engine = Counting()
    found = suggest(arguments, partitions=8, work_dir=work, engine=lambda: engine)
    assert engine.tasks.count("prepare") in (1, 2)
    assert engine.tasks.count("score") == 8
    assert all(path.stat().st_mtime_ns == time for path, time in shuffled.items())
    assert_same(found, pool.in_memory(10, seed=1))
    assert len(list((tmp_path / "work" / "prepared").iterdir())) == 8
    assert len(list((tmp_path / "work" / "results").iterdir())) == 8


def test_what_an_older_version_left_is_made_anew(tmp_path, monkeypatch):
    pool = Pool(14)
    arguments, folder = pool.write(tmp_path / "in", 2, 2), tmp_path / "run"
    with monkeypatch.context() as before:
        before.setattr("activelab.scale._job._FORMAT", b"1")
        suggest(arguments, work_dir=str(folder))
    left = [one for one in folder.rglob("*") if one.is_file() and not one.suffix]
    for one in left:
        one.write_bytes(b"of another shape")
    assert len(left) > 5
    assert_same(suggest(arguments, work_dir=str(folder)), pool.in_memory(10, seed=1))


def test_nothing_but_results_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    pool = Pool(15)
    arguments = pool.write(tmp_path / "in", 2, 2)
    suggest(arguments)
    with pytest.raises(InputError, match="no column for class"):
        suggest(arguments, classes=["only", "these"])
    assert not list((tmp_path / "temporary").iterdir())


def test_the_plan(tmp_path):
    pool = Pool(16, n=3000)
    arguments = pool.write(tmp_path, 2, 2)
    plan = scale.plan(*arguments, workers=2)
    assert (plan.n_examples, plan.n_labels, plan.n_models) == (3000, len(pool.labels), 1)
    assert [name for name, _, _ in plan.passes] == [
        "partition", "prepare", "calibrate", "calibrate", "agree", "score",
    ]  # fmt: skip
    assert plan.bytes_read == 2 * plan.label_bytes + 6 * plan.prob_bytes


def test_of_a_large_pool_a_sample_tells_the_temperature(tmp_path):
    pool = Pool(19, n=300_000, m=50, coarse=5000)
    engine = Counting()
    found = suggest(pool.write(tmp_path, 3, 2), partitions=3, engine=lambda: engine)
    assert "calibrate" not in engine.tasks
    assert_same(found, pool.in_memory(10, seed=1))


@pytest.mark.parametrize("method", ["activelab", "frugal"])
def test_numbers_are_read_without_pandas(method, tmp_path):
    """Arrow imports it to turn a column into an array, which takes a worker longer than to start."""
    pool = Pool(20)
    pool.labels["label"] = pool.labels["label"].str[1:].astype(int)
    pool.probs[0].columns = ["example", "0", "1", "2"]
    labels, probs = pool.write(tmp_path, 1, 1)
    code = f"""
import sys
from activelab import scale
scale.suggest({labels!r}, {probs!r}, 5, {method!r}, workers=1)
assert "pandas" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_partitions_and_workers_follow_the_budget(tmp_path):
    size = 2_000_000
    probs = pa.table({"example": np.arange(size), "a": np.full(size, 0.5), "b": np.full(size, 0.5)})
    pq.write_table(probs, tmp_path / "p.parquet")
    labels = write(Pool(0).labels.assign(label="a"), tmp_path / "l.parquet")
    plans = [
        scale.plan(labels, str(tmp_path / "p.parquet"), workers=2, memory=memory)
        for memory in ("4GB", "900MB", "320MB")
    ]
    assert [plan.aligned for plan in plans] == [True, True, False]
    assert [plan.workers for plan in plans] == [1, 1, 1]
    assert all(plan.partition_bytes < plan.memory for plan in plans)
    assert plans[2].partitions >= 3
    with pytest.raises(InputError, match="too small"):
        scale.plan(labels, str(tmp_path / "p.parquet"), memory="100MB")
    with pytest.raises(InputError, match="not an amount"):
        scale.plan(labels, str(tmp_path / "p.parquet"), memory="much")
