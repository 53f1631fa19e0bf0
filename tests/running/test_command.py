"""What --config names: a file, its values, a verb, and help; and none of it waits for JAX."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ie_scaling.errors import InputError
from ie_scaling.running import command

ROOT = Path(__file__).resolve().parent.parent.parent
CONFIGS = sorted(path.stem for path in (ROOT / "configs").glob("*.py"))
CONFIG = "import ml_collections\n\n\ndef get_config():\n    return ml_collections.ConfigDict({})\n"

# Every verb's help, its default configuration and an unknown field, in one process that cannot import JAX or pandas.
WITHOUT_JAX = """
import json, pathlib, sys
for name in ("jax", "jaxlib", "flax", "optax", "orbax", "grain", "numpyro", "arviz", "pandas"):
    sys.modules[name] = None
from ie_scaling.errors import InputError
from ie_scaling.running import command, runner
root, said = pathlib.Path(sys.argv[1]), {}
command.describe(root, [], "")
for name in sys.argv[2:]:
    named = command.read(root, name)
    assert "--config." in command.describe(root, [f"--config={name}"], ""), name
    runner.build(named.verb, named.values, [])
    try:
        runner.build(named.verb, named.values, [("nonsense", "1")])
    except InputError as error:
        said[name] = str(error)
print(json.dumps(said))
"""


def test_help_and_config_errors_of_every_verb_load_neither_jax_nor_pandas():
    names = CONFIGS
    arguments = [sys.executable, "-c", WITHOUT_JAX, str(ROOT), *names]
    result = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    said = json.loads(result.stdout)
    assert list(said) == names
    assert all(text.startswith("config.nonsense: unknown field; valid fields are ") for text in said.values())


def test_every_verb_has_a_config_file_and_the_studies_are_folders():
    assert set(command.verbs(ROOT)) == set(CONFIGS) - {"papers"}
    assert {"quickstart", "latency_study"} <= set(command.verbs(ROOT))


def test_a_new_verb_is_one_file(tmp_path):
    for name in ("double.py", "study/__init__.py", "study/stages.py", "__init__.py", "notes/read.txt"):
        path = tmp_path / "experiments" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    assert command.verbs(tmp_path) == ["double", "study"]


def test_a_config_is_named_by_its_name_its_path_and_either_with_an_argument(monkeypatch, tmp_path):
    path = ROOT / "configs" / "papers.py"
    assert command.find_config(ROOT, "papers:panda") == (path, "panda")
    monkeypatch.chdir(tmp_path)
    assert command.find_config(ROOT, "configs/papers.py") == (path, "")
    (tmp_path / "mine.py").write_text(CONFIG)
    assert command.find_config(ROOT, "mine.py:x") == (Path("mine.py"), "x")


def test_the_label_has_the_argument_and_the_values_have_no_verb():
    read = command.read(ROOT, "papers:morph-1b")
    assert (read.label, read.verb.__name__) == ("papers-morph-1b", "experiments.train")
    assert "experiment" not in read.values


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (CONFIG, r"config.experiment=None: must be one of certify, "),
        (CONFIG.replace("{}", "{'experiment': 'fly'}"), r"config.experiment='fly': must be one of"),
        ("x = 1\n", r"mine.py: AttributeError: module 'config_mine' has no attribute 'get_config'"),
        ("def get_config():\n    return 3\n", r"get_config\(\) must give a ConfigDict, not int"),
        ("def get_config():\n    raise ValueError('two\\nlines')\n", r"mine.py: two lines$"),
        ("def\n", r"mine.py: SyntaxError: "),
    ],
)
def test_a_config_file_that_cannot_serve_is_one_line(tmp_path, text, words):
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(InputError, match=words) as raised:
        command.read(ROOT, str(path))
    assert "\n" not in str(raised.value)
