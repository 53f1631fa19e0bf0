"""Each law against its formula written out with raw coefficients; gradients; names."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ie_scaling.laws import forms
from ie_scaling.laws.law import Parameter, Support
from ie_scaling.laws.least_squares import solver
from ie_scaling.laws.observations import Observations
from tests.laws.simulated import simulate, truth

ROWS = Observations.from_frame(simulate(forms.get_law("chinchilla")))
X = ROWS.features


def u(z, k, best):
    return 1 + k * (np.log(z / best) + best / z - 1)


def saturate(ratio):
    return 2 * np.tanh(np.log(ratio) / 2)


def curve(z, c0, c1, c2):
    return c0 + c1 * np.log(z) + c2 / z


def by_hand(law, p):
    n_params = {"total": X.n_total, "non_embedding": X.n_non_embedding}.get(law.count)
    if n_params is None:
        n_params = X.n_non_embedding + p["omega"] * X.n_embedding
    relative_width, ratio = X.d_model / np.sqrt(X.n_non_embedding), X.mlp_attention_ratio
    if law.name == "conditional_published":
        return (
            X.loss_optimal * curve(relative_width, p["a0"], p["a1"], p["a2"]) * curve(ratio, p["b0"], p["b1"], p["b2"])
        )
    if law.name == "conditional_published_additive":
        return X.loss_optimal + curve(relative_width, p["a0"], p["a1"], p["a2"]) + curve(ratio, 0.0, p["b1"], p["b2"])
    log_ratio = np.log(X.aspect_ratio / p["R_star"]) if "R_star" in p else 0.0
    h, powers = p.get("h", 1.0), (p["A"] * n_params ** -p["alpha"], p["B"] * X.n_tokens ** -p["beta"])
    core = p["E"] + sum(power ** (1 / h) for power in powers) ** h
    return {
        "chinchilla": lambda: core,
        "aspect_ratio": lambda: core * (1 + p["epsilon"] * X.aspect_ratio ** p["gamma"]),
        "effective": lambda: core * (1 + p["kappa"] * log_ratio**2),
        "effective_moving_N": lambda: (
            core * (1 + p["kappa"] * (log_ratio - p["slope_N"] * saturate(n_params / p["N0"])) ** 2)
        ),
        "effective_moving_D": lambda: (
            core * (1 + p["kappa"] * (log_ratio - p["slope_D"] * saturate(X.n_tokens / p["D0"])) ** 2)
        ),
        "effective_gqa": lambda: core * (1 + p["kappa"] * log_ratio**2) * (1 + p["eta_g"] * np.log(X.query_group)),
        "conditional": lambda: core * u(relative_width, p["k_x"], p["x_star"]) * u(ratio, p["k_r"], p["r_star"]),
        "width_depth": lambda: core + p["A_d"] * X.d_model ** -p["a"] + p["A_n"] * X.n_layers ** -p["b"],
    }[law.name.removeprefix("coupled_").replace("coupled", "chinchilla")]()


EVERY = [(name, tie.name, count) for name, law in forms.LAWS.items() for tie in law.ties for count in forms.COUNTS]


@pytest.mark.parametrize(("name", "tie", "count"), EVERY)
def test_a_law_equals_its_formula_in_raw_coefficients(name, tie, count):
    law = forms.get_law(name, tie, count)
    reference = ROWS.reference(law.reference_omega)
    raw = solver.derive(law, truth(law), reference)
    ours = np.exp(solver.evaluate(law, truth(law), X, reference))
    np.testing.assert_allclose(ours, by_hand(law, raw | {"N0": reference.N0, "D0": reference.D0}), rtol=1e-13)


@pytest.mark.parametrize("name", forms.LAWS)
def test_gradients_equal_finite_differences(name):
    law = forms.get_law(name, count="effective")
    reference = ROWS.reference(0.5)
    z_P = np.array([parameter.to_free(truth(law)[parameter.name]) for parameter in law.parameters])
    with jax.enable_x64(True):

        def log_loss(z_P):
            return law.log_loss(law.from_free(z_P), X, reference)

        jacobian_RP = jax.jacfwd(log_loss)(jnp.asarray(z_P))
        for i, step_P in enumerate(1e-5 * np.eye(len(z_P))):
            slope_R = (log_loss(jnp.asarray(z_P + step_P)) - log_loss(jnp.asarray(z_P - step_P))) / 2e-5
            np.testing.assert_allclose(jacobian_RP[:, i], slope_R, rtol=1e-6, atol=1e-10)


@pytest.mark.parametrize(
    ("support", "value"), [(Support.POSITIVE, 3.7), (Support.REAL, -2.0), (Support.UNIT, 0.004), (Support.UNIT, 0.63)]
)
def test_free_coordinates_invert(support, value):
    parameter = Parameter("p", support, 1.0, 1.0)
    with jax.enable_x64(True):
        assert float(parameter.from_free(jnp.float64(parameter.to_free(value)))) == pytest.approx(value, rel=1e-12)
    assert float(parameter.from_free(parameter.to_free(value))) == pytest.approx(value, rel=1e-12)


def test_ties_remove_parameters():
    assert forms.get_law("aspect_ratio").names == ("E", "A_ref", "alpha", "B_ref", "epsilon_ref")
    assert forms.get_law("aspect_ratio", "free").names == (
        "E",
        "A_ref",
        "alpha",
        "B_ref",
        "beta",
        "epsilon_ref",
        "gamma",
    )
    assert forms.get_law("chinchilla", "alpha=beta", "effective").names == ("E", "A_ref", "alpha", "B_ref", "omega")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("kaplan",), "law='kaplan': must be one of chinchilla, aspect_ratio, effective"),
        (("chinchilla", "gamma"), "tie='gamma': law 'chinchilla' has free, alpha=beta"),
        (("chinchilla", "", "all"), "count='all': must be one of total, non_embedding, effective"),
    ],
)
def test_unknown_names_are_refused_with_the_valid_ones(arguments, message):
    with pytest.raises(ValueError, match=message):
        forms.get_law(*arguments)
