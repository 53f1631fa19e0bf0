"""Quantities of a law against closed forms."""

import numpy as np
import pytest

from ie_scaling.laws import forms
from ie_scaling.laws.bayes import quantities
from ie_scaling.laws.observations import Observations
from ie_scaling.laws.problem import Problem, pose
from tests.laws.simulated import TRUTH, read, simulate, truth

ROWS = Observations.from_frame(simulate(forms.get_law("chinchilla")))


def compute(law, **asked):
    draws_W = {name: np.array([value, value * 1.01]) for name, value in truth(law).items()}
    question = quantities.ask(pose(law, ROWS), **asked)
    return quantities.compute(question, draws_W), question


def test_compute_optimal_size_equals_the_closed_form():
    """N_opt = (αA/(βB))^(1/(α+β))·(C/6)^(β/(α+β)) [Hoffmann et al. 2203.15556, eq. 4]."""
    law = forms.get_law("chinchilla")
    budget = 3e18
    found, _ = compute(law, flop_budgets=(budget,))
    reference = ROWS.reference(1.0)
    for draw, scale in enumerate((1.0, 1.01)):
        p = law.derived({name: value * scale for name, value in truth(law).items()}, reference)
        ratio = (p["alpha"] * p["A"] / (p["beta"] * p["B"])) ** (1 / (p["alpha"] + p["beta"]))
        n_optimal = ratio * (budget / 6) ** (p["beta"] / (p["alpha"] + p["beta"]))
        assert found["optimal_n_params@3e+18"][draw] == pytest.approx(n_optimal, rel=1e-4)
        assert found["optimal_n_tokens@3e+18"][draw] == pytest.approx(budget / 6 / n_optimal, rel=1e-4)
        loss = p["E"] + p["A"] * n_optimal ** -p["alpha"] + p["B"] * (budget / 6 / n_optimal) ** -p["beta"]
        assert found["optimal_loss@3e+18"][draw] == pytest.approx(loss, rel=1e-9)


def test_shape_quantities_under_total_parameters_are_the_factors_own():
    found, question = compute(forms.get_law("effective", count="total"), aspect_pair=(32, 256))
    np.testing.assert_allclose(found["optimal_aspect_ratio"], [44.0, 44.0 * 1.01], rtol=1e-4)
    factors = [1 + TRUTH["kappa"] * np.log(ratio / TRUTH["R_star"]) ** 2 for ratio in (32, 256)]
    assert found["log_loss_R256_minus_R32"][0] == pytest.approx(np.log(factors[1] / factors[0]), rel=1e-10)
    assert question.flop_budgets == (10 * np.max(6 * ROWS.features.n_total * ROWS.features.n_tokens),)


def test_a_monotone_law_has_no_optimal_aspect_ratio():
    found, _ = compute(forms.get_law("aspect_ratio", "free"))
    assert "optimal_aspect_ratio" not in found
    assert "log_loss_R256_minus_R32" in found


def test_what_cannot_be_predicted_untrained_gives_nothing():
    assert compute(forms.get_law("conditional_published"))[0] == {}
    rows = read("chinchilla")  # heads unknown, so no MLP share
    law = forms.get_law("conditional")
    draws_W = {name: np.array([value]) for name, value in truth(law).items()}
    blank = Problem(law=law, rows=rows, reference=rows.reference(0.0))  # pose would refuse it
    assert quantities.compute(quantities.ask(blank), draws_W) == {}
