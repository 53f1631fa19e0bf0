"""Sweeps: one table, each row once, a failed run alone, and where every run stands."""

import dataclasses
import types

import jax
import pytest

from ie_scaling.tables import run_table
from ie_scaling.train import loop, sweep
from ie_scaling.train.runtime_config import LogConfig, MeshConfig, RuntimeConfig
from ie_scaling.train.sweep_config import SweepConfig

SHAPE = "d24-n2-h2-k1-c10-f37-v270"


@pytest.fixture
def config(plan):
    tokens = plan.n_tokens // 2
    runtime = RuntimeConfig(log=LogConfig(every_steps=1))
    return SweepConfig(runs=(f"{SHAPE}@{tokens}", f"{SHAPE}@{tokens}-s1"), recipe=plan.recipe, runtime=runtime)


def interrupted_after_one(monkeypatch):
    trained = []

    def run(plan, *args):
        if trained:
            raise KeyboardInterrupt
        trained.append(plan.run_id)
        return loop.run(plan, *args)

    monkeypatch.setattr(sweep, "loop", types.SimpleNamespace(run=run))
    return trained


def test_a_sweep_fills_one_table_and_resumes(config, tmp_path, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        trained = interrupted_after_one(patch)
        sweep.run(config, tmp_path)
    assert run_table.read_runs(tmp_path / "runs.csv")["run_id"].tolist() == trained
    assert sweep.status(tmp_path)["state"].tolist() == ["done", "left"]
    table = sweep.run(config, tmp_path)
    assert sorted(table["run_id"]) == sorted(plan.run_id for plan in config.plans)
    assert table["loss"].nunique() == 2
    status = sweep.status(tmp_path)
    assert status["state"].tolist() == ["done", "done"]
    assert status["loss"].tolist() == table["loss"].tolist()
    assert status["step"].tolist() == [6, 6]


@pytest.mark.slow
def test_runs_side_by_side_on_devices_of_their_own_equal_runs_one_by_one(config, tmp_path):
    tables = []
    for n_parallel in (1, 2):
        table = sweep.run(dataclasses.replace(config, n_parallel=n_parallel), tmp_path / str(n_parallel))
        tables.append(table.set_index("run_id")["loss"].to_dict())
    assert tables[0] == tables[1]


def test_device_blocks_are_apart_while_there_are_enough():
    devices = jax.devices()
    assert sweep.device_blocks(2, 4) == [devices[0:2], devices[2:4], devices[4:6], devices[6:8]]
    assert sweep.device_blocks(4, 3) == [devices[0:4], devices[4:8], devices[0:4]]


def test_overrides_change_the_recipe_and_the_run_id(config):
    runs = (f"{SHAPE}@500", f"{SHAPE}@500-s3,optimizer.learning_rate=0.01,batch_size=4,optimizer.schedule=wsd")
    first, second = dataclasses.replace(config, runs=runs).plans
    assert first.recipe == config.recipe
    assert second.recipe.optimizer.learning_rate == 0.01
    assert second.recipe.optimizer.schedule == "wsd"
    assert (second.recipe.batch_size, second.seed) == (4, 3)
    assert second.run_id.endswith("-s3,optimizer.learning_rate=0.01,batch_size=4,optimizer.schedule=wsd")


def test_a_run_that_fails_is_named_and_does_not_stop_the_others(config, tmp_path):
    """A rate of 1e30 diverges; the mesh of three devices does not divide eight: tried again, and named."""
    tokens = config.plans[0].n_tokens
    wild = f"{SHAPE}@{tokens},optimizer.learning_rate=1e30,optimizer.clip_norm=1e30"
    both = dataclasses.replace(config, runs=(wild, f"{SHAPE}@{tokens}"))
    with pytest.raises(sweep.FailedRuns, match=r"1 of 2 runs failed; the first, .*1e30.*: .* is nan; .*checkpoint"):
        sweep.run(both, tmp_path / "wild")
    assert run_table.read_runs(tmp_path / "wild" / "runs.csv")["run_id"].tolist() == [both.plans[1].run_id]
    status = sweep.status(tmp_path / "wild")
    assert status["state"].tolist() == ["failed", "done"]
    assert "nan" in status["note"][0]
    assert not (tmp_path / "wild" / "DONE").exists()


def test_a_mesh_that_does_not_fit_is_tried_again_and_named(config, tmp_path, capsys):
    runtime = dataclasses.replace(config.runtime, mesh=MeshConfig(data=16))
    recipe = dataclasses.replace(config.recipe, batch_size=16)
    misfit = dataclasses.replace(config, runtime=runtime, recipe=recipe, runs=(f"{SHAPE}@500",))
    with pytest.raises(sweep.FailedRuns, match=r"mesh data=16.*must divide 8"):
        sweep.run(misfit, tmp_path)
    assert capsys.readouterr().err.count("trying again") == misfit.retries


def test_status_of_what_is_no_sweep_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"config.json: no such file"):
        sweep.status(tmp_path)
    (tmp_path / "config.json").write_text('{"experiment": "train"}')
    with pytest.raises(ValueError, match="holds no sweep"):
        sweep.status(tmp_path)


def test_ray_that_is_not_there_is_one_line(config, tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ValueError, match="Ray is not installed"):
        sweep.run(dataclasses.replace(config, executor="ray"), tmp_path)


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        ((), "at least one run"),
        (("d24-n2@100",), "expected a name"),
        ((f"{SHAPE}@many",), "expected ARCHITECTURE@TOKENS"),
        ((f"{SHAPE}@1",), "at least one step"),
        ((f"{SHAPE}@500", f"{SHAPE}@500"), "listed twice"),
        (("d24-n2-h2-k1-c10-f37-v99@500",), "at least the tokenizer's"),
        ((f"{SHAPE}@500,optimizer.rate=1",), r"optimizer.rate: unknown field; valid fields are learning_rate"),
        ((f"{SHAPE}@500,optimiser.learning_rate=1",), "optimiser is no group of fields"),
        ((f"{SHAPE}@500,optimizer.learning_rate=fast",), "must be of type float"),
    ],
)
def test_bad_sweeps_are_named(recipe, runs, message):
    with pytest.raises(ValueError, match=message):
        SweepConfig(runs=runs, recipe=recipe)
