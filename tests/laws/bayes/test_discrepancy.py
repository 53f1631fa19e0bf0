"""Smooth misses against what they must be: the prior of s, densities by brute force, conditionals on a grid."""

import dataclasses

import jax
import numpy as np
import pytest
from numpyro.infer.util import log_density
from scipy import stats

from ie_scaling.inference import nuts
from ie_scaling.laws.bayes import discrepancy, noise, sampler
from ie_scaling.laws.bayes.discrepancy import BEYOND, Sines
from ie_scaling.laws.choices import Misses
from ie_scaling.laws.least_squares import solver
from tests.laws import small_smooth
from tests.laws.simulated import read, truth
from tests.laws.small_smooth import N_ALONE, NOISE

PROBLEM = small_smooth.problem()
DESIGN = discrepancy.design_of(PROBLEM)
SITES = small_smooth.sites(PROBLEM)
U = np.linspace(-0.03, 0.03, 401)
V = np.linspace(-0.025, 0.025, 301)


def grid_over(sines: Sines, reach: float, n: int = 15) -> tuple[np.ndarray, np.ndarray]:
    """ln d and ln n of a grid that reaches so far beyond the fitted sizes, [A, 2], and φ there."""
    half_2 = np.array(sines.half) - BEYOND + reach
    axes = [center + half * np.linspace(-1, 1, n) for center, half in zip(sines.center, half_2, strict=True)]
    sizes_A2 = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    return sizes_A2, sines(small_smooth.of_sizes(PROBLEM, *np.exp(sizes_A2).T))


@pytest.mark.parametrize("name", ["bian2025", "gemstones_cooldown"])
def test_s_has_the_variance_and_the_correlation_of_a_squared_exponential(name):
    sizes_A2, wave_AK = grid_over(Sines.about(read(name).features), reach=0.0)
    covariance_AA = wave_AK @ wave_AK.T
    expected_AA = np.exp(-0.5 * ((sizes_A2[:, None] - sizes_A2[None]) ** 2).sum(axis=-1))
    np.testing.assert_allclose(np.diag(covariance_AA), 1.0, atol=0.05)
    np.testing.assert_allclose(covariance_AA, expected_AA, atol=0.05)


def test_s_has_much_of_that_variance_up_to_the_edge_of_the_box():
    _, wave_AK = grid_over(DESIGN.sines, reach=BEYOND)
    np.testing.assert_allclose((wave_AK**2).sum(axis=1), 1.0, atol=0.13)


def test_s_stays_what_it_is_beyond_the_box():
    edge_2 = np.exp(np.array(DESIGN.sines.center) + np.array(DESIGN.sines.half))
    wave_AK = DESIGN.sines(small_smooth.of_sizes(PROBLEM, edge_2[0] * np.array([1, 2, 50]), edge_2[[1, 1, 1]]))
    np.testing.assert_allclose(wave_AK[1:], wave_AK[[0, 0]], atol=1e-12)


def test_near_copies_share_s():
    one_K, other_K, far_K = DESIGN.sines(small_smooth.of_sizes(PROBLEM, [256, 260, 1024], [8, 8, 8]))
    assert np.linalg.norm(one_K - other_K) < 0.02 < 0.5 < np.linalg.norm(one_K - far_K)


def test_without_width_or_depth_there_is_no_s():
    blank = dataclasses.replace(PROBLEM.features, n_layers=np.full(len(PROBLEM), np.nan))
    assert len(Sines.about(blank)) == 0
    assert not Sines.about(blank).unknown(blank).any()
    assert DESIGN.sines.unknown(blank).all()
    assert (DESIGN.sines(blank) == 0).all()


def test_models_of_one_token_count_have_no_slope_of_their_own():
    assert DESIGN.n_slopes == PROBLEM.n_models - N_ALONE
    assert (DESIGN.alone_M[-N_ALONE:] > 1).all()
    assert (DESIGN.alone_M[:-N_ALONE] == 0).all()
    assert sampler.site_sizes(PROBLEM)["slopes"] == DESIGN.n_slopes
    assert "slopes" not in sampler.site_sizes(dataclasses.replace(PROBLEM, misses=Misses.INDEPENDENT))


