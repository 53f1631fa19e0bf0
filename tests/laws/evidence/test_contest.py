"""Forecasts against closed forms; scores and their words from parts made up; a small contest end to end."""

import dataclasses
import json

import numpy as np
import pytest
from scipy import stats

from ie_scaling.inference import scoring
from ie_scaling.inference.config import NutsConfig
from ie_scaling.laws import forms
from ie_scaling.laws.config import CompareConfig
from ie_scaling.laws.evidence import contest, contest_scores, forecast
from ie_scaling.laws.evidence.forecast import Forecast
from ie_scaling.laws.least_squares import published
from ie_scaling.laws.problem import pose
from ie_scaling.report import law_figures
from ie_scaling.tables import cells
from tests.laws.simulated import DATA, read, simulate


def test_crps_of_normal_draws_is_the_closed_form():
    draws = np.random.default_rng(0).normal(2.0, 0.3, (40_000, 1)) * np.ones(3)
    loss = np.array([2.0, 2.2, 1.0])
    z = (loss - 2.0) / 0.3
    exact = 0.3 * (z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / np.sqrt(np.pi))
    np.testing.assert_allclose(scoring.crps(loss, draws), exact, rtol=0.02)


def test_a_mixture_weighs_draws_and_densities():
    one = Forecast(loss_WR=np.full((100, 2), 1.0), log_density_R=np.log([0.2, 0.4]))
    other = Forecast(loss_WR=np.full((200, 2), 2.0), log_density_R=np.log([0.6, 0.8]))
    mixed = forecast.mix([one, other], np.array([0.25, 0.75]))
    assert (mixed.loss_WR == 1.0).mean() == 0.25
    assert len(mixed.loss_WR) == 100
    np.testing.assert_allclose(np.exp(mixed.log_density_R), [0.5, 0.7])


def test_curve_fit_is_normal_about_its_curve():
    rows = read("bian2025", "fit_set.str.contains('fig7')")
    fitted = published.fit(pose(forms.get_law("aspect_ratio"), rows))
    said = forecast.of_curve_fit(fitted, rows, 4000, 0)
    residual_R = rows.loss_R - np.exp(fitted.predict(rows.features))
    sd = np.sqrt((residual_R**2).sum() / (len(rows) - 5))
    np.testing.assert_allclose(said.log_density_R, stats.norm.logpdf(residual_R, 0, sd), rtol=1e-6)
    assert said.loss_WR.std(axis=0) == pytest.approx(np.full(len(rows), sd), rel=0.1)


def part(crps_of_bayes: float) -> dict:
    """Twelve rows of six models, twelve pairs, one scale."""
    by_model = 1e-5 * np.array([1, 1, -1, -1] * 3)

    def entry(crps, right):
        jitter = by_model if right[-1] else 0
        rows = {name: (crps + jitter + np.zeros(12)).tolist() for name in ("crps", "log_score", "squared_error")}
        rows |= {name: [1.0] * 11 + [0.0] for name in ("coverage50", "coverage90")}
        return rows | {"decision": right * 4, "brier": [0.1] * 12, "regret": [0.0]}

    return {
        "model": [f"m{i // 2}" for i in range(12)],
        "pair_models": [["m0", "m1"], ["m2", "m3"], ["m4", "m5"]] * 4,
        "random_regret": [0.02],
        "failures": {},
        "entries": {
            contest.STACKED: entry(crps_of_bayes, [1.0, 1.0, 1.0]),
            "bootstrap effective": entry(0.002, [1.0, 0.0, 0.0]),
            "bootstrap chinchilla": entry(0.004, [0.0, 0.0, 0.0]),
            contest.SMALL_SCALE: {"decision": [1.0, 0.0, 0.5] * 4, "brier": [0.0, 1.0, 0.25] * 4, "regret": [0.01]},
        },
    }


def tabulated(crps_of_bayes: float):
    found = {"made_up": {"size": part(crps_of_bayes), "model0": part(0.002), "model1": part(0.002)}}
    return contest_scores.tabulate(found, 200, 0)


@pytest.mark.parametrize(("crps", "word"), [(0.001, "better"), (0.003, "worse"), (0.002, "no different")])
def test_the_words_follow_the_interval(crps, word):
    scores = tabulated(crps).set_index(["left_out", "entry"])
    row = scores.loc[("size", contest.STACKED)]
    assert row["against"] == "bootstrap effective"
    assert row["crps"] == pytest.approx(crps, abs=2e-5)
    assert contest_scores.verdict(row, "crps") == word
    assert row["coverage90"] == pytest.approx(11 / 12)
    assert scores.loc[("size", contest.SMALL_SCALE)]["decision"] == pytest.approx(0.5)
    assert scores.loc[("model", contest.STACKED)]["n_rows"] == 24


def test_the_paragraph_says_when_bayes_buys_nothing():
    scores = tabulated(0.002)
    assert "can show on made_up by model." in contest_scores.paragraph(tabulated(0.001))
    scores.loc[scores["entry"] == contest.STACKED, ["decision_difference_lo90", "decision_difference_hi90"]] = [-1, 1]
    text = contest_scores.paragraph(scores)
    assert "buys nothing that these runs can show on made_up by size, made_up by model" in text
    assert "92 %" in text
    assert "| bootstrap effective |" in contest_scores.to_markdown(scores)


def test_a_table_without_decisions_is_scored_on_losses_alone():
    alone = part(0.001) | {"pair_models": [], "random_regret": []}
    for entry in alone["entries"].values():
        entry |= {"decision": [], "brier": [], "regret": []}
    scores = contest_scores.tabulate({"sizes": {"size": alone, "model0": alone}}, 50, 0)
    row = scores[scores["entry"] == contest.STACKED].iloc[0]
    assert row["crps"] == pytest.approx(0.001, abs=2e-5)
    assert np.isnan(row.get("decision", np.nan))
    assert "0 pairs at 0 scales" in contest_scores.to_markdown(scores)
    assert "decision_lo90" in scores  # which the figure asks for
    assert law_figures.contest(scores) is not None


@pytest.mark.slow
def test_a_contest_end_to_end(tmp_path):
    law = forms.get_law("chinchilla")
    frame = simulate(law, seed=1, tau=0.003, sigma=0.004)
    cells.write_table(tmp_path / "runs.csv", frame)
    config = CompareConfig(
        tables=(str(tmp_path / "runs.csv"),),
        wheres=("",),
        laws=("chinchilla", "effective"),
        published=("chinchilla",),
        n_folds=2,
        n_bootstrap=50,
        nuts=NutsConfig(n_warmup=100, n_samples=100, max_samples=100),
    )
    found = contest.run(config, contest.load(config), tmp_path)
    again = contest.run(config, contest.load(config), tmp_path)
    assert json.dumps(found) == json.dumps(again)
    scores = contest_scores.tabulate(found, 100, 0)
    stacked = scores[scores["entry"] == contest.STACKED]
    assert (stacked["crps"] < 0.03).all()
    assert stacked["coverage90"].between(0.5, 1).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"wheres": ("",)}, "must hold a row filter for each of the 4 tables"),
        ({"laws": ("cubic",)}, "law='cubic'"),
        ({"published": ("effective",)}, "effective"),
        ({"n_folds": 1}, "must lie from 2 to"),
    ],
)
def test_bad_input_is_one_line(changes, message, monkeypatch):
    monkeypatch.chdir(DATA.parent)
    with pytest.raises(ValueError, match=message):
        contest.load(dataclasses.replace(CompareConfig(), **changes))
