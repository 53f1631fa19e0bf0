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


@pytest.mark.slow
def test_a_contest_end_to_end(tmp_path):
    law = forms.get_law("chinchilla")
    cells.write_table(tmp_path / "runs.csv", simulate(law, seed=1, tau=0.003, sigma=0.004))
    config = compare.Config(
        tables=(str(tmp_path / "runs.csv"),),
        wheres=("",),
        laws=("chinchilla", "effective"),
        published=("chinchilla",),
        n_folds=2,
        n_bootstrap=50,
        n_resamples=100,
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
    assert [path.stem for path in parts] == ["model0", "model1", "size"]
    written = [path.stat().st_mtime_ns for path in parts]
    compare.resume(config, compare.load(config), out)
    assert [path.stat().st_mtime_ns for path in parts] == written  # read, not contested again
    assert (out / "contest.md").read_text() == text


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
