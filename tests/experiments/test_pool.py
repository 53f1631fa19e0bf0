"""Pooling as a verb: families by a column, what is refused of them, and what it would take."""

import dataclasses

import pytest

from experiments import pool
from ie_scaling.errors import InputError
from ie_scaling.laws import forms
from ie_scaling.running import files
from ie_scaling.tables import cells
from tests.laws.simulated import DATA, simulate

FRAME = simulate(forms.get_law("effective"), sigma=0.003)
MODELS = sorted(set(FRAME["model_id"]))
SECOND = MODELS[5]  # a model of the second family
INTERVAL = {"mean": 1.0, "sd": 0.1, "lo90": 0.8, "median": 1.0, "hi90": 1.3}


@pytest.fixture
def config(tmp_path):
    """Two families, 15 rows of 5 models each."""
    first = FRAME["model_id"].isin(MODELS[:5])
    cells.write_table(tmp_path / "runs.csv", FRAME.assign(corpus=first.map({True: "one", False: "two"})))
    return pool.Config(runs=str(tmp_path / "runs.csv"), by="corpus")


def test_families_are_the_values_of_a_column(config):
    families = pool.load(config)
    assert {name: len(rows) for name, rows in families.rows.items()} == {"one": 15, "two": 15}
    assert families.law.name == "effective"
    lines = pool.estimate(config, families).splitlines()
    assert lines[:3] == ["law effective", "one: 15 rows of 5 models", "two: 15 rows of 5 models"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"by": "colour"}, "by='colour': .* has no such column"),
        ({"where": "corpus == 'one'"}, "has 1 families; pooling needs at least two"),
        (
            {"where": "corpus == 'one' or n_tokens < 1e9 and model_id == 'SECOND'"},
            "'two' has 2 rows; it needs",
        ),
        ({"runs": str(DATA / "bian2025.csv"), "by": "source", "law": "chinchilla"}, "no shape parameter"),
        ({"count": "all"}, "count='all': must be one of total"),
    ],
)
def test_bad_input_is_one_line(config, changes, message):
    changes = {name: value.replace("SECOND", SECOND) for name, value in changes.items()}
    with pytest.raises(InputError, match=message):
        pool.load(dataclasses.replace(config, **changes))


def test_a_family_names_its_folder():
    assert pool._family_name("bian2025_morph", "source") == "bian2025_morph"
    for value in (None, float("nan"), "../up", "a/b", "x" * 300):
        with pytest.raises(InputError, match="cannot name a family's folder"):
            pool._family_name(value, "source")


def test_the_answer_is_shown_by_parameter_and_family(tmp_path, capsys):
    family = {"n_rows": 15, "n_models": 5, "intervals": {"kappa": INTERVAL}}
    answer = {"law": "effective", "tie": "free", "count": "effective", "families": {"one": family, "two": family}}
    files.write_json(tmp_path / "pool.json", answer | {"common": {"kappa": INTERVAL}, "lambda": INTERVAL})
    pool.show(tmp_path)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].strip() == "kappa"
    assert [line.split()[0] for line in lines[2:5]] == ["one", "two", "in"]
    assert lines[-1] == "families differ by 1.00 (0.80 to 1.30) of a prior's sd"
