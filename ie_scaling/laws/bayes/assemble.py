"""From a sampler's or a bootstrap's draws to a Posterior with every group of its file."""

from collections.abc import Callable

import numpy as np
import scipy.stats
import xarray as xr

from ie_scaling.inference import diagnostics, numerics
from ie_scaling.laws.bayes import fitted_shapes, noise, quantities, sampler
from ie_scaling.laws.bayes.posterior import Posterior
from ie_scaling.laws.law import Law
from ie_scaling.laws.least_squares import solver
from ie_scaling.laws.least_squares.solver import LeastSquaresFit
from ie_scaling.laws.observations import Observations
from ie_scaling.laws.problem import Problem

N_PRIOR_DRAWS = 1000
NORMAL_NU = 1e6  # Student-t with so many degrees of freedom is a normal


def monitored(law: Law, samples: sampler.Samples) -> dict[str, np.ndarray]:
    """What the gate looks at: free coordinates by parameter name, noise, effects, log density."""
    coordinates = {name: samples.z_CSP[..., i] for i, name in enumerate(law.names)}
    return coordinates | samples.noise | {"u": samples.effects_CSM, "lp": samples.stats["lp"]}


def from_samples(problem: Problem, samples: sampler.Samples, gate: diagnostics.Gate, seed: int) -> Posterior:
    """The posterior of NUTS draws, with all groups."""
    law = problem.law
    posterior = Posterior(
        law=law,
        reference=problem.reference,
        method="bayes",
        draws=law.from_free(samples.z_CSP) | samples.noise,
        effects_CSM=samples.effects_CSM,
        model_ids=problem.rows.model_ids,
        failures=gate.failures,
        gate=gate,
        seconds=samples.seconds,
    )
    stats = {name: (("chain", "draw"), values) for name, values in samples.stats.items()}
    posterior.groups["sample_stats"] = xr.Dataset(stats)
    posterior.groups["prior"] = draw_prior(problem, seed)
    posterior.groups["log_prior"] = log_prior(problem, samples)
    _add_data_groups(posterior, problem.rows, seed)
    return posterior


def from_bootstrap(
    fitted: LeastSquaresFit,
    n_draws: int,
    seed: int,
    by: str = "model",
    on_progress: Callable[[int], None] = lambda finished: None,
) -> Posterior:
    """Bootstrap refits in the posterior's layout: one chain, normal noise.

    τ and σ come from the moments of each refit's residuals, u from its shrunken means.
    """
    z_WP = solver.bootstrap(fitted, n_draws, seed, by, on_progress)
    observations = fitted.problem.rows
    law_draws = fitted.law.from_free(z_WP)
    with numerics.double_precision():
        predicted_WR = solver.predict_draws(fitted.law, law_draws, observations.features, fitted.reference)
    residual_WR = observations.log_loss_R[None, :] - np.asarray(predicted_WR)
    tau_W, sigma_W, u_WM = _split_residuals(residual_WR, observations.model_R, seed)
    spread = {"tau": tau_W, "sigma": sigma_W, "nu": np.full(n_draws, NORMAL_NU)}
    spread |= {"sigma_fall_N": np.zeros(n_draws), "sigma_fall_D": np.zeros(n_draws)}
    posterior = Posterior(
        law=fitted.law,
        reference=fitted.reference,
        method="bootstrap",
        draws={name: values[None, :] for name, values in (law_draws | spread).items()},
        effects_CSM=u_WM[None, :, :],
        model_ids=observations.model_ids,
        failures=() if fitted.status == "converged" else (f"least squares: {fitted.status}", *fitted.reasons),
    )
    _add_data_groups(posterior, observations, seed)
    return posterior


def draw_prior(problem: Problem, seed: int) -> xr.Dataset:
    """One chain of draws of the law's parameters and the noise from their priors."""
    rng, law = np.random.default_rng(seed), problem.law
    center_P, spread_P = problem.prior
    z_SP = center_P + spread_P * rng.standard_normal((N_PRIOR_DRAWS, len(center_P)))
    noise_SZ = noise.CENTER + noise.SPREAD * rng.standard_normal((N_PRIOR_DRAWS, len(noise.CENTER)))
    draws = law.derived(law.from_free(z_SP), problem.reference) | noise.from_coordinates(noise_SZ)
    return xr.Dataset({name: (("chain", "draw"), values[None, :]) for name, values in draws.items()})


