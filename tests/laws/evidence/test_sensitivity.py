"""Power-scaling against a posterior known in closed form."""

import dataclasses

import numpy as np
import pytest

from ie_scaling.errors import InputError
from ie_scaling.laws.bayes import posterior as posterior_lib
from ie_scaling.laws.evidence import sensitivity
from ie_scaling.laws.evidence.sensitivity import Influence, Reach
from ie_scaling.laws.observations import Features


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


def entry(verdict, reach):
    return sensitivity.Sensitivity(prior=0.12, likelihood=0.2, verdict=verdict, reach=reach)


@pytest.mark.parametrize("reach", sensitivity.Reach)
@pytest.mark.parametrize("verdict", sensitivity.Influence)
def test_what_the_prior_decides_condemns_within_the_rows_alone(verdict, reach):
    failures, notes = sensitivity.judge({"x": entry(verdict, reach)})
    condemns = verdict is Influence.PRIOR and reach in (Reach.PARAMETER, Reach.NEAR)
    assert failures == ["sensitivity: the prior decides on x (prior 0.12)"] * condemns
    assert len(notes) == (verdict is not Influence.DATA and not condemns)


def test_notes_are_one_line_for_an_influence_and_say_what_lies_beyond():
    both = {name: entry(Influence.CONFLICT, Reach.FAR) for name in ("optimal_loss@1e+20", "optimal_n_params@1e+20")}
    _, (noise, far) = sensitivity.judge({"tau": entry(Influence.CONFLICT, Reach.NOISE)} | both)
    assert noise == "sensitivity, without a verdict: prior and data disagree on tau (0.12)"
    expected = "prior and data disagree on optimal_loss@1e+20 (0.12), optimal_n_params@1e+20 (0.12)"
    assert far == f"sensitivity, without a verdict, beyond the rows: {expected}"


@pytest.mark.parametrize(
    ("name", "value", "far"),
    [
        ("optimal_n_params@6e+18", 1e9, False),  # 6·N·D of the larger row
        ("optimal_n_params@6.05e+18", 1e9, False),  # rounded
        ("optimal_loss@6e+19", 2.0, True),
        ("optimal_n_tokens@1e+15", 1e8, True),
        ("log_loss_R256_minus_R32", 0.1, False),
        ("log_loss_R1000_minus_R32", 0.1, True),
        ("optimal_aspect_ratio", 50.0, False),
        ("optimal_aspect_ratio", 5.0, True),
    ],
)
def test_what_lies_beyond_the_rows(name, value, far):
    blank = dict.fromkeys((field.name for field in dataclasses.fields(Features)), np.full(2, np.nan))
    known = {"n_total": [1e7, 1e9], "n_tokens": [1e9, 1e9], "aspect_ratio": [20.0, 300.0]}
    features = Features(**blank | {key: np.array(values) for key, values in known.items()})
    assert sensitivity.is_far(name, value, features) == far


def test_the_reach_of_a_fit_is_that_of_its_rows(fit_directory):
    reached = {
        name: got["reach"] for name, got in sensitivity.of(posterior_lib.load(fit_directory / "posterior.nc")).items()
    }
    assert (reached["alpha"], reached["tau"]) == (Reach.PARAMETER, Reach.NOISE)
    assert {reach for name, reach in reached.items() if "@" in name} == {Reach.FAR}  # ten times the rows' FLOPs


def test_a_bootstrap_has_no_prior(fit_directory):
    with pytest.raises(InputError, match="lacks the log prior"):
        sensitivity.of(posterior_lib.load(fit_directory / "bootstrap.nc"))
