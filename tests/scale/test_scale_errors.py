"""Bad input to pools in Parquet files: one clear error, nothing left behind."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scale_pools import Pool, assert_same, plan_of, write

import activelab as al
from activelab import InputError, scale


@pytest.fixture
def pool():
    return Pool(0)


@pytest.fixture
def files(pool, tmp_path):
    """The arguments of `suggest`, in two files each, and a folder for temporary files."""
    return pool.write(tmp_path, 2, 2)


@pytest.fixture(autouse=True)
def temporary(tmp_path_factory, monkeypatch):
    """Temporary files go to a folder that is empty again at the end."""
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert not list(folder.iterdir())


def refused(arguments, message, **options):
    """The run is refused with a message in one line."""
    with pytest.raises(InputError, match=message) as caught:
        scale.suggest(*arguments, 10, **{"workers": 1, **options})
    assert "\n" not in str(caught.value)


def test_columns_that_differ_between_files(pool, files):
    labels, probs = files
    file = Path(probs[0][0], "1.parquet")
    frame = pd.read_parquet(file)
    write(frame.drop(columns="c1"), file)
    refused(files, r"1\.parquet: has no column 'c1', which .*0\.parquet has")
    write(frame.assign(c9=0.0), file)
    refused(files, r"1\.parquet: has columns 'c9', which .*0\.parquet lacks")
    write(frame.assign(c1=frame["c1"].astype(np.float32)), file)
    refused(files, r"1\.parquet: column 'c1' holds float, in .*0\.parquet it holds double")
    write(frame, file)
    file = Path(labels, "1.parquet")
    write(pd.read_parquet(file).astype({"annotator": str}), file)
    refused(files, r"1\.parquet: column 'annotator' holds")


def test_columns_that_are_no_classes(files):
    labels, probs = files
    refused((labels, probs), "no column for class 'more'", classes=["c0", "c1", "c2", "more"])
    refused((labels, probs), "columns for no class of the labels: 'c2'", classes=["c0", "c1"])
    for path in Path(probs[0][0]).iterdir():
        write(pd.read_parquet(path).assign(c2="text"), path)
    refused(files, "column 'c2' holds .*string, not numbers")


def test_a_label_that_is_no_class(pool, files):
    labels, _ = files
    write(pool.labels.iloc[:1].assign(label="wolf", annotator=99), Path(labels, "2.parquet"))
    refused(files, f"label 'wolf' of example {pool.labels['example'].iloc[0]} is not one of the 3 classes")


def test_examples_with_several_rows_of_probabilities(pool, files):
    _, probs = files
    again = pool.probs[0].iloc[[3, 5]]
    write(again, Path(probs[0][0], "2.parquet"))
    names = ", ".join(str(one) for one in sorted(again["example"]))
    refused(files, f"2 examples have several rows in the probabilities: {names}", partitions=1)
    refused(files, "have several rows in the probabilities", partitions=4)


def test_unmatched_examples(pool, files):
    labels, _probs = files
    extra = [1000 + number for number in range(12)]
    rows = pd.DataFrame({"example": extra, "annotator": 0, "label": "c0"})
    write(rows, Path(labels, "extra.parquet"))
    shown = ", ".join(map(str, extra[:10]))
    refused(files, f"12 labelled examples have no row in the probabilities: {shown} and 2 more", partitions=3)
    found = scale.suggest(*files, 10, workers=1, partitions=3, unmatched="drop", seed=1)
    assert found.dropped == 12
    assert_same(found, pool.in_memory(10, seed=1))


def test_examples_some_models_lack(tmp_path):
    pool = Pool(1, models=2)
    lacking = pool.ids[5:8]
    whole, pool.probs[1] = pool.probs[1], pool.probs[1].drop(index=range(5, 8))
    files = pool.write(tmp_path, 2, 2)
    refused(files, "3 examples have probabilities by some models only", partitions=3)
    found = scale.suggest(*files, 10, workers=1, partitions=3, unmatched="drop", seed=1)
    assert found.dropped >= 3
    pool.probs = [frame[~frame["example"].isin(lacking)] for frame in (pool.probs[0], whole)]
    pool.labels = pool.labels[~pool.labels["example"].isin(lacking)]
    assert_same(found, pool.in_memory(10, seed=1))


def test_values_that_are_no_probabilities(pool, files):
    _, probs = files
    file = Path(probs[0][0], "0.parquet")
    frame = pd.read_parquet(file)
    for value, message in ((np.nan, "holds NaN"), (-0.5, "between 0 and 1"), (0.9, "not to 1")):
        changed = frame.copy()
        changed.loc[0, "c0"] = value
        if value == 0.9:
            changed.loc[0, ["c1", "c2"]] = 0.9
        write(changed, file)
        refused(
            files,
            rf"partition 0 .*example {changed.loc[0, 'example']} of pred_probs .*{message}",
            partitions=1,
        )


def test_ids_that_are_missing_or_fractions(pool, files):
    labels, _ = files
    file = Path(labels, "0.parquet")
    frame = pd.read_parquet(file)
    for column in ("example", "label"):
        changed = frame.copy()
        changed[column] = changed[column].astype(object)
        changed.loc[0, column] = None
        write(changed, file)
        other = pd.read_parquet(Path(labels, "1.parquet"))
        write(other.astype({column: changed[column].convert_dtypes().dtype}), Path(labels, "1.parquet"))
        refused(files, r"column '\w+' (is empty|holds)", partitions=2)
        write(frame, file)
        write(other, Path(labels, "1.parquet"))
    for name in ("0.parquet", "1.parquet"):
        path = Path(labels, name)
        write(pd.read_parquet(path).assign(example=lambda rows: rows["example"] + 0.5), path)
    refused(files, "fraction")


def test_files_that_are_not_there_or_not_parquet(tmp_path, files):
    labels, probs = files
    refused((str(tmp_path / "none"), probs), "none: no such file")
    refused((str(tmp_path / "*.none"), probs), r"\*\.none: matches no Parquet file")
    (tmp_path / "empty").mkdir()
    refused((str(tmp_path / "empty"), probs), "empty: is a folder that holds no Parquet file")
    refused(("nothing://here", probs), "nothing://here: .*nothing")
    (tmp_path / "labels.csv").write_text("example,annotator,label\n1,1,c0\n")
    refused((str(tmp_path / "labels.csv"), probs), r"labels\.csv: .*are Parquet")
    Path(labels, "0.parquet").write_bytes(b"PAR1 and nothing else")
    refused(files, r"0\.parquet: cannot be read as Parquet")


@pytest.mark.parametrize("aligned", [True, False])
def test_a_file_that_is_damaged_inside(aligned, tmp_path):
    pool = Pool(0, n=5000)
    files = pool.write(tmp_path, 1, 1)
    path = Path(files[1][0][0], "0.parquet")
    data = bytearray(path.read_bytes())
    data[1000:60_000] = os.urandom(59_000)  # the pages; the footer is whole
    path.write_bytes(data)
    if not aligned:
        write(pool.labels.iloc[:0], Path(files[0], "1.parquet"))
    refused(files, r"0\.parquet|partitioning failed")


def test_empty_tables(pool, files):
    labels, _probs = files
    for path in Path(labels).iterdir():
        write(pool.labels.iloc[:0], path)
    refused(files, "the table of labels is empty")


def test_methods_that_need_the_whole_pool(files):
    class Ranked(al.Acquisition):
        def score_models(self, labels, models, *, seed=0):
            return np.arange(labels.n_examples, dtype=float)

    refused(files, "Ranked may need the whole pool", method=Ranked())


@pytest.mark.parametrize("engine", ["dask", "ray"])
def test_a_cluster_that_cannot_be_reached(engine, files, tmp_path):
    work = str(tmp_path / "work")
    refused(files, f"the {engine} cluster at 127.0.0.1:9 cannot be reached: .*refused", engine=engine,
            address="127.0.0.1:9", work_dir=work)  # fmt: skip
    refused(files, "is not HOST:PORT", engine=engine, address="nowhere", work_dir=work)
    refused(files, "that all its workers reach. Pass it as work_dir=", engine=engine, address="127.0.0.1:9")


def test_engines_and_folders_that_do_not_work(files):
    refused(files, "unknown engine 'dusk'. Did you mean 'dask'", engine="dusk")
    refused(files, "an address needs an engine", address="127.0.0.1:9", work_dir="work")
    refused(files, "/proc/nothing: the working folder cannot be written to", work_dir="/proc/nothing")


def run_limited(command, limit, folder):
    """Run a command that can write files of so many bytes; as on a full disk, larger ones fail."""

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    environment = {**os.environ, "TMPDIR": str(folder / "tmp")}
    (folder / "tmp").mkdir(exist_ok=True)
    words = [sys.executable, "-m", "activelab", *command]
    return subprocess.run(
        words, env=environment, preexec_fn=limited, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(("files", "limit"), [(3, 100_000), (1, 20_000)], ids=["partitioning", "first pass"])
def test_a_full_disk(files, limit, tmp_path):
    pool = Pool(0, n=20_000, coarse=1000)
    labels, probs = pool.write(tmp_path / "in", files, files)
    output = tmp_path / "batch.parquet"
    output.write_bytes(b"the last batch")
    command = ["suggest", labels, "-p", probs[0][0], "-n", "10", "-o", str(output), "--workers", "1"]
    done = run_limited(command, limit, tmp_path)
    assert done.returncode in (1, 2)
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert "disk is full" in done.stderr
    assert not list((tmp_path / "tmp").iterdir())
    assert output.read_bytes() == b"the last batch"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["batch.parquet", "in", "tmp"]


def test_drop_is_what_the_core_makes_of_the_rest(tmp_path):
    """Dropping so many that the sample of the calibration changes."""
    pool = Pool(2, n=45_000, coarse=1000, models=2)
    pool.probs[1] = pool.probs[1].iloc[:30_000]
    files = pool.write(tmp_path, 1, 1)
    found = scale.suggest(*files, 50, workers=1, unmatched="drop")
    kept = set(pool.ids[:30_000])
    probs = [frame[frame["example"].isin(kept)] for frame in pool.probs]
    rows = pool.labels[pool.labels["example"].isin(kept)]
    labels = al.Labels.from_long(rows, classes=pool.classes)
    assessment, batch = plan_of(labels, probs, 50)
    assert found.batch.examples.tolist() == batch.examples.tolist()
    np.testing.assert_array_equal(found.temperature, assessment.temperature)


def test_a_pool_smaller_than_the_batch_gives_all_of_it_and_says_so(pool, files):
    everything = scale.suggest(*files, 61, workers=1, partitions=3)
    assert len(everything.batch) == 60
    assert everything.notes[0] == "60 examples in place of 61: the pool has no more."
    assert everything.batch.notes == everything.notes
    considered = pool.labels["example"].nunique()
    some = scale.suggest(*files, considered + 1, "active_label_cleaning", workers=1, partitions=3)
    assert len(some.batch) == considered
    assert some.notes[0].endswith(f"of the 60 in the pool {60 - considered} are not to be asked about.")
