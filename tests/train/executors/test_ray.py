"""A sweep on a Ray cluster of two nodes, one of which dies in the middle (optional extra; make test-ray)."""

import dataclasses
import threading
import time

import pytest

from experiments import sweep
from ie_scaling.running import runner
from ie_scaling.tables import run_table
from ie_scaling.train import states
from ie_scaling.train.runtime_config import CheckpointConfig, LogConfig, RuntimeConfig
from ie_scaling.train.sweep_config import RayConfig, SweepConfig

ray = pytest.importorskip("ray")
cluster_utils = pytest.importorskip("ray.cluster_utils")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

SHAPE = "d24-n2-h2-k1-c10-f37-v270"


@pytest.fixture
def cluster():
    made = cluster_utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": 10**8})
    second = made.add_node(num_cpus=1, object_store_memory=10**8)
    ray.init(address=made.address, log_to_driver=True)
    yield made, second
    ray.shutdown()
    made.shutdown()


def test_a_node_dies_and_the_table_is_complete(plan, tmp_path, cluster):
    made, second = cluster
    tokens = 600 * plan.recipe.tokens_per_step
    config = SweepConfig(
        runs=tuple(f"{SHAPE}@{tokens}-s{seed}" for seed in range(6)),
        executor="ray",
        ray=RayConfig(address=made.address),
        recipe=plan.recipe,
        runtime=RuntimeConfig(log=LogConfig(every_steps=1), checkpoint=CheckpointConfig(every_steps=20)),
    )
    failures = []

    def run():
        try:
            runner.run(sweep, config, tmp_path / "ray")
        except Exception as error:
            failures.append(error)

    running = threading.Thread(target=run)
    running.start()
    at_kill = wait_for_two_in_the_middle(tmp_path / "ray")
    made.remove_node(second, allow_graceful=False)
    running.join(timeout=400)
    assert not failures
    assert not running.is_alive()
    wait_for_one_node_left()
    table = run_table.read_runs(tmp_path / "ray" / "runs.csv")
    assert sorted(table["run_id"]) == sorted(plan.run_id for plan in config.plans)
    assert states.read(tmp_path / "ray")["state"].tolist() == ["done"] * 6
    # The runs that were under way come out as if no node had died.
    for run_id in at_kill:
        (seed,) = [index for index, plan in enumerate(config.plans) if plan.run_id == run_id]
        here = dataclasses.replace(config, executor="local", runs=(config.runs[seed],))
        runner.run(sweep, here, tmp_path / f"local{seed}")
        alone = run_table.read_runs(tmp_path / f"local{seed}" / "runs.csv")
        assert alone["loss"].tolist() == table.loc[table["run_id"] == run_id, "loss"].tolist()


def wait_for_two_in_the_middle(directory):
    """Both nodes at work on a run that has a checkpoint; the two run_ids."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        time.sleep(0.2)
        if (directory / "config.json").exists():
            status = states.read(directory)
            middle = status[(status["state"] == "running") & (status["step"] > 50) & (status["step"] < 500)]
            if len(middle) == 2:
                return middle["run_id"].tolist()
    raise AssertionError("two runs never went on at once")


def wait_for_one_node_left():
    """Ray tells of a death by its health checks, a quarter of a minute later; the sweep may be over before."""
    deadline = time.monotonic() + 120
    while sum(node["Alive"] for node in ray.nodes()) != 1:
        assert time.monotonic() < deadline, "the node never died"
        time.sleep(0.2)
