"""The course of a command: nothing half-written, figures before DONE, and what is done is read and not done again."""

import dataclasses
import types

import pytest

from ie_scaling.errors import InputError
from ie_scaling.running import files, runner, workdir
from ie_scaling.running.diagnostic import Diagnostic, Kind

DOUBT = Diagnostic(Kind.TABLE, "", "runs.csv: odd")


@dataclasses.dataclass(frozen=True)
class Config:
    number: int = 1


@dataclasses.dataclass(frozen=True)
class Result:
    number: int
    diagnostics: list


@pytest.fixture
def verb():
    """Doubles a number; `calls` says what was called."""
    made = types.ModuleType("experiments.double")
    calls = []

    def load(config):
        calls.append("load")
        if config.number < 0:
            raise InputError(f"number={config.number}: must not be negative")
        return config.number

    def compute(_, loaded):
        calls.append("compute")
        if loaded == 13:
            raise InputError("number=13: has no double")
        return Result(2 * loaded, [DOUBT])

    def figures(_, directory):
        assert not (directory / "DONE").exists()
        files.write_text(directory / "figures" / "a.txt", files.read_text(directory / "double.txt"))

    made.__dict__.update(Config=Config, calls=calls, load=load, compute=compute, figures=figures)
    made.__dict__.update(
        save=lambda result, directory: files.write_text(directory / "double.txt", str(result.number)),
        show=lambda directory: print(files.read_text(directory / "double.txt")),
        estimate=lambda config, loaded: f"no time for {loaded}",
        preview=lambda config, loaded: [DOUBT],
    )
    return made


def test_a_command_runs_once_and_is_shown_again(verb, tmp_path, capsys):
    for _ in range(2):
        assert runner.start(verb, Config(), tmp_path / "out") == [str(DOUBT)]
        assert capsys.readouterr().out == "2\n"
    assert verb.calls == ["load", "compute"]
    assert files.read_json(tmp_path / "out" / "config.json") == {"experiment": "double", "number": 1}
    assert files.read_text(tmp_path / "out" / "figures" / "a.txt") == "2"
    with pytest.raises(InputError, match="started with number=1, now 2"):
        runner.run(verb, Config(2), tmp_path / "out")


def test_figures_that_fail_leave_no_done(verb, tmp_path):
    verb.figures = lambda result, directory: 1 / 0
    with pytest.raises(ZeroDivisionError):
        runner.run(verb, Config(), tmp_path / "out")
    assert not (tmp_path / "out" / "DONE").exists()


@pytest.mark.parametrize("number", [-1, 13])
def test_what_is_refused_writes_nothing(verb, tmp_path, number):
    with pytest.raises(InputError, match=f"number={number}"):
        runner.run(verb, Config(number), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_dry_run_loads_and_estimates_and_computes_nothing(verb, tmp_path, capsys):
    assert runner.dry_run(verb, Config(), tmp_path / "out") == [str(DOUBT)]
    assert verb.calls == ["load"]
    assert "no time for 1" in capsys.readouterr().out
    with pytest.raises(InputError, match="number=-1"):
        runner.dry_run(verb, Config(-1), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    runner.run(verb, Config(), tmp_path / "out")
    assert runner.dry_run(verb, Config(), tmp_path / "out") == []
    assert "is finished" in capsys.readouterr().out


def test_work_that_resumes_keeps_its_parts(verb, tmp_path):
    def resume(config, loaded, directory):
        if not (directory / "part.txt").exists():
            files.write_text(directory / "part.txt", "half")
            raise KeyboardInterrupt
        files.write_text(directory / "double.txt", "2")
        return Result(2, [])

    verb.resume = resume
    with pytest.raises(KeyboardInterrupt):
        runner.run(verb, Config(), tmp_path / "out")
    assert runner.run(verb, Config(), tmp_path / "out") == []
    assert files.read_text(tmp_path / "out" / "part.txt") == "half"


def test_a_verb_may_place_what_lies_in_its_own_directory(verb, tmp_path):
    """What it loads knows the directory; config.json does not, so that the directory may be moved."""
    seen = []
    verb.placed = lambda config, directory: Config(config.number + 1)
    verb.inputs_of = lambda config: seen.append(config) or {}
    runner.start(verb, Config(), tmp_path / "out")
    assert files.read_text(tmp_path / "out" / "double.txt") == "4"
    assert set(seen) == {Config(2)}
    assert files.read_json(tmp_path / "out" / "config.json") == {"experiment": "double", "number": 1}


def test_fields_that_may_change_do_not_make_it_another_experiment(verb, tmp_path):
    runner.run(verb, Config(), tmp_path / "out")
    verb.MAY_CHANGE = ("number",)
    runner.run(verb, Config(2), tmp_path / "out")
    assert runner.dry_run(verb, Config(3), tmp_path / "out") == []
    assert verb.calls == ["load", "compute"]


def test_work_that_locks_its_directory_itself_is_shown_and_warned_of(verb, tmp_path, capsys):
    def run(config, directory):
        with workdir.opened(directory, {"experiment": "double", "number": config.number}):
            files.write_text(directory / "double.txt", str(2 * config.number))
        return [DOUBT]

    verb.run = run
    assert runner.dry_run(verb, Config(), tmp_path / "out") == [str(DOUBT)]
    assert verb.calls == ["load"]
    assert runner.start(verb, Config(), tmp_path / "out") == [str(DOUBT)]
    assert capsys.readouterr().out.endswith("2\n")
    assert verb.calls == ["load"]


def test_a_verb_that_writes_nothing_answers(verb, tmp_path, capsys):
    verb.answer = lambda loaded: f"twice {loaded}"
    assert runner.start(verb, Config(), tmp_path / "out") == []
    assert capsys.readouterr().out == "twice 1\n"
    assert not (tmp_path / "out").exists()


def test_paths_inside_the_work_directory_are_no_part_of_its_configuration(verb, tmp_path):
    verb.placed = lambda config, directory: Config(7)
    runner.run(verb, Config(), tmp_path / "out")
    assert files.read_text(tmp_path / "out" / "double.txt") == "14"
    assert files.read_json(tmp_path / "out" / "config.json")["number"] == 1
