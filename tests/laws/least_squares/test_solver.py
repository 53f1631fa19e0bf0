"""Known surfaces recovered, published optima reached, and open parameters named."""

import itertools

import numpy as np
import pytest
from scipy import optimize

from ie_scaling import accounting
from ie_scaling.laws import forms
from ie_scaling.laws.least_squares import descent, solver
from ie_scaling.laws.observations import Observations
from ie_scaling.laws.problem import pose
from ie_scaling.laws.proportions import Proportions
from tests.laws.simulated import read, simulate, truth

CASES = [
    ("chinchilla", "", ""),
    ("aspect_ratio", "free", ""),
    ("effective", "", ""),
    ("effective_moving_D", "", ""),
    ("coupled_effective", "", ""),
    ("conditional_published", "", ""),
    ("conditional_published_additive", "", ""),
    *(
        pytest.param(*case, marks=pytest.mark.slow)
        for case in (
            ("effective_moving_N", "", ""),
            *((name, "", "") for name in forms.LAWS if name.startswith("coupled") and name != "coupled_effective"),
            ("effective_gqa", "", ""),
            ("conditional", "", ""),
            ("width_depth", "", ""),
            ("aspect_ratio", "", ""),
            ("aspect_ratio", "alpha=beta", "non_embedding"),
            ("effective", "alpha=beta", "total"),
            ("width_depth", "", "effective"),
        )
    ),
]


def test_every_law_is_recovered_somewhere():
    assert {getattr(case, "values", case)[0] for case in CASES} == set(forms.LAWS)


@pytest.mark.parametrize(("name", "tie", "count"), CASES)
def test_a_noise_free_surface_is_recovered(name, tie, count):
    law = forms.get_law(name, tie, count)
    rows = Observations.from_frame(simulate(law))
    fitted = solver.fit(pose(law, rows), n_starts=24)
    for parameter, value in truth(law).items():
        assert fitted.params[parameter] == pytest.approx(value, rel=1e-8), parameter
    assert fitted.objective < 1e-20


def test_the_optimum_has_a_small_gradient_from_every_start():
    rows = read("chinchilla", "fit_set == 'besiroglu240'")
    fitted = solver.fit(pose(forms.get_law("chinchilla"), rows), n_starts=16)
    assert (fitted.status, fitted.n_agreeing) == ("converged", 16)
    assert fitted.grad_norm < 1e-11


def test_many_rows_reach_the_same_optimum_by_way_of_a_sample(monkeypatch):
    law = forms.get_law("chinchilla")
    rows = read("chinchilla", "fit_set == 'besiroglu240'")
    whole = solver.fit(pose(law, rows), n_starts=8)
    monkeypatch.setattr(descent, "EXPLORE_ROWS", 60)
    sampled = solver.fit(pose(law, rows), n_starts=8)
    assert sampled.objective == pytest.approx(whole.objective, rel=1e-12)
    assert sampled.params["alpha"] == pytest.approx(whole.params["alpha"], rel=1e-8)


def test_a_fit_to_a_subset_is_the_fit_of_that_table():
    law = forms.get_law("chinchilla")
    rows = read("bian2025")
    kept_WR = np.array([rows.model_R % 3 != 0, rows.features.n_total < 3e8])
    z_WP = solver.fit_subsets(solver.fit(pose(law, rows), n_starts=8), kept_WR, n_starts=4)
    reference = rows.reference(1.0)
    for kept_R, z_P in zip(kept_WR, z_WP, strict=True):
        alone = solver.fit(pose(law, rows.take(kept_R)), n_starts=8)
        ours = solver.derive(law, solver.constrain(law, z_P), reference)
        for name, value in alone.derived.items():
            if not name.endswith("_ref"):
                assert ours[name] == pytest.approx(value, rel=1e-6), name


