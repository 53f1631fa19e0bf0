"""The certificate of a law on a table: right passes, a planted error does not, and each failure says what it is."""

import dataclasses

import numpy as np
import pytest

from ie_scaling.inference import nuts
from ie_scaling.laws import forms
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
    assert short.verdict == {"passed": not answer["failures"], "failures": answer["failures"]}
    assert [entry.message for entry in short.diagnostics] == answer["failures"]  # the gate passed
    assert {(entry.kind, entry.subject) for entry in short.diagnostics} <= {
        (Kind.CERTIFICATE, "certificate chinchilla")
    }
    assert not [failure for failure in answer["failures"] if failure.startswith(("models", "priors"))]
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


@pytest.mark.slow
@pytest.mark.parametrize("prior_scale", [1.0, 2.5])
def test_the_sampler_is_calibrated_and_a_planted_prior_is_caught(prior_scale):
    """At 0.1 % for each of ten quantities, so that chance alone seldom fails it."""
    answer = certificate.calibrate(pose(LAW, ROWS), 200, prior_scale, SCHEDULE, 0)["quantities"]
    assert (min(entry["p_value"] for entry in answer.values()) > 0.001) == (prior_scale == 1.0)


@pytest.mark.parametrize(
    ("passed", "n_divergent", "coverage90", "failures"),
    [
        (True, 30, 5 / 6, []),
        (True, 0, 1.0, []),  # six of six is what 90 % would give every other time
        (True, 0, 0.5, ["rolled forward: 90 % intervals cover 50 % of 6 rows"]),
        (False, 0, 5 / 6, ["calibration of alpha: p 0.0020"]),
        (False, 30, 5 / 6, ["calibration of alpha: p 0.0020", "30 of 200 chains had divergences"]),
    ],
)
def test_what_a_certificate_fails_for(passed, n_divergent, coverage90, failures):
    quantities = {"alpha": {"passed": passed, "p_value": 0.002}}
    simulated = {"n_tables": 200, "tables_with_divergences": n_divergent, "quantities": quantities}
    forward = {"n": 6, "n_models": 6, "coverage90": coverage90, "gate": []}
    answer = certificate.judge(LAW, "runs.csv", simulated, forward, {"failures": []})["failures"]
    assert len(answer) == len(failures)
    assert all(expected in failure for expected, failure in zip(failures, answer, strict=True))
