"""status: a line a run and a count of each state, and nothing written."""

import pytest

from experiments import status
from ie_scaling.errors import InputError
from ie_scaling.running import config as config_lib
from ie_scaling.running import files, runner
from ie_scaling.train import states


def test_a_sweep_that_was_begun_is_shown_and_not_touched(sweep_config, tmp_path, capsys):
    files.write_json(tmp_path / "config.json", {"experiment": "sweep"} | config_lib.to_plain(sweep_config))
    files.write_json(states.path_of(tmp_path, sweep_config.plans[0]) / states.FAILED, {"error": "no space"})
    before = sorted(tmp_path.rglob("*"))
    assert runner.start(status, status.Config(sweep=str(tmp_path)), tmp_path / "out") == []
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "0 done, 0 running, 1 failed, 0 stopped, 1 left"
    assert [line.split()[0] for line in lines[1:-1]] == [plan.run_id for plan in sweep_config.plans]
    assert "no space" in lines[1]
    assert sorted(tmp_path.rglob("*")) == before


def test_no_sweep_is_refused(tmp_path):
    for act in (runner.start, runner.dry_run):
        with pytest.raises(InputError, match="no such file"):
            act(status, status.Config(sweep=str(tmp_path)), tmp_path / "out")
