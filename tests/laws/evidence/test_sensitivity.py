"""Power-scaling against a posterior known in closed form."""

import numpy as np
import pytest

from ie_scaling.errors import InputError
from ie_scaling.laws.bayes import posterior as posterior_lib
from ie_scaling.laws.evidence import sensitivity


def normal_normal(prior_sd: float, n_rows: int, prior_mean: float = 0.0):
    """Draws of a normal mean with known noise of sd 1, data mean 1, and the log prior and log likelihood of each."""
    precision = prior_sd**-2 + n_rows
    mean = (prior_mean * prior_sd**-2 + n_rows * 1.0) / precision
    draws = np.random.default_rng(0).normal(mean, precision**-0.5, 8000)
    return draws, -0.5 * ((draws - prior_mean) / prior_sd) ** 2, -0.5 * n_rows * (draws - 1.0) ** 2


@pytest.mark.parametrize(
    ("prior_sd", "n_rows", "prior_mean", "by_prior", "by_likelihood"),
    [(10.0, 20, 0.0, False, True), (0.5, 2, 0.0, True, True), (0.3, 1, 1.0, True, False), (0.1, 100, 0.0, True, True)],
)
def test_what_priors_decide(prior_sd, n_rows, prior_mean, by_prior, by_likelihood):
    draws, log_prior, log_likelihood = normal_normal(prior_sd, n_rows, prior_mean)
    found = [sensitivity.sensitivity(draws, sensitivity._weights(each)) for each in (log_prior, log_likelihood)]
    assert (found[0] > sensitivity.THRESHOLD) == by_prior
    assert (found[1] > sensitivity.THRESHOLD) == by_likelihood


def test_distance_is_a_distance():
    draws = np.random.default_rng(0).normal(size=4000)
    same = np.full(4000, 1 / 4000)
    assert sensitivity.distance(draws, same) == pytest.approx(0.0, abs=1e-7)
    shifted = np.exp(0.5 * draws)
    mild = np.exp(0.1 * draws)
    far, near = (sensitivity.distance(draws, each / each.sum()) for each in (shifted, mild))
    assert 0 < near < far < 1
    assert sensitivity.distance(5 * draws + 3, shifted / shifted.sum()) == pytest.approx(far, rel=1e-9)


def test_a_bootstrap_has_no_prior(fit_directory):
    with pytest.raises(InputError, match="lacks the log prior"):
        sensitivity.of(posterior_lib.load(fit_directory / "bootstrap.nc"))
