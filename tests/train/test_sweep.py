"""Sweeps: one table, each row once, a failed run alone, and where every run stands."""

import dataclasses
import os
import shutil
import types

import jax
import pytest

from ie_scaling.corpus import manifest
from ie_scaling.errors import InputError
from ie_scaling.running import config as config_lib
from ie_scaling.running import files, workdir
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
        (("d24-n2@100",), "unknown architecture"),
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


@pytest.fixture
def planned(config, tmp_path):
    """A sweep that was begun: its directory and that of its first run."""
    files.write_json(tmp_path / "config.json", {"experiment": "sweep"} | config_lib.to_plain(config))
    place = tmp_path / "runs" / config.plans[0].run_id
    place.mkdir(parents=True)
    return tmp_path, place


def first(directory):
    return sweep.status(directory).iloc[0]


def test_a_failure_of_an_earlier_attempt_is_not_shown(planned):
    directory, place = planned
    sweep.mark_failed(place, ValueError("no space"))
    assert (first(directory)["state"], first(directory)["note"]) == ("failed", "no space")
    later = (place / "FAILED.json").stat().st_mtime_ns + 10**9
    (place / "metrics.jsonl").write_text('{"step": 2, "loss": 4.0}\n')
    os.utime(place / "metrics.jsonl", ns=(later, later))
    assert (first(directory)["state"], first(directory)["step"], first(directory)["note"]) == ("stopped", 2, "")
    with workdir.opened(place, {"experiment": "train"}, may_hold=("FAILED.json", "metrics.jsonl")):
        assert first(directory)["state"] == "running"


def test_a_new_attempt_forgets_the_failure_before(plan, tmp_path, monkeypatch):
    sweep.mark_failed(tmp_path, ValueError("no space"))

    def train(*args):
        assert not (tmp_path / "FAILED.json").exists()
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, "_train", train)
    with pytest.raises(KeyboardInterrupt):
        loop.run(plan, tmp_path)
    assert not (tmp_path / "FAILED.json").exists()


def test_a_run_in_use_elsewhere_has_not_failed(planned):
    directory, place = planned
    with workdir.opened(place, {"experiment": "train"}):
        sweep.mark_failed(place, ValueError("in use by another process"))
        assert not (place / "FAILED.json").exists()
        assert first(directory)["state"] == "running"


@pytest.mark.parametrize("content", [b"[]", b"4", b"\xff\xfe", b"", b'{"loss": "low"}', b'{"loss": NaN}'])
def test_results_of_the_wrong_type_are_noted_by_status(planned, content):
    directory, place = planned
    (place / "DONE").write_text("")
    (place / "evaluation.json").write_bytes(content)
    (place / "metrics.jsonl").write_bytes(content + b"\n")
    row = first(directory)
    assert row["state"] == "done"
    assert "evaluation.json" in row["note"]


@pytest.mark.parametrize("content", [b"[]", b"\xff", b'{"error": 4}'])
def test_a_failure_that_cannot_be_read_is_noted(planned, content):
    directory, place = planned
    (place / "FAILED.json").write_bytes(content)
    assert first(directory)["state"] == "failed"
    assert "FAILED.json" in first(directory)["note"]


def test_steps_beyond_the_run_are_not_believed(planned):
    directory, place = planned
    (place / "metrics.jsonl").write_text('{"step": 2, "loss": 4.0}\n{"step": 9999, "loss": 1.0}\n')
    assert first(directory)["step"] == 2


@pytest.mark.parametrize(
    "content", [b"[]", b"4", b"\xff", b'{"experiment": "sweep", "nruns": 3}', b'{"experiment": []}']
)
def test_the_config_of_another_version_is_one_line(tmp_path, content):
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(InputError) as raised:
        sweep.status(tmp_path)
    assert "\n" not in str(raised.value)


def test_a_sweep_whose_text_changed_is_another_sweep(config, tmp_path):
    """Half of it on one text, half on another, would be one table."""
    corpus = dataclasses.replace(config.recipe.corpus, directory=str(tmp_path / "corpus"))
    shutil.copytree(config.recipe.corpus.directory, corpus.directory)
    changed = dataclasses.replace(config, recipe=dataclasses.replace(config.recipe, corpus=corpus))
    value = files.read_json(tmp_path / "corpus" / "manifest.json")
    sweep.run(changed, tmp_path / "sweep")
    value["splits"]["train"]["shards"][0]["sha256"] = "0" * 64
    files.write_json(tmp_path / "corpus" / "manifest.json", manifest.seal(value))
    with pytest.raises(InputError, match=r"made from other content of corpus .*sha256 \w+, now \w+"):
        sweep.run(changed, tmp_path / "sweep")
    shutil.rmtree(corpus.directory)
    assert len(sweep.run(changed, tmp_path / "sweep")) == 2  # finished, and its text no longer needed
