"""The posterior of law `effective` on public runs against other samplers: PyMC's, on a model written out anew there,
and BlackJAX's. Both keep the effects u that ours integrates out. Each is skipped where its package is missing.
"""

import dataclasses
import math

import jax
import numpy as np
import pytest
from numpyro.infer.util import log_density

from ie_scaling.inference import diagnostics
from ie_scaling.inference.config import NutsConfig
from ie_scaling.laws import forms
from ie_scaling.laws.bayes import noise, sampler
from ie_scaling.laws.least_squares import solver
from ie_scaling.laws.observations import Observations
from ie_scaling.laws.problem import pose
from tests.laws.simulated import read

# What other packages warn of is theirs to mend.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

LAW = forms.get_law("effective")
NAMES = (*LAW.names, *noise.COORDINATES)
LAW_SPREADS = (0.5, 1.0, 0.5, 1.0, 0.5, 1.5, 1.0, 0.4)
N_MCSE = 4.0  # of 26 means and sds, one in 600 tests would find one so far out by chance
N_CHAINS = 4
SEED = 3


def law_centers(rows: Observations) -> np.ndarray:
    """Prior means of ln E, ln A_ref, ln α, ln B_ref, ln β, ln κ, ln R* and of ω bent at its ends."""
    loss, ratio = np.exp(rows.log_loss_R.mean()), np.exp(np.log(rows.features.aspect_ratio).mean())
    return np.array([*np.log([0.5 * loss, 0.2 * loss, 0.4, 0.2 * loss, 0.4, 0.01, ratio]), 0.5])


def pymc_model(rows: Observations):
    """The same posterior in PyMC, written out by hand; u_m = τ·v_m with v_m ~ Normal(0, 1)."""
    import pymc as pm
    from pytensor import tensor as pt

    x = rows.features
    log_size_R, log_tokens_R = np.log(x.n_non_embedding + 0.5 * x.n_embedding), np.log(x.n_tokens)
    log_n0, tokens_R = log_size_R.mean(), log_tokens_R - log_tokens_R.mean()
    with pm.Model() as built:
        z = pm.Normal("z", law_centers(rows), LAW_SPREADS, shape=len(LAW_SPREADS))
        spreads = [1.0, 1.0, 1.0, 0.2, 0.2]
        s = pm.Normal("noise", [math.log(0.005), math.log(0.01), math.log(8.0), 0.0, 0.0], spreads, shape=5)
        v_M = pm.Normal("v", 0.0, 1.0, shape=len(rows.model_ids))
        omega = 0.2 * (pt.softplus(z[7] / 0.2) - pt.softplus((z[7] - 1) / 0.2))
        size_R = pt.log(x.n_non_embedding + omega * x.n_embedding) - log_n0
        core_R = pt.exp(z[0]) + pt.exp(z[1] - pt.exp(z[2]) * size_R) + pt.exp(z[3] - pt.exp(z[4]) * tokens_R)
        shape_R = 1 + pt.exp(z[5]) * (np.log(x.aspect_ratio) - z[6]) ** 2
        mean_R = pt.log(core_R) + pt.log(shape_R) + pt.exp(s[0]) * v_M[rows.model_R]
        sigma_R = pt.exp(s[1] - s[3] * size_R - s[4] * tokens_R)
        pm.StudentT("log_loss", nu=2 + pt.exp(s[2]), mu=mean_R, sigma=sigma_R, observed=rows.log_loss_R)
    return built


@dataclasses.dataclass(frozen=True)
class Case:
    """The table, where least squares ended on it, and our draws [C, S, Q] of the coordinates of law and noise."""

    rows: Observations
    fitted: solver.LeastSquaresFit
    ours_CSQ: np.ndarray

    def log_density_in_v(self, sites):
        """ln of `bayes.model`'s density in z, noise and v = u/τ."""
        log_tau = sites["noise"][0]
        own = {"z": sites["z"], "noise": sites["noise"], "u": jax.numpy.exp(log_tau) * sites["v"]}
        value, _ = log_density(sampler.model, (self.fitted.problem, self.rows.log_loss_R), {}, own)
        return value + len(self.rows.model_ids) * log_tau


@pytest.fixture(scope="module")
def pm():
    return pytest.importorskip("pymc")


@pytest.fixture(scope="module")
def blackjax():
    return pytest.importorskip("blackjax")


@pytest.fixture(scope="module")
def case() -> Case:
    rows = read("bian2025")
    fitted = solver.fit(pose(LAW, rows))
    config = NutsConfig()
    samples = sampler.sample(sampler.prepare(fitted.problem, config), fitted.z_P, SEED)
    ours_CSQ = np.concatenate([samples.z_CSP, noise.to_coordinates(samples.noise)], axis=-1)
    assert diagnostics.long_enough(ours_CSQ, config)
    return Case(rows, fitted, ours_CSQ)


