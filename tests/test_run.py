"""The command line as people and scripts meet it: exit codes, one clear line, nothing half-written."""

import dataclasses
import importlib
import json
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ie_scaling.errors import InputError
from ie_scaling.running import command, overrides, runner
from ie_scaling.running import config as config_lib

ROOT = Path(__file__).resolve().parent.parent
CONFIGS = sorted(path.stem for path in (ROOT / "configs").glob("*.py"))


def run(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess:
    command = [sys.executable, str(ROOT / "run.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)


HEADER = "source,run_id,model_id,d_model,n_layers,n_params_total,n_params_non_embedding,n_tokens,loss\n"


@pytest.fixture
def tables(tmp_path):
    rows = [f"s,r{i},m{i},64,{i + 1},{i + 1}000,500,1e6,{5 - i / 10}" for i in range(8)]
    (tmp_path / "negative.csv").write_text(HEADER + "\n".join(rows).replace("4.7", "-4.7") + "\n")
    (tmp_path / "text.csv").write_text(HEADER + "\n".join(rows).replace("1e6", "lots") + "\n")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--config=configs/fit.py", "--config.nonsense=3"], ["config.nonsense", "valid fields are runs,"]),
        (["--config=configs/fit.py", "--config.runs=nowhere.csv"], ["nowhere.csv", "no such file"]),
        (["--config=configs/fit.py", "--config.runs={tmp}/negative.csv"], ["row 4", "column loss", "-4.7"]),
        (["--config=configs/fit.py", "--config.runs={tmp}/text.csv"], ["row 1", "column n_tokens", "'lots'"]),
        (["--config=configs/fit.py", "--config.law=quadratic"], ["law='quadratic'", "chinchilla"]),
        (["--config=configs/train.py", "--config.architecture.n_heads=3"], ["n_heads=3", "divisible"]),
        (["--config=configs/nowhere.py"], ["configs/nowhere.py"]),
        (["--config=configs/select.py", "--config.fit=nowhere"], ["nowhere", "posterior.nc"]),
    ],
)
def test_bad_input_is_one_line_and_exit_2(tables, arguments, words):
    workdir = tables / "out"
    result = run(*(argument.format(tmp=tables) for argument in arguments), f"--workdir={workdir}")
    lines = result.stderr.strip().splitlines()
    assert result.returncode == 2, result.stderr
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("error: ")
    assert all(word in lines[0] for word in words), lines[0]
    assert not workdir.exists()


def test_a_bare_command_lists_the_verbs_and_help_teaches_a_verb():
    for arguments in ((), ("--help",)):
        result = run(*arguments)
        assert result.returncode == 0
        assert all(f"\n  {name} " in result.stdout for name in CONFIGS), result.stdout
    result = run("--config=fit", "--help")
    assert result.returncode == 0
    assert run("--config", "fit", "--help").stdout == result.stdout
    assert "Fit a loss law to a run table" in result.stdout
    assert "--config.nuts.target_accept=0.975  (a number)" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--config=fit", "--config.n_starts=1.5X"], "config.n_starts='1.5X': must be a whole number, such as"),
        (["--config=fit", "--config.seed=1e30"], "config.seed='1e30': must be at most"),
        (["--config=train", "--config.learning_rate=1"], "did you mean config.recipe.optimizer.learning_rate"),
        (["--config=fti"], "did you mean --config=fit"),
        (["--config=papers:panda"], "papers.py:panda: unknown name; must be one of morph-1b"),
        (["--config.seed=1"], "--config: missing; it must name one of certify"),
        (["--config=fit", "--dryrun"], "Did you mean: dry_run"),
        (["--config=fit:what"], "configs/fit.py: TypeError: get_config() takes 0 positional arguments"),
        (["--config=ie_scaling/errors.py"], "ie_scaling/errors.py: AttributeError: module"),
    ],
)
def test_a_slip_on_the_command_line_says_the_way_on(arguments, words):
    result = run(*arguments)
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1, result.stderr
    assert words in result.stderr


