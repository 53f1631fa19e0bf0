"""One run with retries: what fails is tried again, then left with its reason; a new attempt forgets it."""

import dataclasses

import pytest

from ie_scaling.running import files
from ie_scaling.running.stopping import Stop, Stopped
from ie_scaling.train import attempt, loop, states
from ie_scaling.train.runtime_config import MeshConfig


def test_a_mesh_that_does_not_fit_is_tried_again_and_named(plan, tmp_path, capsys):
    runtime = dataclasses.replace(plan.runtime, mesh=MeshConfig(data=16))
    recipe = dataclasses.replace(plan.recipe, batch_size=16)
    misfit = dataclasses.replace(plan, runtime=runtime, recipe=recipe)
    assert attempt.attempt(misfit, tmp_path, 2, Stop()) is None
    assert capsys.readouterr().err.count("trying again") == 2
    failed = files.read_json(states.path_of(tmp_path, misfit) / states.FAILED)
    assert "mesh data=16" in failed["error"]
    assert "must divide 8" in failed["error"]
    assert "Traceback" in failed["traceback"]


def test_once_stopped_no_run_is_begun(plan, tmp_path):
    stop = Stop()
    stop.set()
    with pytest.raises(Stopped, match="not begun"):
        attempt.attempt(plan, tmp_path, 2, stop)
    assert not list(tmp_path.iterdir())


def test_a_new_attempt_forgets_the_failure_before(plan, tmp_path, monkeypatch):
    attempt.mark_failed(tmp_path, ValueError("no space"))

    def train(*args):
        assert not (tmp_path / "FAILED.json").exists()
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, "_train", train)
    with pytest.raises(KeyboardInterrupt):
        loop.run(plan, tmp_path)
    assert not (tmp_path / "FAILED.json").exists()
