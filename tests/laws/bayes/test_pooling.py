"""Families that share shape parameters: the log density written out by hand, and a pooled fit end to end."""

import dataclasses

import jax
import numpy as np
import pandas as pd
import pytest
from numpyro.infer.util import log_density
from scipy import stats

from experiments import pool
from ie_scaling.inference.config import NutsConfig
from ie_scaling.laws import forms
from ie_scaling.laws.bayes import effects, noise, pooling, sampler
from ie_scaling.laws.bayes import posterior as posterior_lib
from ie_scaling.laws.least_squares import solver
from ie_scaling.laws.observations import Observations
from ie_scaling.laws.problem import pose
from ie_scaling.running import runner
from ie_scaling.tables import cells
from tests.laws.simulated import DATA, simulate

LAW = forms.get_law("effective")
FAMILIES = [Observations.from_frame(simulate(LAW, seed=seed, tau=0.004, sigma=0.005)) for seed in (1, 2)]
SHARED = ("kappa", "R_star", "omega")


def test_log_density_equals_the_sum_written_out():
    """With every common μ integrated on a grid, family by family from the model of one family."""
    problems = [pose(LAW, rows, FAMILIES[0].reference(0.5)) for rows in FAMILIES]
    center_P, spread_P = problems[0].prior
    rng = np.random.default_rng(0)
    z_KP = center_P + 0.2 * spread_P * rng.standard_normal((2, len(center_P)))
    noise_KZ = noise.CENTER + 0.2 * noise.SPREAD * rng.standard_normal((2, 5))
    log_lambda = -0.7
    by_hand = (
        stats.norm.logpdf(log_lambda, np.log(0.3), 0.7) + stats.norm.logpdf(noise_KZ, noise.CENTER, noise.SPREAD).sum()
    )
    for place, name in enumerate(LAW.names):
        if name in SHARED:
            mu = center_P[place] + spread_P[place] * np.linspace(-9, 9, 20_001)
            density = stats.norm.pdf(mu, center_P[place], spread_P[place])
            for k in range(2):
                density = density * stats.norm.pdf(z_KP[k, place], mu, np.exp(log_lambda) * spread_P[place])
            by_hand += np.log(np.trapezoid(density, mu)) + 2 * np.log(spread_P[place])  # density of the standardised
        else:
            by_hand += stats.norm.logpdf(z_KP[:, place], center_P[place], spread_P[place]).sum()
    shared_HK = np.stack(
        [(z_KP[:, LAW.names.index(n)] - center_P[LAW.names.index(n)]) / spread_P[LAW.names.index(n)] for n in SHARED]
    )
    own = [place for place, name in enumerate(LAW.names) if name not in SHARED]
    with jax.enable_x64(True), jax.numpy_rank_promotion("allow"):
        for k, problem in enumerate(problems):
            mean_R, tau, sigma_R, nu = sampler.law_and_noise(problem, z_KP[k], noise_KZ[k])
            residual_R = problem.log_loss_R - mean_R
            by_hand += float(effects.log_marginal(residual_R, problem.grouping, tau, sigma_R, nu).sum())
        sites = {"log_lambda": log_lambda, "shared": shared_HK, "own": z_KP[:, own], "noise": noise_KZ}
        ours, _ = log_density(pooling.model, (problems,), {}, sites)
    assert float(ours) == pytest.approx(by_hand, rel=1e-9)


def test_a_law_of_no_shape_has_nothing_to_share():
    assert [LAW.names[index] for index in pooling.shared_indices(LAW)] == list(SHARED)
    with pytest.raises(ValueError, match="law='chinchilla': has no shape parameter"):
        pooling.shared_indices(forms.get_law("chinchilla"))


def test_a_fit_at_another_reference_point_predicts_the_same():
    rows = FAMILIES[0]
    own = solver.fit(pose(LAW, rows), n_starts=8)
    elsewhere = dataclasses.replace(own.reference, N0=3 * own.reference.N0, D0=0.5 * own.reference.D0)
    other = solver.fit(pose(LAW, rows, elsewhere), n_starts=8)
    assert other.params["A_ref"] != pytest.approx(own.params["A_ref"], rel=0.05)
    np.testing.assert_allclose(other.predict(rows.features), own.predict(rows.features), atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"by": "colour"}, "by='colour': .* has no such column"),
        ({"runs": str(DATA / "bian2025.csv")}, "has 1 families; pooling needs at least two"),
        ({"law": "chinchilla", "runs": str(DATA / "bian2025.csv")}, "no shape parameter"),
    ],
)
def test_bad_input_is_one_line(changes, message):
    with pytest.raises(ValueError, match=message):
        pool.load(dataclasses.replace(pool.Config(), **changes))


@pytest.mark.slow
def test_two_families_of_one_truth(tmp_path):
    frames = [rows.frame.assign(source=name) for name, rows in zip("ab", FAMILIES, strict=True)]
    frames[1]["loss"] *= 1.15  # another validation set
    cells.write_table(tmp_path / "runs.csv", pd.concat(frames, ignore_index=True))
    config = pool.Config(
        runs=str(tmp_path / "runs.csv"), nuts=NutsConfig(n_warmup=300, n_samples=300, max_samples=300, min_ess=100)
    )
    runner.run(pool, config, tmp_path / "out")
    draws = [posterior_lib.load_fit(tmp_path / "out" / name) for name in "ab"]
    for posterior in draws:
        low, high = np.quantile(posterior.draws["R_star"], (0.005, 0.995))
        assert low < 44.0 < high
    first, second = (np.log(each.losses(FAMILIES[0].features, level="law").all()) for each in draws)
    assert second.mean() - first.mean() == pytest.approx(np.log(1.15), abs=0.02)
