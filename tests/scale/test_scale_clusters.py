"""Pools in Parquet files on real clusters with two workers."""

from __future__ import annotations

import builtins
import os
import subprocess
import sys
from pathlib import Path

import pytest
from scale_pools import Dying, Pool, SetPool, assert_same, assert_same_columns, give_lives

from activelab import scale
from activelab.scale._engines import make_engine

pytestmark = [
    pytest.mark.slow,
    # Clusters leave sockets and processes to the garbage collector, and use what Python deprecates.
    pytest.mark.filterwarnings("default"),
]

BATCH = 2000


@pytest.fixture(scope="module")
def pool():
    """Large enough for a sample."""
    return Pool(0, n=45_000, m=40, coarse=1000, models=2, text=True)


@pytest.fixture(scope="module")
def expected(pool):
    return pool.in_memory(BATCH)


@pytest.fixture(scope="module")
def files(pool, tmp_path_factory):
    return pool.write(tmp_path_factory.mktemp("pool"), 2, 2)


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """Workers of clusters import what kills them."""
    path = os.pathsep.join([str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    monkeypatch.setenv("PYTHONPATH", path)


@pytest.fixture(autouse=True)
def own_print(monkeypatch):
    """Ray replaces Python's print; what holds the old one could not be pickled any more."""
    monkeypatch.setattr(builtins, "print", builtins.print)


@pytest.fixture
def ray_address(importable):
    """Of a cluster of two nodes with a core each."""
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": 100 << 20}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    cluster.add_node(**node)
    cluster.wait_for_nodes()
    yield cluster.address
    cluster.shutdown()


@pytest.fixture
def dask_address(importable):
    """Of a scheduler with two workers that are processes."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, memory_limit=0) as cluster:
        yield cluster.scheduler_address


@pytest.mark.parametrize("engine", ["dask", "ray"])
def test_a_cluster_gives_the_batch_of_the_core(engine, request, files, expected, tmp_path):
    address = request.getfixturevalue(f"{engine}_address")
    work = str(tmp_path / "work")
    found = scale.suggest(
        *files, BATCH, engine=engine, address=address, workers=2, partitions=5, work_dir=work
    )
    assert_same(found, expected)
    sets = SetPool(0)
    places = sets.write(tmp_path / "sets", 2, 2)
    asked = scale.suggest_questions(
        *places, 20, engine=engine, address=address, workers=2, partitions=3, work_dir=f"{work}-of-sets"
    )
    assert_same_columns(asked.batch, sets.in_memory(20))


@pytest.mark.parametrize("engine", ["dask", "ray"])
def test_a_worker_killed_in_the_middle_changes_nothing(engine, request, files, expected, tmp_path):
    address = request.getfixturevalue(f"{engine}_address")
    start, lives = make_engine(engine, address, 2), give_lives(tmp_path, 1)
    work = str(tmp_path / "work")
    found = scale.suggest(
        *files, BATCH, engine=lambda: Dying(start(), lives), workers=2, partitions=5, work_dir=work
    )
    assert not list(tmp_path.glob("life-*"))
    assert_same(found, expected)


@pytest.mark.parametrize("engine", ["dask", "ray"])
def test_a_cluster_started_for_the_run(engine, files, expected):
    found = scale.suggest(*files, BATCH, engine=engine, workers=2, partitions=3, memory="4GB")
    assert found.plan.workers == 2
    assert_same(found, expected)


FAULTS = """
import resource
import numpy as np
from activelab.scale._engines import prepare_worker

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(100):
        np.zeros(1 << 17) + 1.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

as_started = faults()
prepare_worker()
print(as_started, faults())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="of glibc")
def test_a_worker_keeps_what_it_frees_however_the_cluster_started_it():
    # As Dask starts its workers.
    environment = {**os.environ, "MALLOC_TRIM_THRESHOLD_": "65536"}
    done = subprocess.run(
        [sys.executable, "-c", FAULTS], env=environment, capture_output=True, text=True, check=True
    )
    before, after = map(int, done.stdout.split())
    assert before > 10_000
    assert after < before / 10
