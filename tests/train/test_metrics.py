"""metrics.jsonl, TensorBoard, profile, and what stops a run."""

import dataclasses
import json

import jax
import numpy as np
import pytest
import tensorboardX.proto.event_pb2 as event_pb2

from ie_scaling.errors import InputError
from ie_scaling.train import loop, metrics, metrics_file
from ie_scaling.train.runtime_config import CheckpointConfig, LogConfig


def push(log, step, loss, norm=1.0):
    return log.push(step, {"loss": np.float32(loss), "grad_norm": np.float32(norm)}, 0.1)


def test_a_spike_is_measured_from_the_running_mean_across_a_resume(plan, tmp_path):
    with metrics.MetricsLog(tmp_path, plan, 0) as log:
        for step in range(1, 6):
            push(log, step, 4.0 - 0.1 * step)
        log.flush()
    with metrics.MetricsLog(tmp_path, plan, 5) as log:
        push(log, 6, 6.0)
        push(log, 7, 7.5)
        with pytest.raises(FloatingPointError, match=r"step 7: loss 7.500 is a spike, more than .*spike_nats=3 above"):
            log.flush()
        assert log.last_good_step == 6


def test_every_step_is_checked_before_it_is_saved(plan, tmp_path):
    seldom = dataclasses.replace(plan, runtime=dataclasses.replace(plan.runtime, log=LogConfig(every_steps=100)))
    with metrics.MetricsLog(tmp_path, seldom, 0) as log:
        push(log, 1, 4.0, np.inf)
        with pytest.raises(FloatingPointError, match="step 1: grad_norm is inf"):
            log.require_good(1)


def test_a_line_cut_off_is_dropped_and_later_ones_too(plan, tmp_path):
    lines = [json.dumps({"step": step, "loss": 4.0}) for step in (1, 2, 3)]
    (tmp_path / "metrics.jsonl").write_text("\n".join([*lines, '{"step": 4, "lo']))
    assert metrics_file.read(tmp_path).entries[-1]["step"] == 3
    with metrics.MetricsLog(tmp_path, plan, 2):
        pass
    assert (tmp_path / "metrics.jsonl").read_text().splitlines() == lines[:2]


def scalars(path):
    """(step, tag, value) of a TensorBoard event file: length, checksum, event, checksum."""
    content, at, found = path.read_bytes(), 0, []
    while at < len(content):
        length = int.from_bytes(content[at : at + 8], "little")
        event = event_pb2.Event.FromString(content[at + 12 : at + 12 + length])
        found += [(event.step, value.tag, value.simple_value) for value in event.summary.value]
        at += length + 16
    return found


def test_tensorboard_and_a_profile_are_written(plan, tmp_path):
    log = LogConfig(every_steps=1, tensorboard=True, profile_from=2, profile_steps=3)
    loop.run(dataclasses.replace(plan, runtime=dataclasses.replace(plan.runtime, log=log)), tmp_path)
    (events,) = (tmp_path / "tensorboard").iterdir()
    written = {(step, tag): value for step, tag, value in scalars(events)}
    for line in (tmp_path / "metrics.jsonl").read_text().splitlines():
        entry = json.loads(line)
        assert written[entry["step"], "train/loss"] == pytest.approx(entry["loss"], rel=1e-6)
    assert list((tmp_path / "profile").rglob("*.xplane.pb"))


def test_wandb_that_is_not_there_is_one_line(plan, tmp_path):
    log = LogConfig(wandb_project="study")
    with pytest.raises(InputError, match="wandb is not installed"):
        loop.run(dataclasses.replace(plan, runtime=dataclasses.replace(plan.runtime, log=log)), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_divergence_names_the_last_good_checkpoint(plan, tmp_path, monkeypatch):
    """Parameters go bad in step 8: the checkpoints before it are good, and the message says which is the last."""
    runtime = dataclasses.replace(plan.runtime, checkpoint=CheckpointConfig(every_steps=2, keep=4))
    real_build = loop.step.build

    def build(*args):
        program = real_build(*args)
        calls = iter(range(100))

        def train(state, batch, rate):
            return program.train(state, batch, np.float32(1e30) if next(calls) == 7 else rate)

        return dataclasses.replace(program, train=train)

    monkeypatch.setattr(loop.step, "build", build)
    with pytest.raises(
        FloatingPointError, match=r"step 9: (loss|grad_norm) is (nan|inf); the checkpoint at step 6 is good"
    ):
        loop.run(dataclasses.replace(plan, runtime=runtime), tmp_path)


def test_memory_is_counted():
    assert metrics.memory_bytes() > 1e7
    assert jax.local_devices()
