"""Two processes with jax.distributed over localhost train as one, and stop together."""

import dataclasses
import json
import signal
import socket
import time

import pytest

from ie_scaling.running import workdir
from tests.train import launched


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def start_two(plan, directory, **runtime):
    address = f"localhost:{free_port()}"
    joined = {"distributed__mode": "manual", "distributed__coordinator": address, "distributed__n_processes": 2}
    return [
        launched.start(plan, directory, n_devices=2, **joined, distributed__process_id=number, **runtime)
        for number in range(2)
    ]


def losses(directory) -> list[float]:
    return [json.loads(line)["loss"] for line in (directory / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    "mesh",
    [{"mesh__fsdp": 2, "mesh__tensor": 2}, pytest.param({"mesh__data": 4}, marks=pytest.mark.slow)],
    ids=["fsdp, tensor", "data"],
)
def test_two_processes_train_as_one(plan, tmp_path, mesh):
    log = {"log__every_steps": 1}
    for process in start_two(plan, tmp_path / "two", **mesh, **log):
        status, said = launched.finish(process)
        assert status == 0, said
    status, said = launched.finish(launched.start(plan, tmp_path / "one", **log))
    assert status == 0, said
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), abs=1e-5)
    two, one = ((tmp_path / name / "evaluation.json").read_text() for name in ("two", "one"))
    assert json.loads(two)["loss"] == pytest.approx(json.loads(one)["loss"], abs=1e-5)


@pytest.mark.slow
def test_preempted_together_they_resume_as_one_process(plan, tmp_path):
    """SIGTERM to both: they agree on a step, save, exit 143; one process goes on and ends as if nothing had been."""
    longer = dataclasses.replace(plan, n_tokens=400 * plan.recipe.tokens_per_step)
    processes = start_two(longer, tmp_path / "two", mesh__data=4, log__every_steps=1)
    metrics = tmp_path / "two" / "metrics.jsonl"
    while not metrics.exists() or len(losses(tmp_path / "two")) < 20:
        time.sleep(0.05)
    for process in processes:
        process.send_signal(signal.SIGTERM)
    for process in processes:
        status, said = launched.finish(process)
        assert status == 143, said
        assert "saved; the same command goes on from here" in said
    status, said = launched.finish(launched.start(longer, tmp_path / "two", log__every_steps=1))
    assert status == 0, said
    assert "resumed at step" in said
    status, said = launched.finish(launched.start(longer, tmp_path / "one", log__every_steps=1))
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), abs=1e-4)


@pytest.mark.slow
def test_together_they_are_refused_a_directory_in_use(plan, tmp_path):
    with workdir.opened(tmp_path / "two", {"experiment": "other"}):
        ended = [launched.finish(process, timeout_s=120) for process in start_two(plan, tmp_path / "two", mesh__data=4)]
    assert [status for status, _ in ended] == [2, 2]
    assert "in use by another process" in ended[0][1]
    assert "the first process could not go on" in ended[1][1]
    assert not (tmp_path / "two" / "checkpoints").exists()


@pytest.mark.slow
def test_together_they_are_refused_a_bad_corpus(plan, tmp_path):
    (tmp_path / "text").mkdir()
    corpus = dataclasses.replace(plan.recipe.corpus, text=str(tmp_path / "text"), directory=str(tmp_path / "corpus"))
    bad = dataclasses.replace(plan, recipe=dataclasses.replace(plan.recipe, corpus=corpus))
    ended = [launched.finish(process, timeout_s=120) for process in start_two(bad, tmp_path / "two", mesh__data=4)]
    assert [status for status, _ in ended] == [2, 2]
    assert "the first process could not go on" in ended[1][1]
    assert not (tmp_path / "two").exists()
