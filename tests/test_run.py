"""The command line as people and scripts meet it: exit codes, one clear line, nothing half-written."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

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
        (["--config=configs/fit.py", "--config.nonsense=3"], ["config.nonsense", "valid fields are runs, where"]),
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


def test_debug_shows_the_traceback():
    result = run("--config=configs/fit.py", "--config.runs=nowhere.csv", "--debug")
    assert "Traceback" in result.stderr


@pytest.mark.parametrize("name", [name for name in CONFIGS if name != "select"])  # select needs a fit; see tests/search
def test_every_config_has_a_dry_run(name, tmp_path):
    result = run(f"--config=configs/{name}.py", "--dry_run", f"--workdir={tmp_path / 'out'}")
    assert result.returncode == 0, result.stderr
    resolved = json.loads(result.stdout[: result.stdout.rindex("\n}") + 2])
    assert resolved["experiment"] == {"papers": "train"}.get(name, name)
    assert len(result.stdout[result.stdout.rindex("\n}") + 2 :].strip()) > 10
    assert not (tmp_path / "out").exists()
