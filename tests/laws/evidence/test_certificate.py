"""The certificate of a law on a table: right passes, a planted error does not, and each failure says what it is."""

import dataclasses

import numpy as np
import pytest

from ie_scaling.inference import nuts
from ie_scaling.inference.config import NutsConfig
from ie_scaling.laws import bayes, forms
from ie_scaling.laws.bayes import noise
from ie_scaling.laws.bayes import posterior as posterior_lib
from ie_scaling.laws.evidence import certificate
from ie_scaling.laws.observations import Observations
from ie_scaling.laws.problem import pose
from ie_scaling.running.diagnostic import Kind
from tests.laws.simulated import simulate

LAW = forms.get_law("chinchilla")
ROWS = Observations.from_frame(simulate(LAW, seed=1, tau=0.004, sigma=0.004))
SCHEDULE = nuts.ChainSchedule(
    n_warmup=200, n_samples=300, max_samples=300, target_accept=0.9, chunk=50, max_tree_depth=7, thin=5
)


@pytest.fixture(scope="module")
def posterior(fit_directory):
    return posterior_lib.load(fit_directory / "posterior.nc")


def test_the_short_certificate_of_a_good_fit(posterior):
    short = certificate.short(posterior)
    answer = short.answer
    verdict = {key: answer[key] for key in ("passed", "failures", "noticeable", "notes")}
    assert short.verdict == verdict
    assert answer["passed"] == (not answer["failures"])
    assert [entry.message for entry in short.diagnostics] == answer["failures"]  # the gate passed
    assert {(entry.kind, entry.subject) for entry in short.diagnostics} <= {
        (Kind.CERTIFICATE, "certificate chinchilla")
    }
    assert answer["passed"]
    assert short.verdict["noticeable"].endswith("of the rows of 10 models left out")
    assert answer["pit"]["n_models"] == 10
    assert answer["pit"]["p_value"] > 0.05
    assert answer["rolled_forward"] is None
    assert 0.3 < answer["models_left_out"]["coverage50"] < 0.75
    for check in (entry for entry in answer["prior_predictive"].values() if isinstance(entry, dict)):
        assert (
            check["prior"]["hi90"] - check["prior"]["lo90"] >= check["posterior"]["hi90"] - check["posterior"]["lo90"]
        )
    assert answer["prior_predictive"]["gain of ten times the tokens (%)"]["prior"]["lo90"] > 0
    assert set(noise.NAMES) <= set(answer["sensitivity"])


def test_a_model_far_off_and_losses_beyond_the_priors_fail(posterior):
    rows = dataclasses.replace(posterior.rows, log_loss_R=posterior.rows.log_loss_R + np.log(100.0))
    answer = certificate.short(dataclasses.replace(posterior, fitted_rows=rows)).answer
    assert any(failure.startswith("models left out: 90 % intervals cover 0 %") for failure in answer["failures"])
    assert any(failure.startswith("priors: 100 %") for failure in answer["failures"])


def shrunk(posterior, factor):
    """The posterior with τ and σ so many times too small."""
    return dataclasses.replace(
        posterior,
        draws={name: x / (factor if name in ("tau", "sigma") else 1) for name, x in posterior.draws.items()},
    )


def test_a_planted_overconfident_posterior_fails(posterior):
    answer = certificate.short(shrunk(posterior, 4.0)).answer
    assert not answer["passed"]
    assert any("normal scores of 10 models are not normal, their mean square is" in line for line in answer["failures"])
    assert answer["pit"]["spread"] > 3


FORWARD = {
    "n": 6,
    "n_models": 2,
    "gate": ["bulk ESS 79 of E is below 100"],
    "coverage90": 5 / 6,
    "p_low": 0.4,
    "p_high": 0.9,
    "detectable90": 0.31,
}


def test_rolling_forward_is_in_the_verdict_and_its_chains_are_noted(posterior):
    passed = certificate.short(posterior, FORWARD).answer
    assert passed["passed"]
    assert passed["rolled_forward"] == FORWARD
    assert "or less than 31 % of 6 rows of the 2 largest models" in passed["noticeable"]
    assert "rolled forward by brief chains: bulk ESS 79 of E is below 100" in passed["notes"]
    blind = certificate.short(posterior, FORWARD | {"detectable90": None}).answer["noticeable"]
    assert "no coverage, however low, of 6 rows of the 2 largest models" in blind
    failed = certificate.short(posterior, FORWARD | {"coverage90": 1 / 6, "p_low": 0.01})
    assert failed.answer["failures"] == ["rolled forward: 90 % intervals cover 17 % of 6 rows of 2 larger models"]
    assert [entry.message for entry in failed.diagnostics] == failed.answer["failures"]
    told = certificate.short(posterior, "3 models are too few").answer
    assert (told["rolled_forward"], told["notes"][-1]) == (None, "not rolled forward: 3 models are too few")