def add_quantities(draws: Posterior, question: quantities.Question) -> None:
    """Put what the law implies beside its draws, as the group `quantities`."""
    shape = draws.draws["tau"].shape
    flat = {name: draws.draws[name].reshape(-1) for name in draws.law.names}
    values = quantities.compute(draws.law, draws.reference, flat, question)
    draws.groups["quantities"] = xr.Dataset(
        {name: (("chain", "draw"), value_W.reshape(shape)) for name, value_W in values.items()}
    )


def log_prior(problem: Problem, samples: sampler.Samples) -> xr.Dataset:
    """ln of the prior density at each draw, of each free coordinate of the law and of the noise."""
    center_P, spread_P = problem.prior
    noise_CSZ = noise.to_coordinates(samples.noise)
    names = problem.law.names
    coordinates = {name: (samples.z_CSP[..., i], center_P[i], spread_P[i]) for i, name in enumerate(names)}
    for i, name in enumerate(noise.COORDINATES):
        coordinates[name] = noise_CSZ[..., i], noise.CENTER[i], noise.SPREAD[i]
    return xr.Dataset(
        {name: (("chain", "draw"), scipy.stats.norm.logpdf(*values)) for name, values in coordinates.items()}
    )


def _add_data_groups(posterior: Posterior, observations: Observations, seed: int) -> None:
    """log_likelihood, posterior_predictive (the same models run again), observed_data and constant_data."""
    shape = posterior.draws["tau"].shape
    law_draws = {name: posterior.draws[name].reshape(-1) for name in posterior.law.names}
    with numerics.double_precision():
        predicted = solver.predict_draws(posterior.law, law_draws, observations.features, posterior.reference)
    centre_CSR = np.asarray(predicted).reshape(*shape, -1) + posterior.effects_CSM[..., observations.model_R]
    sigma_CSR = posterior.scale_of_runs(observations.features).reshape(*shape, -1)
    nu_CS1 = posterior.draws["nu"][..., None]
    log_density_CSR = scipy.stats.t.logpdf(observations.log_loss_R, nu_CS1, centre_CSR, sigma_CSR)
    names = [observations.model_ids[model] for model in observations.model_R]
    replicated_WR = np.log(posterior.losses(observations.features, level="new_run", seed=seed, model_ids=names).all())
    per_draw, rows = ("chain", "draw", "run"), {"run": np.array(observations.run_ids, dtype=str)}
    constants = {name: ("run", getattr(observations.features, name)) for name in vars(observations.features)}
    posterior.groups["log_likelihood"] = xr.Dataset({"log_loss": (per_draw, log_density_CSR)}, coords=rows)
    posterior.groups["posterior_predictive"] = xr.Dataset(
        {"log_loss": (per_draw, replicated_WR.reshape(*shape, -1))}, coords=rows
    )
    posterior.groups["observed_data"] = xr.Dataset({"log_loss": ("run", observations.log_loss_R)}, coords=rows)
    posterior.groups["constant_data"] = xr.Dataset(
        constants | {"model": ("run", np.array(names, dtype=str))}, coords=rows
    )
    posterior.groups[fitted_shapes.GROUP] = fitted_shapes.FittedShapes.of_rows(observations).to_group()


def _split_residuals(
    residual_WR: np.ndarray, model_R: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """τ_W, σ_W and draws of u_WM by one-way random-effects moments; with one row a model each gets half."""
    counts_M = np.bincount(model_R)
    n_models, n_rows = len(counts_M), len(model_R)
    sums_WM = np.stack([np.bincount(model_R, residual_R, n_models) for residual_R in residual_WR])
    means_WM = sums_WM / counts_M
    within_W = ((residual_WR - means_WM[:, model_R]) ** 2).sum(axis=1)
    total_W = np.maximum((residual_WR**2).mean(axis=1), 1e-16)
    sigma2_W = within_W / (n_rows - n_models) if n_rows > n_models else total_W / 2
    typical = (n_rows - (counts_M**2).sum() / n_rows) / max(n_models - 1, 1)
    between_W = (counts_M * means_WM**2).sum(axis=1) / max(n_models - 1, 1)
    tau2_W = np.maximum((between_W - sigma2_W) / max(typical, 1.0), 1e-8 * total_W)
    if n_rows == n_models:
        tau2_W = total_W / 2
    sigma2_W = np.maximum(sigma2_W, 1e-8 * total_W)
    shrink_WM = counts_M * tau2_W[:, None] / (counts_M * tau2_W[:, None] + sigma2_W[:, None])
    error_WM = np.sqrt(tau2_W[:, None] * (1 - shrink_WM))
    u_WM = shrink_WM * means_WM + error_WM * np.random.default_rng(seed).standard_normal(means_WM.shape)
    return np.sqrt(tau2_W), np.sqrt(sigma2_W), u_WM
