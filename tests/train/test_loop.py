"""A run: it learns, is recorded once, and resumed equals uninterrupted to the bit."""

import dataclasses
import json
import threading
from pathlib import Path

import jax
import numpy as np
import pytest

from ie_scaling.tables import run_table
from ie_scaling.train import checkpoint, loop, metrics, step
from ie_scaling.train.runtime_config import CheckpointConfig

CLOCK = ("tokens_per_s", "memory_bytes")  # of the machine, not of the run


def final_state(plan, directory: Path) -> step.TrainState:
    program = step.build(plan.architecture, plan.recipe, plan.runtime, 0)
    like = checkpoint.abstract(jax.eval_shape(program.init, jax.random.key(0)), program.shardings)
    with checkpoint.opened(directory / "checkpoints", CheckpointConfig()) as saved:
        state, step_number = saved.restore_newest(like)
        assert step_number == plan.n_steps
        return state


def interrupt_after(monkeypatch, n_steps: int) -> None:
    """Make the n-th call of the compiled step die as Ctrl-C would."""
    real_build = step.build

    def build(*args):
        program = real_build(*args)
        calls = iter(range(n_steps))

        def train(*args):
            if next(calls, None) is None:
                raise KeyboardInterrupt
            return program.train(*args)

        return dataclasses.replace(program, train=train)

    monkeypatch.setattr(loop.step, "build", build)


@pytest.fixture(scope="module")
def whole(plan, tmp_path_factory):
    directory = tmp_path_factory.mktemp("whole")
    return loop.run(plan, directory), directory


def test_a_run_is_recorded_and_learns(plan, whole):
    row, directory = whole
    steps = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in steps] == list(range(1, 13))
    assert steps[-1]["loss"] < steps[0]["loss"] - 0.3
    assert row["n_tokens"] == plan.n_steps * plan.recipe.tokens_per_step
    assert row["model_id"] == plan.architecture.name
    assert (directory / "DONE").exists()
    assert len(run_table.read_runs(directory / "runs.csv")) == 1


def test_a_finished_run_is_read_back(plan, whole, monkeypatch):
    row, directory = whole
    interrupt_after(monkeypatch, 0)
    assert loop.run(plan, directory) == row


def test_resumed_equals_uninterrupted_to_the_bit(plan, whole, tmp_path, monkeypatch):
    """Parameters, optimiser state, loss and logged metrics, with a checkpoint at every step and two interruptions."""
    often = dataclasses.replace(
        plan, runtime=dataclasses.replace(plan.runtime, checkpoint=CheckpointConfig(every_s=1e-9))
    )
    for n_steps in (4, 3):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            interrupt_after(patch, n_steps)
            loop.run(often, tmp_path)
        assert not (tmp_path / "DONE").exists()
        assert not (tmp_path / "runs.csv").exists()
    row = loop.run(often, tmp_path)
    expected, directory = whole
    assert row["loss"] == expected["loss"]
    jax.tree.map(np.testing.assert_array_equal, final_state(often, tmp_path), final_state(plan, directory))

    def logged(path):
        lines = (path / "metrics.jsonl").read_text().splitlines()
        return [{k: v for k, v in json.loads(line).items() if k not in CLOCK} for line in lines]

    assert logged(tmp_path) == logged(directory)


def test_a_loss_that_is_not_finite_stops_the_run(plan, tmp_path):
    optimizer = dataclasses.replace(plan.recipe.optimizer, learning_rate=1e30, clip_norm=1e30)
    wild = dataclasses.replace(plan, recipe=dataclasses.replace(plan.recipe, optimizer=optimizer))
    with pytest.raises(FloatingPointError, match=r"(loss|grad_norm) is nan"):
        loop.run(wild, tmp_path)
    assert not (tmp_path / "DONE").exists()


def test_a_stopped_run_saves_and_goes_on(plan, whole, tmp_path, monkeypatch):
    stop = threading.Event()
    real_push = metrics.MetricsLog.push

    def push(self, n_done, measured, learning_rate):
        if n_done == 5:
            stop.set()
        return real_push(self, n_done, measured, learning_rate)

    with monkeypatch.context() as patch, pytest.raises(loop.Stopped, match="step 5 of 12"):
        patch.setattr(metrics.MetricsLog, "push", push)
        loop.run(plan, tmp_path, stop)
    assert loop.run(plan, tmp_path)["loss"] == whole[0]["loss"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sequence_length": 90_000, "batch_size": 1}, "sequence_length=90000: longer than the split's"),
        ({"mixture": ("nowhere@1",)}, "nowhere/manifest.json: no such file"),
    ],
)
def test_what_cannot_be_trained_on_is_refused_with_nothing_written(plan, tmp_path, changes, message):
    bad = dataclasses.replace(plan.recipe, **changes)
    with pytest.raises(ValueError, match=message):
        loop.run(dataclasses.replace(plan, recipe=bad, n_tokens=bad.tokens_per_step), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_token_beyond_the_vocabulary_is_refused(plan, tmp_path):
    corpus = dataclasses.replace(
        plan.recipe.corpus, tokenizer="byte", directory=str(tmp_path / "bytes"), vocab_size=1024
    )
    small = dataclasses.replace(plan.architecture, vocab_size=100)
    bad = dataclasses.replace(plan, recipe=dataclasses.replace(plan.recipe, corpus=corpus), architecture=small)
    with pytest.raises(ValueError, match="vocab_size=100: must be above the largest token id, 256"):
        loop.run(bad, tmp_path / "run")
    assert not (tmp_path / "run").exists()
