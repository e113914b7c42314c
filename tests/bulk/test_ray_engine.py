"""The same shards from a Ray cluster, also when it loses a machine."""

import os
import subprocess
import sys
import time

import pytest

from facekit.bulk import ray_engine
from facekit.bulk.plan import Shard
from facekit.errors import BulkError, WeightsUnavailable

pytest.importorskip("pyarrow")
pytest.importorskip("ray", reason='ray is not installed: pip install "facekit[ray]"')


@pytest.fixture
def ray(monkeypatch):
    """Ray, whose processes use this run's weights."""
    ray = ray_engine.load()
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    yield ray
    ray.shutdown()


@pytest.mark.usefixtures("ray")
def test_a_machine_that_is_lost(collection, whole, contents, command, tmp_path):
    """Two machines of one CPU each; one is killed while both work."""
    from ray.cluster_utils import Cluster

    small = {"num_cpus": 1, "object_store_memory": 80 << 20, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=small)
    try:
        lost = cluster.add_node(num_cpus=1, object_store_memory=80 << 20)
        cluster.wait_for_nodes()
        words = [*command, f"--input={collection}", f"--out={tmp_path}", "--engine=ray"]
        process = subprocess.Popen(
            [sys.executable, "-m", "facekit", *words, f"--address={cluster.address}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        while len(contents(tmp_path)) < 3:
            assert process.poll() is None, process.stdout.read()
            time.sleep(0.01)
        assert len(contents(tmp_path)) < 9  # two shards are in work at least
        cluster.remove_node(lost, allow_graceful=False)
        said, _ = process.communicate()
    finally:
        cluster.shutdown()
    assert process.returncode == 0
    assert contents(tmp_path) == contents(whole)
    assert list(tmp_path.glob(".*")) == []
    # Ray itself said nothing.
    assert said.startswith('{"out": ')
    assert said.count("\n") == 1


def test_this_machine_alone(collection, whole, contents, embed, ray, tmp_path):
    summary = embed(collection, tmp_path, engine="ray", threads=2)
    assert (summary["embedded"], summary["failed"]) == (120, [])
    assert contents(tmp_path) == contents(whole)
    assert not ray.is_initialized()
    # With nothing to do no cluster is started.
    assert embed(collection, tmp_path, engine="ray", address="127.0.0.1:1")["embedded"] == 0


def test_what_becomes_of_a_task(ray):
    ray.init(num_cpus=1, include_dashboard=False, object_store_memory=80 << 20, log_to_driver=False)
    shard = Shard(7, ("",))

    def task(work):
        return ray_engine._outcome(ray, ray.remote(max_retries=0)(work).remote(), shard)

    def fail(error):
        raise error

    assert task(lambda: 5) == 5
    # A photo that crashes the process costs its shard, not the run.
    lost = task(lambda: os._exit(1))
    assert isinstance(lost, BulkError)
    assert "Shard 7 was lost" in str(lost)
    with pytest.raises(WeightsUnavailable, match="are not here"):
        task(lambda: WeightsUnavailable("They are not here."))
    with pytest.raises(BulkError, match="No module named"):
        task(lambda: fail(ModuleNotFoundError("No module named 'facekit'")))


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "nonsense"])
def test_no_cluster_is_one_sentence(collection, embed, ray, tmp_path, address):
    with pytest.raises(BulkError, match=f"no Ray cluster at {address} that can be used"):
        embed(collection, tmp_path, engine="ray", address=address)
    assert not ray.is_initialized()