def known_R() -> np.ndarray:
    """ln f + s, and v·t where v has a site, of every row, from weights in the units of the generative story."""
    law_R = solver.evaluate(PROBLEM.law, truth(PROBLEM.law), PROBLEM.features, PROBLEM.reference)
    scale_K = (NOISE["tau_smooth"] / discrepancy.TYPICAL_SMOOTH) ** DESIGN.centered_K
    smooth_R = NOISE["tau_smooth"] * DESIGN.wave_RK @ (SITES["sines"] / scale_K)
    scale_V = (NOISE["tau_tokens"] / discrepancy.TYPICAL_TOKENS) ** DESIGN.centered_V
    slope_M = np.concatenate([NOISE["tau_tokens"] * SITES["slopes"] / scale_V, np.zeros(N_ALONE)])
    return law_R + smooth_R + slope_M[PROBLEM.rows.model_R] * log_tokens_R()


def log_tokens_R() -> np.ndarray:
    return np.log(PROBLEM.features.n_tokens / PROBLEM.reference.D0)


def sigma_R() -> np.ndarray:
    size_R = PROBLEM.features.n_total / PROBLEM.reference.N0
    tokens_R = PROBLEM.features.n_tokens / PROBLEM.reference.D0
    return NOISE["sigma"] * size_R ** -NOISE["sigma_fall_N"] * tokens_R ** -NOISE["sigma_fall_D"]


def log_prior() -> float:
    """Of all sites but u."""
    law, prior = PROBLEM.law, noise.PRIORS[Misses.SMOOTH]
    total = sum(
        stats.norm.logpdf(z, parameter.center(PROBLEM.reference), parameter.spread)
        for z, parameter in zip(SITES["z"], law.parameters, strict=True)
    )
    total += stats.norm.logpdf(SITES["noise"], prior.center, prior.spread).sum()
    for name, scale in sampler.site_scales(PROBLEM, SITES).items():
        total += stats.norm.logpdf(SITES[name], 0, scale).sum()
    return total


def density(model: int, shift) -> np.ndarray:
    """Of a model's rows, were `shift` [rows, ...] added to what is known of them."""
    own_R = PROBLEM.rows.model_R == model
    residual_r = (PROBLEM.log_loss_R - known_R())[own_R].reshape(-1, *[1] * max(np.ndim(shift) - 1, 0))
    sigma_r = sigma_R()[own_R].reshape(residual_r.shape)
    return (stats.t.pdf((residual_r - shift) / sigma_r, NOISE["nu"]) / sigma_r).prod(axis=0)


def joint(model: int) -> np.ndarray:
    """The density of a model's rows, u and v over the grid of both, [U, V]; v given where it has a site: [U, 1]."""
    prior_U1 = stats.norm.pdf(U, 0, NOISE["tau"])[:, None]
    if model < PROBLEM.n_models - N_ALONE:
        return density(model, U[None, :, None]) * prior_U1
    t = log_tokens_R()[PROBLEM.rows.model_R == model][0]
    return density(model, (U[:, None] + V * t)[None]) * prior_U1 * stats.norm.pdf(V, 0, NOISE["tau_tokens"])


def integral(density_UV: np.ndarray) -> float:
    over_v = np.trapezoid(density_UV, V, axis=1) if density_UV.shape[1] > 1 else density_UV[:, 0]
    return float(np.trapezoid(over_v, U))


def test_the_marginal_density_is_that_of_integration_over_u_and_v():
    by_hand = log_prior() + sum(np.log(integral(joint(model))) for model in range(PROBLEM.n_models))
    with jax.enable_x64(True):
        ours, _ = log_density(sampler.marginal_model, (PROBLEM,), {}, SITES)
    assert float(ours) == pytest.approx(by_hand, abs=2e-3)


def test_the_model_with_its_effects_is_the_marginal_one_before_integration():
    """One model's effect over a grid and the others at 0, against that model's density by itself."""
    model = PROBLEM.n_models - 1
    u_UM = np.zeros((len(U), PROBLEM.n_models))
    u_UM[:, model] = U
    with jax.enable_x64(True):
        run = jax.jit(lambda u_M: log_density(sampler.model, (PROBLEM, PROBLEM.log_loss_R), {}, SITES | {"u": u_M})[0])
        ours_U = np.array([float(run(u_M)) for u_M in u_UM])
    by_hand_U = log_prior() + stats.norm.logpdf(u_UM, 0, effect_sd()).sum(axis=1)
    by_hand_U += np.log(density(model, U[None, :]))
    by_hand_U += sum(np.log(density(other, np.zeros(1))) for other in range(model))
    np.testing.assert_allclose(ours_U, by_hand_U, atol=1e-6)


def effect_sd() -> np.ndarray:
    return np.sqrt(NOISE["tau"] ** 2 + (NOISE["tau_tokens"] * DESIGN.alone_M) ** 2)