def test_far_quantities_are_noted_and_do_not_condemn(posterior):
    """What ten times the FLOPs of a table are best spent on owes something to the priors."""
    rng, prior_W = np.random.default_rng(0), np.sum([*posterior.log_prior.values()], axis=0)
    swayed = {"optimal_loss@1e+25": prior_W + 0.1 * rng.standard_normal(prior_W.shape)}
    answer = certificate.short(dataclasses.replace(posterior, quantities=swayed)).answer
    assert answer["sensitivity"]["optimal_loss@1e+25"]["verdict"] != "ok"
    assert answer["passed"]
    assert any("beyond the rows" in note and "optimal_loss@1e+25" in note for note in answer["notes"])


def test_too_few_models_are_not_rolled_forward(posterior):
    few = ROWS.take(ROWS.model_R < 3)
    said = certificate.roll_forward_briefly(pose(LAW, few), 0, NutsConfig())
    assert said == "3 models are too few to predict the largest quarter from the rest"


def test_chains_that_are_rolled_forward_are_brief(monkeypatch):
    given = []
    monkeypatch.setattr(certificate, "roll_forward", lambda problem, seed, settings: given.append(settings))
    certificate.roll_forward_briefly(pose(LAW, ROWS), 0, NutsConfig(n_samples=200, n_chains=3))
    (brief,) = given
    assert (brief.n_chains, brief.n_warmup, brief.n_samples, brief.max_samples) == (3, 500, 200, 200)


@pytest.mark.slow
def test_right_posteriors_pass_in_most_simulated_tables():
    settings = NutsConfig(n_chains=2, n_warmup=200, n_samples=200, max_samples=200, max_rhat=1.2, min_ess=20)
    n_failed = 0
    for seed in range(4):
        problem = pose(LAW, Observations.from_frame(simulate(LAW, seed=seed, tau=0.004, sigma=0.006)))
        rolled = certificate.roll_forward_briefly(problem, seed, settings)
        draws = bayes.fit(problem, settings, seed, n_starts=4)
        failures = [entry.message for entry in certificate.short(draws, rolled).diagnostics]
        n_failed += bool(failures)
        assert not certificate.short(shrunk(draws, 4.0)).answer["passed"]
    assert n_failed <= 1


@pytest.mark.slow
@pytest.mark.parametrize("prior_scale", [1.0, 2.5])
def test_the_sampler_is_calibrated_and_a_planted_prior_is_caught(prior_scale):
    """At 0.1 % for each of ten quantities, so that chance alone seldom fails it."""
    answer = certificate.calibrate(pose(LAW, ROWS), 200, prior_scale, SCHEDULE, 0)["quantities"]
    assert (min(entry["p_value"] for entry in answer.values()) > 0.001) == (prior_scale == 1.0)


@pytest.mark.parametrize(
    ("passed", "n_divergent", "coverage90", "p_low", "failures"),
    [
        (True, 30, 5 / 6, 0.5, []),
        (True, 0, 1.0, 1.0, []),  # six of six is what 90 % would give every other time
        (True, 0, 0.5, 0.01, ["rolled forward: 90 % intervals cover 50 % of 6 rows"]),
        (True, 0, 0.5, 0.2, []),  # as rows that err together may
        (False, 0, 5 / 6, 0.5, ["calibration of alpha: p 0.0020"]),
        (False, 30, 5 / 6, 0.5, ["calibration of alpha: p 0.0020", "30 of 200 chains had divergences"]),
    ],
)
def test_what_a_certificate_fails_for(passed, n_divergent, coverage90, p_low, failures):
    quantities = {"alpha": {"passed": passed, "p_value": 0.002}}
    simulated = {"n_tables": 200, "tables_with_divergences": n_divergent, "quantities": quantities}
    forward = {"n": 6, "n_models": 6, "coverage90": coverage90, "p_low": p_low, "p_high": 0.6, "gate": []}
    answer = certificate.judge(LAW, "runs.csv", simulated, forward, {"failures": []})["failures"]
    assert len(answer) == len(failures)
    assert all(expected in failure for expected, failure in zip(failures, answer, strict=True))
