"""A run: it learns, is recorded once, and resumed equals uninterrupted to the bit."""

import dataclasses
import json
import shutil
import threading
from pathlib import Path

import jax
import numpy as np
import pytest

from ie_scaling.errors import InputError
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
    """Parameters, optimizer state, loss and logged metrics, with a checkpoint at every step and two interruptions."""
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


@pytest.mark.parametrize("dies", ["evaluate", "_row"])
def test_a_run_that_dies_after_its_last_checkpoint_is_evaluated_when_resumed(plan, whole, tmp_path, monkeypatch, dies):
    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(loop, dies, die)
        loop.run(plan, tmp_path)
    assert not (tmp_path / "DONE").exists()
    assert loop.run(plan, tmp_path) == whole[0]
    assert len(run_table.read_runs(tmp_path / "runs.csv")) == 1


def test_a_checkpoint_under_a_number_beyond_the_run_is_not_believed(plan, whole, tmp_path, monkeypatch, capsys):
    """Renamed to 9999, it would be "resumed at step 9999 of 12" and evaluated as if trained."""
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt_after(patch, 7)
        often = dataclasses.replace(plan.runtime, checkpoint=CheckpointConfig(every_steps=3))
        loop.run(dataclasses.replace(plan, runtime=often), tmp_path)
    checkpoints = tmp_path / "checkpoints"
    shutil.copytree(checkpoints / "3", checkpoints / "9999")
    assert loop.run(plan, tmp_path) == whole[0]
    said = capsys.readouterr().err
    assert "checkpoint at step 9999 holds step 3: copied or renamed: skipped" in said
    assert "resumed at step 6 of 12" in said


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("metrics.jsonl", "must be a file of JSON lines"),
        ("checkpoints", "must be a directory of checkpoints"),
        ("runs.csv", "runs.csv"),
        ("evaluation.json", "must be a file"),
    ],
)
def test_what_an_earlier_start_cannot_have_left_is_one_line(plan, tmp_path, monkeypatch, name, message):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt_after(patch, 2)
        loop.run(plan, tmp_path)
    path = tmp_path / name
    if name == "checkpoints":
        shutil.rmtree(path, ignore_errors=True)
        path.write_text("")
    else:
        path.unlink(missing_ok=True)
        path.mkdir()
    with pytest.raises(InputError, match=message):
        loop.run(plan, tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sequence_length": 90_000, "batch_size": 1}, "sequence_length=90000: longer than the split's"),
        ({"mixture": ("nowhere@1",)}, "nowhere/manifest.json: no such file"),
    ],
)
def test_what_cannot_be_trained_on_is_refused_with_nothing_written(plan, tmp_path, changes, message):
    bad = dataclasses.replace(plan.recipe, **changes)
    with pytest.raises(InputError, match=message):
        loop.run(dataclasses.replace(plan, recipe=bad, n_tokens=bad.tokens_per_step), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_token_beyond_the_vocabulary_is_refused(plan, tmp_path):
    corpus = dataclasses.replace(
        plan.recipe.corpus, tokenizer="byte", directory=str(tmp_path / "bytes"), vocab_size=1024
    )
    small = dataclasses.replace(plan.architecture, vocab_size=100)
    bad = dataclasses.replace(plan, recipe=dataclasses.replace(plan.recipe, corpus=corpus), architecture=small)
    with pytest.raises(InputError, match="vocab_size=100: must be above the largest token id, 256"):
        loop.run(bad, tmp_path / "run")
    assert not (tmp_path / "run").exists()