def test_a_dry_run_refuses_a_work_directory_that_the_run_would_refuse(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    result = run("--config=fit", f"--workdir={tmp_path}", "--dry_run")
    assert result.returncode == 2
    assert "holds notes.txt, which this program did not write" in result.stderr


@pytest.mark.parametrize(
    ("error", "status"),
    [("ValueError", 1), ("KeyError", 1), ("FloatingPointError", 2), ("OSError", 2), ("InputError", 2)],
)
def test_a_fault_of_the_program_is_shown_as_one(tmp_path, error, status):
    """What a library raises for reasons of its own is no bad input."""
    (tmp_path / "mine.py").write_text(
        "from experiments import status\nfrom ie_scaling.errors import InputError\n"
        "from ie_scaling.running.config import to_config_dict\n\n\n"
        f"def load(_):\n    raise {error}('odd')\n\n\nstatus.load = load\n\n\n"
        "def get_config():\n    return to_config_dict(status.Config(), 'status')\n"
    )
    result = run(f"--config={tmp_path / 'mine.py'}")
    assert result.returncode == status
    if status == 1:
        assert "Traceback" in result.stderr
        assert f"{error}: 'odd'" in result.stderr or f"{error}: odd" in result.stderr
    else:
        assert result.stderr == "error: odd\n"


def test_debug_shows_the_traceback():
    result = run("--config=configs/fit.py", "--config.runs=nowhere.csv", "--debug")
    assert "Traceback" in result.stderr


READS_ANOTHERS = ("fit_latency", "predict_latency", "rank", "select", "status")  # results that are not there yet


@pytest.mark.parametrize("name", READS_ANOTHERS)
def test_a_dry_run_refuses_where_the_results_that_the_run_would_read_are_missing(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    experiment = importlib.import_module(f"experiments.{name}")
    with pytest.raises(InputError):
        runner.dry_run(experiment, experiment.Config(), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "texts", "words"),
    [
        ("time_decode", [("prompt_tokens", "10M")], r"cache .* GiB.*more than 80% of"),
        ("time_decode", [("tensor", "4096")], "tensor=4096: needs as many devices"),
        (
            "latency_study",
            [("decode.tensor", "4096"), ("random.n_held_out", "0")],
            "tensor=4096: needs as many devices",
        ),
        ("reproduce", [("data", "nowhere")], "nowhere/bian2025.csv: no such file"),
        ("quickstart", [("laws", "chinchilla,kaplan,effective")], "law='kaplan': must be one of"),
    ],
)
def test_a_dry_run_finds_what_the_run_would_refuse(name, texts, words, tmp_path):
    values = runpy.run_path(str(ROOT / "configs" / f"{name}.py"))["get_config"]().to_dict()
    values.pop("experiment")
    experiment = importlib.import_module(f"experiments.{name}")
    config = config_lib.build(experiment.Config, overrides.apply(experiment.Config, values, texts))
    with pytest.raises(InputError, match=words):
        runner.dry_run(experiment, config, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [name for name in CONFIGS if name not in READS_ANOTHERS])
def test_every_config_has_a_dry_run(name, tmp_path):
    result = run(f"--config=configs/{name}.py", "--dry_run", f"--workdir={tmp_path / 'out'}")
    assert result.returncode == 0, result.stderr
    resolved = json.loads(result.stdout[: result.stdout.rindex("\n}") + 2])
    assert resolved["experiment"] == {"papers": "train"}.get(name, name)
    assert len(result.stdout[result.stdout.rindex("\n}") + 2 :].strip()) > 10
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("config", "fields"),
    [
        ("time_decode", ["--config.architectures=qwen2.5-0.5b,qwen3-0.6b"]),
        pytest.param("train", ["--config.architecture=qwen2.5-0.5b"], marks=pytest.mark.slow),
        pytest.param("sweep", ["--config.runs=qwen2.5-0.5b@1M,qwen3-0.6b@1M"], marks=pytest.mark.slow),
    ],
)
def test_what_a_named_model_has_besides_is_a_note_of_every_verb(config, fields, tmp_path):
    """Once for each shape, on stdout, and no failure."""
    result = run(f"--config={config}", *fields, "--dry_run", "--strict", f"--workdir={tmp_path / 'out'}")
    assert result.returncode == 0, result.stderr
    notes = [line for line in result.stdout.splitlines() if line.startswith("note: ")]
    assert notes == ["note: qwen2.5-0.5b: the model itself has biases on queries, keys and values"]


@pytest.mark.parametrize("name", [name for name in CONFIGS if name != "papers"])
def test_every_config_that_takes_shapes_says_how_they_were_named(name):
    """run.py prints their notes."""
    cls = command.read(ROOT, name).verb.Config
    takes_shapes = {"architectures", "candidates", "architecture"} & {field.name for field in dataclasses.fields(cls)}
    assert hasattr(cls, "shape_specs") == (bool(takes_shapes) or name == "sweep")


@pytest.mark.parametrize(
    ("number", "delay_s"),
    [
        (signal.SIGINT, 0.5),
        (signal.SIGTERM, 1.5),
        *[pytest.param(signal.SIGINT, delay_s, marks=pytest.mark.slow) for delay_s in (0.4, 0.8, 1, 2, 3, 4, 6)],
        *[pytest.param(signal.SIGTERM, delay_s, marks=pytest.mark.slow) for delay_s in (0.4, 0.8, 3, 6)],
    ],
)
def test_a_signal_at_any_time_is_one_line_and_leaves_nothing(tmp_path, number, delay_s):
    command = [sys.executable, str(ROOT / "run.py"), "--config=fit", f"--workdir={tmp_path / 'out'}"]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    time.sleep(delay_s)
    process.send_signal(number)
    said = process.communicate(timeout=60)[1].splitlines()
    assert process.returncode == 128 + number, said
    assert said[-1].startswith("interrupted"), said
    assert not [line for line in said if "Traceback" in line]
    assert not (tmp_path / "out").exists()
