"""The table of executors: a name is a module, and the names are those that a sweep may have."""

import importlib
import inspect

import pytest

from ie_scaling.errors import InputError
from ie_scaling.train import executors
from ie_scaling.train.sweep_config import SweepConfig


@pytest.mark.parametrize("name", executors.EXECUTORS)
def test_every_executor_is_a_module_with_run(name):
    module = importlib.import_module(f"ie_scaling.train.executors.{name}")
    assert list(inspect.signature(module.run).parameters) == ["config", "directory", "stop"]
    assert SweepConfig(runs=("gpt2@1M",), executor=name).executor == name


def test_another_name_is_refused():
    with pytest.raises(InputError, match="executor='slurm': must be one of local, ray"):
        SweepConfig(runs=("gpt2@1M",), executor="slurm")


def test_a_new_executor_is_one_line_and_one_file(monkeypatch, sweep_config, tmp_path):
    monkeypatch.setitem(executors.EXECUTORS, "none", executors.Executor(is_here=True))
    module = type(executors)("none")
    module.run = lambda config, directory, stop: iter([(index, None) for index in range(len(config.plans))])
    monkeypatch.setitem(importlib.sys.modules, "ie_scaling.train.executors.none", module)
    config = SweepConfig(runs=sweep_config.runs, recipe=sweep_config.recipe, executor="none")
    assert list(executors.run(config, tmp_path, None)) == [(0, None), (1, None)]