def test_nothing_nearby_is_lower():
    rows = read("bian2025")
    law = forms.get_law("effective")
    fitted = solver.fit(pose(law, rows), n_starts=16)

    def objective(z_P):
        params = {p.name: float(solver.constrain(law, z_P)[p.name]) for p in law.parameters}
        residual_R = np.abs(rows.log_loss_R - solver.evaluate(law, params, rows.features, fitted.reference))
        return np.sum(np.where(residual_R <= 1e-3, residual_R**2 / 2, 1e-3 * (residual_R - 5e-4)))

    assert objective(fitted.z_P) == pytest.approx(fitted.objective, rel=1e-9)
    found = optimize.minimize(objective, fitted.z_P, method="Nelder-Mead", options={"maxfev": 100})
    assert found.fun >= fitted.objective * (1 - 1e-9)
    assert fitted.params["kappa"] == pytest.approx(0.00799, abs=1e-5)
    assert fitted.params["R_star"] == pytest.approx(89.45, abs=0.01)
    assert fitted.params["omega"] == pytest.approx(0.1487, abs=1e-4)


def test_twenty_tokens_a_parameter_do_not_identify_the_split():
    law = forms.get_law("chinchilla")
    rows = Observations.from_frame(simulate(law, sigma=0.002, tokens=lambda a: 20 * accounting.count_parameters(a)))
    fitted = solver.fit(pose(law, rows), n_starts=8)
    assert fitted.status == "not_identified"
    assert "A_ref, B_ref, alpha, beta: tokens are 20 × parameters throughout" in fitted.reasons


@pytest.mark.parametrize("table", ["bian2025", "gemstones_cooldown"])
def test_a_feature_that_does_not_vary_is_not_identified(table):
    law = forms.get_law("effective_gqa")
    rows = read(table)
    fitted = solver.fit(pose(law, rows), n_starts=4)
    assert fitted.status == "not_identified"
    assert any(reason.startswith("eta_g: query_group ") for reason in fitted.reasons)


def test_a_shape_that_follows_size_is_not_identified():
    fitted = solver.fit(pose(forms.get_law("effective"), read("chinchilla", "fit_set == 'besiroglu240'")), n_starts=4)
    assert fitted.status == "not_identified"
    assert any(reason.startswith("kappa, R_star: aspect_ratio follows") for reason in fitted.reasons)


def test_a_parameter_at_its_bound_is_named():
    law = forms.get_law("chinchilla", count="effective")
    frame = simulate(forms.get_law("chinchilla", count="non_embedding"), sigma=0.001, seed=1)
    fitted = solver.fit(pose(law, Observations.from_frame(frame)), n_starts=8)
    assert fitted.params["omega"] < 0.02
    if fitted.status == "at_bound":
        assert fitted.reasons == ("omega: at the smallest value allowed",)


def test_bootstrap_resamples_models():
    law = forms.get_law("chinchilla")
    rows = Observations.from_frame(simulate(law, seed=2, tau=0.01))
    fitted = solver.fit(pose(law, rows), n_starts=8)
    by_model = solver.bootstrap(fitted, 128, by="model")
    by_row = solver.bootstrap(fitted, 128, by="row")
    assert np.isfinite(by_model).all()
    spread = [draws.std(axis=0)[law.names.index("alpha")] for draws in (by_model, by_row)]
    assert spread[0] > 1.1 * spread[1]  # rows of one model share its effect: resampling rows is overconfident


@pytest.mark.parametrize("table", ["bian2025", "gemstones_cooldown"])
def test_under_a_moving_optimum_more_tokens_never_hurt_and_the_optimum_stays_near_the_table(table):
    rows = read(table)
    fitted = solver.fit(pose(forms.get_law("effective_moving_D"), rows), n_starts=16)
    family, tokens = Proportions.of(rows), np.geomspace(1e9, 1e14, 200)
    for n_total, ratio in itertools.product((1e8, 7e9, 7e10), (10.0, 100.0, 300.0)):
        assert np.diff(fitted.predict(family.members(n_total, ratio, tokens))).max() < 0
    ratios = np.geomspace(2, 2048, 500)
    best = ratios[fitted.predict(family.members(7e10, ratios, 1.4e13)).argmin()]
    assert rows.features.aspect_ratio.min() < best < rows.features.aspect_ratio.max()