def describe(draws_CSQ: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and sd of each coordinate, and the Monte Carlo standard error of each, [2, Q].

    An sd's error follows from the spread of squared distances, which in heavy tails exceeds a normal's sd/√(2·ESS).
    """
    square_CSQ = (draws_CSQ - draws_CSQ.mean(axis=(0, 1))) ** 2
    sd_Q = np.sqrt(square_CSQ.mean(axis=(0, 1)))
    mean_error_Q = sd_Q / np.sqrt(diagnostics.ess_bulk(draws_CSQ))
    sd_error_Q = square_CSQ.std(axis=(0, 1)) / (2 * sd_Q * np.sqrt(diagnostics.ess_bulk(square_CSQ)))
    return np.stack([draws_CSQ.mean(axis=(0, 1)), sd_Q]), np.stack([mean_error_Q, sd_error_Q])


def assert_same_posterior(ours_CSQ: np.ndarray, theirs_CSQ: np.ndarray) -> None:
    """Means and sds agree within N_MCSE of their combined Monte Carlo errors."""
    assert diagnostics.rhat(theirs_CSQ).max() < 1.02
    assert diagnostics.ess_bulk(theirs_CSQ).min() > 400
    (ours, ours_error), (theirs, theirs_error) = describe(ours_CSQ), describe(theirs_CSQ)
    z_2Q = (ours - theirs) / np.hypot(ours_error, theirs_error)
    print(f"\n{'coordinate':>14} {'mean':>9} {'theirs':>9} {'in MCSE':>8} {'sd':>8} {'theirs':>8} {'in MCSE':>8}")
    for i, name in enumerate(NAMES):
        print(
            f"{name:>14} {ours[0, i]:9.4f} {theirs[0, i]:9.4f} {z_2Q[0, i]:8.2f} "
            f"{ours[1, i]:8.4f} {theirs[1, i]:8.4f} {z_2Q[1, i]:8.2f}"
        )
    for statistic, z_Q in zip(("mean", "sd"), z_2Q, strict=True):
        far = {name: round(float(z), 1) for name, z in zip(NAMES, z_Q, strict=True) if abs(z) > N_MCSE}
        assert not far, f"{statistic} differs, in Monte Carlo errors: {far}"


def test_log_density_equals_that_of_the_model_in_pymc(pm, case):
    log_density_of = pymc_model(case.rows).compile_logp()
    with jax.enable_x64(True):
        for seed in range(3):
            rng = np.random.default_rng(seed)
            sites = {
                "z": case.fitted.z_P + 0.3 * rng.standard_normal(len(LAW.names)),
                "noise": noise.CENTER + noise.SPREAD * rng.standard_normal(len(noise.COORDINATES)),
                "v": rng.standard_normal(len(case.rows.model_ids)),
            }
            ours = float(case.log_density_in_v(sites))
            assert ours == pytest.approx(float(log_density_of(sites)), rel=0, abs=1e-8)


def test_pymc_draws_the_same_posterior(pm, case):
    with pymc_model(case.rows):  # a fork of a process whose JAX has threads may hang, a fresh process cannot
        drawn = pm.sample(chains=N_CHAINS, cores=2, mp_ctx="forkserver", random_seed=SEED, progressbar=False)
    theirs = [drawn.posterior[site].to_numpy() for site in ("z", "noise")]
    assert_same_posterior(case.ours_CSQ, np.concatenate(theirs, axis=-1))


def test_blackjax_draws_the_same_posterior(blackjax, case):
    n_models = len(case.rows.model_ids)

    def draw_chain(key, start):
        key, warmup_key = jax.random.split(key)
        adaptation = blackjax.window_adaptation(
            blackjax.nuts, case.log_density_in_v, is_mass_matrix_diagonal=False, target_acceptance_rate=0.9
        )
        (state, tuned), _ = adaptation.run(warmup_key, start, num_steps=1000)
        step = blackjax.nuts(case.log_density_in_v, **tuned).step

        def advance(state, key):
            state, _ = step(key, state)
            return state, (state.position["z"], state.position["noise"])

        return jax.lax.scan(advance, state, jax.random.split(key, 1000))[1]

    with jax.enable_x64(True), jax.numpy_rank_promotion("allow"):
        rng = np.random.default_rng(SEED)
        starts_C = {
            "z": case.fitted.z_P + 0.01 * rng.standard_normal((N_CHAINS, len(LAW.names))),
            "noise": noise.CENTER + 0.1 * rng.standard_normal((N_CHAINS, len(noise.COORDINATES))),
            "v": rng.standard_normal((N_CHAINS, n_models)),
        }
        theirs = jax.jit(jax.vmap(draw_chain))(jax.random.split(jax.random.key(SEED), N_CHAINS), starts_C)
    assert_same_posterior(case.ours_CSQ, np.concatenate(jax.device_get(theirs), axis=-1))
