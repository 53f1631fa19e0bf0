"""The latency law's parameters: what they are of each other, and of a step and a prefill."""

import dataclasses

import numpy as np
import pytest

from ie_scaling.latency_law import features as law_features
from ie_scaling.latency_law import formula
from tests.latency_law import simulated

CASES = simulated.cases(5, seed=2)
DEVICES = (simulated.device(0), simulated.device(1))


@pytest.mark.parametrize("p", [1.0, 2.0, 7.0, 300.0])
def test_the_norm_goes_from_the_sum_to_the_larger(p):
    a, b = np.array([1e-9, 3.0, 2e3]), np.array([5.0, 4.0, 1e-7])
    norm = np.exp(formula.log_norm(np.log(a), np.log(b), p))
    if p == 2:
        np.testing.assert_allclose(norm, np.hypot(a, b))
    np.testing.assert_allclose(norm, a + b if p == 1 else np.maximum(a, b), rtol=1e-12 if p in (1, 300) else 0.3)
    assert (norm >= np.maximum(a, b) * (1 - 1e-12)).all()
    assert (norm <= (a + b) * (1 + 1e-12)).all()


def test_coordinates_and_parameters_are_inverse():
    x_PW = formula.draw_prior(np.random.default_rng(1), 50, 1)[..., 0]
    again = formula.free_from(formula.constrain(x_PW))
    for name, z_W in formula.free_of(x_PW).items():
        np.testing.assert_allclose(again[name], z_W, rtol=1e-6, atol=1e-9)


def test_overheads_are_those_of_a_step_and_of_each_layer():
    """With the depth alone raised, a step takes ε_layer longer a layer, and at no layers ε_step remains."""
    x_PK = simulated.coordinates(np.random.default_rng(3), 1, 0.3)
    features = law_features.features_of(CASES[:1], DEVICES[:1])
    layered = [dataclasses.replace(features, n_layers=np.array([float(n)])) for n in (0, 5, 6)]
    z, found = formula.free_of(x_PK), formula.derived(formula.constrain(x_PK), np.ones(1))
    none, five, six = (np.exp(formula.log_step_s(z, each, "serial")) for each in layered)
    of_heads = np.exp(z["log_head_overhead_s"]) * features.kv_heads
    assert six - five == pytest.approx(found["layer_overhead_s"] + of_heads)
    free = formula.free_of(x_PK) | {"logit_fixed_share": np.array([-60.0])}  # the layers' alone
    assert none - np.exp(formula.log_step_s(free, layered[0], "serial")) == pytest.approx(found["step_overhead_s"])
    first, second = (np.exp(formula.log_prefill_s(z, each)) for each in layered[1:])
    of_heads = np.exp(z["log_prefill_head_overhead_s"]) * features.prefill_head_tokens
    assert second - first == pytest.approx(found["prefill_layer_overhead_s"] + of_heads)


def test_a_step_and_a_ratio_are_the_efficiencies():
    """A row that is multiplied while its weights are read takes the bytes over the ceiling and `step_efficiency`."""
    v = formula.constrain(simulated.coordinates(np.random.default_rng(3), 2, 0.3))
    balance_K = np.array([device.row_balance for device in DEVICES])
    np.testing.assert_allclose(balance_K, [0.5 * device.typical_bandwidth / device.flops_per_s for device in DEVICES])
    found, p = formula.derived(v, balance_K), v["sharpness"]
    np.testing.assert_allclose(found["weight_efficiency"] / found["matrix_efficiency"], v["efficiency_ratio"])
    reading, multiplying = 1 / found["weight_efficiency"], balance_K / found["matrix_efficiency"]
    np.testing.assert_allclose((reading**p + multiplying**p) ** (1 / p), 1 / v["step_efficiency"])


def test_draws_of_the_prior_share_a_population():
    """Across devices x has variance 1 + λ² and covariance 1, given λ; with λ about ½."""
    x_PWK = formula.draw_prior(np.random.default_rng(2), 20_000, 2)
    covariance = np.mean([np.cov(x_WK.T) for x_WK in x_PWK], axis=0)
    lambda_squared = np.exp(2 * np.log(0.5) + 2 * 0.5**2)
    np.testing.assert_allclose(covariance, np.full((2, 2), 1.0) + lambda_squared * np.eye(2), rtol=0.02)
