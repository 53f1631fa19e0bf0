"""Rolling forward: what is expected of a coverage is what the predictive's own draws give, and a wrong one fails."""

import dataclasses
import types

import numpy as np
import pytest

from ie_scaling.laws import forms
from ie_scaling.laws.bayes import posterior as posterior_lib
from ie_scaling.laws.evidence import detectable, forward
from ie_scaling.laws.observations import Observations
from ie_scaling.laws.problem import pose
from tests.laws.simulated import simulate

LAW = forms.get_law("chinchilla")
ROWS = Observations.from_frame(simulate(LAW, seed=1, tau=0.004, sigma=0.004))

TOKENS = (1e8, 3e8, 1e9, 3e9)  # of the table that `fit_directory` was fitted to


class Predicts:
    """A posterior of which only the predictions are asked."""

    failures = ("slow",)

    def __init__(self, log_loss_WR):
        self.log_loss_WR = log_loss_WR

    def losses(self, *_, **__):
        return types.SimpleNamespace(all=lambda: np.exp(self.log_loss_WR))


def score(log_loss_WR, log_loss_R):
    rows = dataclasses.replace(ROWS.take(np.arange(len(ROWS)) < len(log_loss_R)), log_loss_R=log_loss_R)
    return forward.score(Predicts(log_loss_WR), rows, 0)


@pytest.fixture(scope="module")
def draws_WR():
    return 0.01 * np.random.default_rng(0).standard_normal((4000, 9))


def test_a_coverage_of_independent_rows_is_judged_by_the_binomial(draws_WR):
    """Five of nine are seldom so few; six are not."""
    missed = np.where(np.arange(9) < 4, 0.05, 0.0)
    got = score(draws_WR, missed)
    assert got["coverage90"] == pytest.approx(5 / 9)
    assert got["p_low"] == pytest.approx(0.0083, abs=0.004)
    assert got["detectable90"] == pytest.approx(detectable.by_coverage(9), abs=0.02)
    assert forward.judge(got)[0].startswith("rolled forward: 90 % intervals cover 56 % of 9 rows of")
    assert forward.judge(score(draws_WR, np.where(np.arange(9) < 3, 0.05, 0.0))) == []
    assert forward.judge(score(draws_WR, np.zeros(9))) == []  # nine of nine is what 90 % gives two times in five
    assert got["gate"] == ["slow"]


def test_rows_that_err_together_are_no_evidence(draws_WR):
    got = score(np.repeat(draws_WR[:, :1], 9, axis=1), np.full(9, 0.05))
    assert got["coverage90"] == 0.0
    assert got["p_low"] == pytest.approx(0.1, abs=0.01)
    assert got["detectable90"] is None
    assert forward.judge(got) == []


def test_intervals_of_many_rows_that_are_too_wide_fail():
    draws_WR = np.random.default_rng(0).standard_normal((2000, 30)) * 0.01
    right = score(draws_WR, np.zeros(30))
    assert right["p_high"] == pytest.approx(0.9**30, abs=0.02)
    assert forward.judge(right | {"p_high": 0.001})


def test_a_quarter_of_the_models_is_predicted_from_the_rest(fit_directory):
    posterior = posterior_lib.load(fit_directory / "posterior.nc")
    given = []
    got = forward.roll(pose(LAW, ROWS), lambda problem: given.append(problem) or posterior, 0)
    assert (given[0].n_models, got["n_models"], got["n"]) == (8, 2, 6)
    assert given[0].rows.features.n_non_embedding.max() < ROWS.features.n_non_embedding.max()
    assert got["seconds"] > 0
    assert [row["run_id"] for row in got["rows"]] == [run for run in ROWS.run_ids if run not in given[0].rows.run_ids]


def test_a_planted_overconfident_posterior_fails(fit_directory):
    """A posterior four times too sure, of the law and of the rest, covers too few rows of new models of that law."""
    posterior = posterior_lib.load(fit_directory / "posterior.nc")
    middle = {name: np.median(values) for name, values in posterior.draws.items()}
    shrunk = {name: middle[name] + (values - middle[name]) / 4 for name, values in posterior.draws.items()}
    shrunk |= {name: posterior.draws[name] / 4 for name in ("tau", "sigma")}
    right = dataclasses.replace(posterior, model_ids=(), effects_CSM=np.zeros((*posterior.shape, 0)))
    overconfident = dataclasses.replace(right, draws=shrunk)
    failed = {"right": 0, "planted": 0}
    for seed in range(10):
        rows = Observations.from_frame(simulate(LAW, seed=100 + seed, tau=0.004, sigma=0.006, tokens=TOKENS))
        failed["right"] += bool(forward.judge(forward.score(right, rows, 0)))
        failed["planted"] += bool(forward.judge(forward.score(overconfident, rows, 0)))
    assert failed["right"] <= 2
    assert failed["planted"] >= 8