def test_u_and_v_are_drawn_from_their_joint_conditional():
    keys = jax.random.split(jax.random.key(0), 4000)
    with jax.enable_x64(True):
        draw = jax.jit(jax.vmap(lambda key: sampler.draw_effects_and_slopes(key, PROBLEM, SITES)))
        u_SM, v_SM = map(np.asarray, draw(keys))
    for model in (0, PROBLEM.n_models - 1):
        density_UV = joint(model)
        is_alone = density_UV.shape[1] > 1
        weight_UV = density_UV / density_UV.sum()
        u_mean = (weight_UV * U[:, None]).sum()
        u_sd = np.sqrt((weight_UV * (U[:, None] - u_mean) ** 2).sum())
        assert u_SM[:, model].mean() == pytest.approx(u_mean, abs=0.06 * u_sd)
        assert u_SM[:, model].std() == pytest.approx(u_sd, rel=0.05)
        if not is_alone:
            scale = (NOISE["tau_tokens"] / discrepancy.TYPICAL_TOKENS) ** DESIGN.centered_V[model]
            np.testing.assert_allclose(v_SM[:, model], NOISE["tau_tokens"] * SITES["slopes"][model] / scale)
            continue
        v_mean = (weight_UV * V).sum()
        v_sd = np.sqrt((weight_UV * (V - v_mean) ** 2).sum())
        correlation = (weight_UV * (U[:, None] - u_mean) * (V - v_mean)).sum() / u_sd / v_sd
        assert v_SM[:, model].mean() == pytest.approx(v_mean, abs=0.06 * v_sd)
        assert v_SM[:, model].std() == pytest.approx(v_sd, rel=0.05)
        assert np.corrcoef(u_SM[:, model], v_SM[:, model])[0, 1] == pytest.approx(correlation, abs=0.04)


def test_the_scale_is_nearly_that_of_a_linear_law_with_normal_noise():
    """Gauss-Newton against the covariance of z, s and v by the rows' joint normal, at the same noise."""
    origin_Q, scale_QQ = sampler.precondition(PROBLEM, SITES["z"])
    sizes = sampler.site_sizes(PROBLEM)
    assert scale_QQ.shape == (sum(sizes.values()),) * 2
    n_law, n_noise = sizes["z"], sizes["noise"]
    noise_Z = np.arange(n_law, n_law + n_noise)
    np.testing.assert_allclose(scale_QQ[noise_Z][:, noise_Z], np.diag(noise.PRIORS[Misses.SMOOTH].typical_sd))
    others_O = np.r_[0:n_law, n_law + n_noise : len(origin_Q)]
    sd = np.exp(origin_Q[n_law])
    covariance_OO = (scale_QQ @ scale_QQ.T)[np.ix_(others_O, others_O)]
    missed = covariance_OO[n_law:, n_law:]
    assert (np.diag(missed) < 1 + 1e-9).all()  # rows tell something of each
    precision_OO = np.linalg.inv(covariance_OO)[n_law:, n_law:] - np.eye(len(missed))
    design_RO = missed_design()
    shared_M = 1 / (1 + np.bincount(PROBLEM.rows.model_R))
    sum_MO = np.stack([design_RO[PROBLEM.rows.model_R == m].sum(axis=0) for m in range(PROBLEM.n_models)])
    expected_OO = (design_RO.T @ design_RO - sum_MO.T @ (shared_M[:, None] * sum_MO)) / sd**2
    np.testing.assert_allclose(precision_OO, expected_OO, rtol=1e-6, atol=1e-6 * np.abs(expected_OO).max())


def missed_design() -> np.ndarray:
    """d(s + v·t)/d(sines, slopes) of each row at the prior's middle, [R, K + V]."""
    tau_smooth, tau_tokens = np.exp(noise.PRIORS[Misses.SMOOTH].center[-2:])
    scale_K = (tau_smooth / discrepancy.TYPICAL_SMOOTH) ** DESIGN.centered_K
    scale_V = (tau_tokens / discrepancy.TYPICAL_TOKENS) ** DESIGN.centered_V
    of_slopes_RV = np.eye(DESIGN.n_slopes + 1)[DESIGN.slope_R][:, :-1] * log_tokens_R()[:, None]
    return np.concatenate([tau_smooth * DESIGN.wave_RK / scale_K, tau_tokens * of_slopes_RV / scale_V], axis=1)


def test_a_target_of_many_coordinates_has_no_dense_mass_matrix():
    assert not sampler.target_of(PROBLEM).learn_covariances
    independent = sampler.target_of(dataclasses.replace(PROBLEM, misses=Misses.INDEPENDENT))
    assert nuts._is_dense(independent)
    assert not nuts._is_dense(dataclasses.replace(independent, n_coordinates=nuts.MOST_DENSE + 1))
