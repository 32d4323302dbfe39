"""Pools in an object store: what is read of it, and what happens where it fails."""

from __future__ import annotations

import itertools
import json
import os
import uuid

import fsspec
import numpy as np
import pandas as pd
import pytest
from scale_pools import Counting, Pool, assert_same, lists, write
from scale_store import CUT, GONE, Proxy
from typer.testing import CliRunner

import activelab as al
from activelab import InputError, scale
from activelab.cli import app
from activelab.scale import _stores

pytestmark = [
    pytest.mark.slow,
    # Clients of stores leave their connections to the garbage collector.
    pytest.mark.filterwarnings("default"),
]

BATCH = 50


@pytest.fixture(scope="module")
def proxy():
    """Before a store that speaks S3."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    proxy = Proxy(*server.get_host_and_port())
    yield proxy
    proxy.stop()
    server.stop()


@pytest.fixture
def bucket(proxy, monkeypatch):
    """A bucket of its own, with credentials and address as the environment has them."""
    import s3fs

    for name, value in {
        "AWS_ENDPOINT_URL": proxy.url,
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    # One attempt a layer: what s3fs does by itself is not what is tested.
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)
    monkeypatch.setattr(_stores, "PAUSES", (0.01,) * 5)
    s3fs.S3FileSystem.clear_instance_cache()
    name = f"bucket-{uuid.uuid4().hex}"
    fsspec.filesystem("s3").mkdir(name)
    proxy.watch()
    yield f"s3://{name}"
    proxy.watch()
    s3fs.S3FileSystem.clear_instance_cache()


def put(folder, bucket, name="in"):
    """A folder in the bucket."""
    fsspec.filesystem("s3").put(f"{folder}/", f"{bucket}/{name}/", recursive=True)


@pytest.fixture
def pool():
    return Pool(0, n=400)


@pytest.fixture
def files(pool, bucket, tmp_path):
    """The arguments of `suggest`, in the bucket."""
    pool.write(tmp_path / "in", 2, 2)
    put(tmp_path / "in", bucket)
    return f"{bucket}/in/labels/*.parquet", f"{bucket}/in/probs-0"


def suggest(files, **options):
    return scale.suggest(*files, BATCH, **{"workers": 1, "partitions": 3, **options})


def test_everything_in_a_store_and_two_processes(pool, files, bucket):
    found = suggest(files, workers=2, partitions=2, work_dir=f"{bucket}/work")
    assert_same(found, pool.in_memory(BATCH))
    assert len(fsspec.filesystem("s3").find(f"{bucket}/work/prepared")) == 2
    target = f"{bucket}/out/consensus.parquet"
    scale.consensus(*files, target, workers=1, partitions=2)
    labels = al.Labels.from_long(pool.labels, classes=pool.classes)
    expected = al.bayesian_consensus(labels, pool.probs)
    with fsspec.open(target, "rb") as file:
        assert pd.read_parquet(file)["quality"].tolist() == expected.to_dict()["quality"].tolist()


@pytest.mark.parametrize("cut", [False, True], ids=["as they are", "cut by DuckDB"])
def test_only_the_columns_that_are_needed_are_read(cut, bucket, proxy, tmp_path):
    pool = Pool(1, n=5000, k=40, dtype=np.float32)
    noise = np.random.default_rng(0).bytes(5000 * 1200).hex()
    texts = [noise[at : at + 2400] for at in range(0, len(noise), 2400)]
    table = lists(pool.probs[0]).assign(text=texts)
    parts = [table[::2], table[1::2]] if cut else [table]
    paths = [write(part, tmp_path / "in" / f"probs-{at}.parquet") for at, part in enumerate(parts)]
    write(pool.labels, tmp_path / "in" / "labels.parquet")
    put(tmp_path / "in", bucket)
    proxy.watch()
    files = f"{bucket}/in/labels.parquet", f"{bucket}/in/probs*.parquet"
    found = suggest(files, classes=pool.classes, partitions=1)
    assert_same(found, pool.in_memory(BATCH))
    assert found.plan.aligned != cut
    reads = [size for method, path, size in proxy.requests if method == "GET" and "in/probs" in path]
    passes = 1 if cut else found.plan.bytes_read // found.plan.prob_bytes
    # The needed columns are a small part of the file; DuckDB reads at least a million bytes at a time.
    assert sum(reads) < passes * 0.2 * sum(os.path.getsize(path) for path in paths)
    assert len(reads) <= 3 * (passes + 1) * len(paths)


def test_connections_that_break_and_a_store_that_is_busy(pool, files, proxy, tmp_path):
    faults = itertools.cycle([None, None, None, CUT, None, None, None, 503, None, None, GONE])
    proxy.watch(lambda method, path: next(faults) if method == "GET" else None)
    assert_same(suggest(files, work_dir=str(tmp_path / "work")), pool.in_memory(BATCH))


def test_a_store_that_is_away_is_one_error_and_the_next_run_goes_on(pool, files, bucket, proxy, tmp_path):
    first, whole = Counting(), Counting()
    work = str(tmp_path / "work")
    proxy.watch(lambda method, path: GONE if "score" in first.tasks else None)
    by_range = pool.write(tmp_path / "whole")
    put(tmp_path / "whole", bucket, "whole")
    names = f"{bucket}/whole/labels/0.parquet", f"{bucket}/whole/probs-0/0.parquet"
    with pytest.raises(
        InputError, match=r"s3://.*probs-0/0\.parquet: the store does not answer: .*goes on"
    ) as e:
        scale.suggest(*names, BATCH, workers=1, work_dir=work, engine=lambda: first)
    assert "\n" not in str(e.value)
    proxy.watch()
    found = scale.suggest(*names, BATCH, workers=1, work_dir=work)
    assert_same(found, pool.in_memory(BATCH))
    scale.suggest(*by_range, BATCH, workers=1, engine=lambda: whole)
    assert first.tasks[-1] == "score"
    assert found.computed == len(whole.tasks) - len(first.tasks) + 1


class Meddling(Counting):
    """Does something to the files once a pass begins."""

    def __init__(self, name, act):
        super().__init__()
        self.name, self.act = name, act

    def submit(self, fn, /, *args, **kwargs):
        if args[0].__name__ == self.name and self.name not in self.tasks:
            self.act()
        return super().submit(fn, *args, **kwargs)


@pytest.mark.parametrize("remote", [True, False], ids=["store", "disk"])
def test_a_file_that_changes_or_vanishes_between_passes(remote, pool, bucket, tmp_path):
    pool.write(tmp_path / "in")
    put(tmp_path / "in", bucket)
    place = f"{bucket}/in" if remote else str(tmp_path / "in")
    fs = fsspec.filesystem("s3" if remote else "file")
    probs = f"{place}/probs-0/0.parquet"
    other = write(Pool(7, n=400).probs[0], tmp_path / "other.parquet")
    mine = str(tmp_path / "mine.parquet")
    fs.get(probs, mine)
    acts = {
        "has changed since the run began": lambda: fs.put(other, probs),
        "was there when the run began, and is gone": lambda: fs.rm(probs),
    }
    for message, act in acts.items():
        fs.put(mine, probs)
        with pytest.raises(InputError, match=rf"probs-0/0\.parquet: {message}"):
            suggest((f"{place}/labels", probs), partitions=None, engine=lambda a=act: Meddling("agree", a))


def test_what_is_not_there_or_not_allowed(files, bucket, proxy, tmp_path, monkeypatch):
    def refused(message, labels=files[0], probs=files[1], **options):
        with pytest.raises(InputError, match=message) as caught:
            suggest((labels, probs), **options)
        assert "\n" not in str(caught.value)

    refused(
        "s3://no-such-bucket/labels: there is no bucket 'no-such-bucket'", labels="s3://no-such-bucket/labels"
    )
    refused(r"no-such-bucket/\*\.parquet: there is no bucket", labels="s3://no-such-bucket/*.parquet")
    refused(rf"{bucket}/\*\.parquet: matches no Parquet file", labels=f"{bucket}/*.parquet")
    refused(rf"{bucket}/in/none\.parquet: no such file", probs=f"{bucket}/in/none.parquet")
    refused("s3://no-such-bucket/work: the working folder cannot be", work_dir="s3://no-such-bucket/work")
    proxy.watch(lambda method, path: 403)
    refused(r"s3://.*: cannot be listed: .*(Forbidden|denied|403).*Credentials come from the environment")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    fsspec.filesystem("s3").clear_instance_cache()
    refused(r"s3://.*: cannot be listed: .*Credentials come from the environment")


def test_commands_read_and_write_urls(pool, files, bucket, tmp_path):
    def run(command, status=0):
        done = CliRunner().invoke(app, command.split())
        assert done.exit_code == status, done.output
        return done.output

    labels, probs = files
    common = f"{labels} -p {probs} --workers 1"
    target = f"{bucket}/out/batch.parquet"
    said = json.loads(run(f"suggest {common} -n {BATCH} --json -o {target}"))
    assert said["output"] == target
    with fsspec.open(target, "rb") as file:
        assert pd.read_parquet(file)["example"].tolist() == pool.in_memory(BATCH)[1].examples.tolist()
    run(f"consensus {common} -o {bucket}/out/consensus.parquet")
    run(f"annotators {common} -o {bucket}/out/annotators.csv")
    assert len(fsspec.filesystem("s3").find(f"{bucket}/out")) == 3
    nowhere = "s3://no-such-bucket/batch.parquet"
    said = run(f"suggest {common} -o {nowhere}", 2)
    assert said.startswith("error: s3://no-such-bucket: nothing can be written there")
    assert "unknown file ending" in run(f"suggest {common} -o {bucket}/out/batch", 2)
