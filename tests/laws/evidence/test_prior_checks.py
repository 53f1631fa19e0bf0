"""What priors alone allow: wide about the rows, gains of the right sign, and losses far off outside of them."""

import dataclasses

import numpy as np
import pytest

from ie_scaling.laws import bayes, forms, least_squares
from ie_scaling.laws.bayes import assemble
from ie_scaling.laws.evidence import prior_checks
from ie_scaling.laws.observations import Observations
from ie_scaling.laws.problem import pose
from tests.laws.simulated import simulate

LAW = forms.get_law("effective")
EFFECTS = (
    "gain of ten times the parameters (%)",
    "gain of ten times the tokens (%)",
    "cost of four times the aspect ratio (%)",
)


@pytest.fixture(scope="module")
def posterior():
    """A bootstrap in the place of a posterior, with draws from the priors."""
    problem = pose(LAW, Observations.from_frame(simulate(LAW, seed=2, tau=0.003, sigma=0.003)))
    draws = bayes.bootstrap(least_squares.fit(problem, n_starts=4), 60, seed=0)
    return dataclasses.replace(draws, prior=assemble.draw_prior(problem, 0))


def test_the_priors_are_wider_than_the_fit_and_allow_for_every_loss(posterior):
    checks = prior_checks.predict(posterior, 0)
    assert set(checks) == {"share_outside", "loss", *EFFECTS}
    assert checks["share_outside"] == 0
    for name in ("loss", *EFFECTS):
        prior, fitted = checks[name]["prior"], checks[name]["posterior"]
        assert prior["hi90"] - prior["lo90"] > fitted["hi90"] - fitted["lo90"]
    for gain in EFFECTS[:2]:
        assert checks[gain]["posterior"]["lo90"] > 0
        assert checks[gain]["prior"]["lo90"] > 0


def test_losses_that_no_prior_allows_are_outside(posterior):
    rows = dataclasses.replace(posterior.rows, log_loss_R=posterior.rows.log_loss_R + np.log(1000.0))
    assert prior_checks.predict(dataclasses.replace(posterior, fitted_rows=rows), 0)["share_outside"] == 1


def test_a_table_without_shapes_is_checked_at_its_sizes():
    law = forms.get_law("chinchilla")
    frame = simulate(law, seed=2, tau=0.003, sigma=0.003)
    shape = ["d_model", "n_layers", "n_heads", "n_kv_heads", "d_head", "d_ff", "vocab_size", "n_params_non_embedding"]
    problem = pose(law, Observations.from_frame(frame.assign(**dict.fromkeys(shape, np.nan))))
    draws = bayes.bootstrap(least_squares.fit(problem, n_starts=4), 30, seed=0)
    checks = prior_checks.predict(dataclasses.replace(draws, prior=assemble.draw_prior(problem, 0)), 0)
    assert checks[EFFECTS[0]]["posterior"]["median"] > 0
    assert checks[EFFECTS[2]]["posterior"]["median"] == 0
