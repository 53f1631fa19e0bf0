"""Sweeps: one table, each row once, a failed run alone, and what is done not done again."""

import dataclasses
import shutil
import sys
import types

import pytest

from experiments import sweep
from ie_scaling.corpus import manifest
from ie_scaling.errors import InputError
from ie_scaling.running import files, runner
from ie_scaling.tables import run_table
from ie_scaling.train import attempt, loop, states

SHAPE = "d24-n2-h2-k1-c10-f37-v270"


def run(config, directory):
    """The run table of a sweep."""
    assert runner.run(sweep, config, directory) == []
    return run_table.read_runs(directory / "runs.csv")


def interrupted_after_one(monkeypatch):
    trained = []

    def run_once(plan, *args):
        if trained:
            raise KeyboardInterrupt
        trained.append(plan.run_id)
        return loop.run(plan, *args)

    monkeypatch.setattr(attempt, "loop", types.SimpleNamespace(run=run_once))
    return trained


def test_a_sweep_fills_one_table_and_resumes(sweep_config, tmp_path, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        trained = interrupted_after_one(patch)
        run(sweep_config, tmp_path)
    assert run_table.read_runs(tmp_path / "runs.csv")["run_id"].tolist() == trained
    assert states.read(tmp_path)["state"].tolist() == ["done", "left"]
    table = run(sweep_config, tmp_path)
    assert sorted(table["run_id"]) == sorted(plan.run_id for plan in sweep_config.plans)
    assert table["loss"].nunique() == 2
    status = states.read(tmp_path)
    assert status["state"].tolist() == ["done", "done"]
    assert status["loss"].tolist() == table["loss"].tolist()
    assert status["step"].tolist() == [6, 6]


@pytest.mark.slow
def test_runs_side_by_side_on_devices_of_their_own_equal_runs_one_by_one(sweep_config, tmp_path):
    tables = []
    for n_parallel in (1, 2):
        table = run(dataclasses.replace(sweep_config, n_parallel=n_parallel), tmp_path / str(n_parallel))
        tables.append(table.set_index("run_id")["loss"].to_dict())
    assert tables[0] == tables[1]


def test_a_run_that_fails_is_named_and_does_not_stop_the_others(sweep_config, tmp_path):
    """A rate of 1e30 diverges; the mesh of three devices does not divide eight: tried again, and named."""
    tokens = sweep_config.plans[0].n_tokens
    wild = f"{SHAPE}@{tokens},optimizer.learning_rate=1e30,optimizer.clip_norm=1e30"
    both = dataclasses.replace(sweep_config, runs=(wild, f"{SHAPE}@{tokens}"))
    with pytest.raises(sweep.FailedRuns, match=r"1 of 2 runs failed; the first, .*1e30.*: .* is nan; .*checkpoint"):
        run(both, tmp_path / "wild")
    assert run_table.read_runs(tmp_path / "wild" / "runs.csv")["run_id"].tolist() == [both.plans[1].run_id]
    status = states.read(tmp_path / "wild")
    assert status["state"].tolist() == ["failed", "done"]
    assert "nan" in status["note"][0]
    assert not (tmp_path / "wild" / "DONE").exists()


def test_ray_that_is_not_there_is_one_line(sweep_config, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match="ray is not installed"):
        run(dataclasses.replace(sweep_config, executor="ray"), tmp_path)


def test_a_sweep_whose_text_changed_is_another_sweep(sweep_config, tmp_path):
    """Half of it on one text, half on another, would be one table."""
    corpus = dataclasses.replace(sweep_config.recipe.corpus, directory=str(tmp_path / "corpus"))
    shutil.copytree(sweep_config.recipe.corpus.directory, corpus.directory)
    changed = dataclasses.replace(sweep_config, recipe=dataclasses.replace(sweep_config.recipe, corpus=corpus))
    value = files.read_json(tmp_path / "corpus" / "manifest.json")
    run(changed, tmp_path / "sweep")
    value["splits"]["train"]["shards"][0]["sha256"] = "0" * 64
    files.write_json(tmp_path / "corpus" / "manifest.json", manifest.seal(value))
    with pytest.raises(InputError, match=r"made from other content of corpus .*sha256 \w+, now \w+"):
        run(changed, tmp_path / "sweep")
    shutil.rmtree(corpus.directory)
    assert len(run(changed, tmp_path / "sweep")) == 2  # finished, and its text no longer needed
