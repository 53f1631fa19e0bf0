"""The contest of ways of predicting as a verb: whole, resumed from its parts, and refusing bad input."""

import dataclasses

import pandas as pd
import pytest

from experiments import compare
from ie_scaling.errors import InputError
from ie_scaling.inference.config import NutsConfig
from ie_scaling.laws import forms
from ie_scaling.running import runner
from ie_scaling.tables import cells
from tests.laws.simulated import DATA, simulate

TOKENS = (1e8, 3e8, 7e8, 3e9)


@pytest.mark.slow
def test_a_contest_end_to_end(tmp_path):
    law = forms.get_law("chinchilla")
    cells.write_table(tmp_path / "runs.csv", simulate(law, seed=1, tau=0.003, sigma=0.004, tokens=TOKENS))
    config = compare.Config(
        tables=(str(tmp_path / "runs.csv"),),
        wheres=("",),
        laws=("chinchilla", "effective"),
        published=("chinchilla",),
        n_folds=2,
        n_bootstrap=50,
        nuts=NutsConfig(n_warmup=100, n_samples=100, max_samples=100),
    )
    out = tmp_path / "out"
    runner.run(compare, config, out)
    scores = pd.read_csv(out / "contest.csv")
    stacked = scores[scores["entry"] == "bayes stacked"]
    assert (stacked["crps"] < 0.03).all()
    assert stacked["coverage90"].between(0.5, 1).all()
    assert (out / "figures" / "contest.png").is_file()
    text, parts = (out / "contest.md").read_text(), sorted((out / "parts").rglob("*.json"))
    assert [path.stem for path in parts] == ["model0", "model1", "size", "tokens"]
    written = [path.stat().st_mtime_ns for path in parts]
    compare.resume(config, compare.load(config), out)
    assert [path.stat().st_mtime_ns for path in parts] == written  # read, not contested again
    assert (out / "contest.md").read_text() == text


def test_a_table_without_shapes_or_pairs_is_contested_by_what_can_be(monkeypatch):
    monkeypatch.chdir(DATA.parent)
    config = compare.Config(tables=("data/sardana2024.csv",), wheres=("",), laws=("chinchilla", "effective"))
    (table,) = compare.load(config)
    assert list(table.lacking) == ["effective", "aspect_ratio"]
    lines = [str(entry) for entry in compare.not_contested([table])]
    assert "sardana2024: effective not contested" in lines[0]
    assert "column n_params_non_embedding is blank" in lines[0]
    scores = pd.DataFrame([{"table": "sardana2024", "left_out": "size", "n_pairs": 0}])
    assert "no two models of one size and budget" in str(compare.undecided(scores)[0])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"wheres": ("",)}, "must hold a row filter for each of the 4 tables"),
        ({"laws": ("cubic",)}, "law='cubic'"),
        ({"published": ("effective",)}, "effective"),
        ({"n_folds": 1}, "must lie from 2 to"),
        ({"laws": ()}, "must name at least one"),
    ],
)
def test_bad_input_is_one_line(changes, message, monkeypatch):
    monkeypatch.chdir(DATA.parent)
    with pytest.raises(InputError, match=message):
        compare.load(dataclasses.replace(compare.Config(), **changes))
