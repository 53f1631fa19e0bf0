"""From a sampler's or a bootstrap's draws to a Posterior with all that its file holds."""

import dataclasses

import numpy as np
import scipy.stats

from ie_scaling.inference import diagnostics, numerics
from ie_scaling.inference.draws import Origin
from ie_scaling.laws.bayes import discrepancy, noise, quantities, sampler
from ie_scaling.laws.bayes.discrepancy import NO_SINES
from ie_scaling.laws.bayes.fitted_rows import FittedRows
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
    missed = {"u": samples.effects_CSM, "v": samples.slopes_CSM, "sines": samples.sines_CSK}
    own = {name: values for name, values in missed.items() if values is not None}
    return coordinates | samples.noise | own | {"lp": samples.stats["lp"]}


def from_samples(problem: Problem, samples: sampler.Samples, gate: diagnostics.Gate, seed: int) -> Posterior:
    """The posterior of NUTS draws."""
    law = problem.law
    posterior = Posterior(
        law=law,
        reference=problem.reference,
        draws=law.from_free(samples.z_CSP) | samples.noise,
        effects_CSM=samples.effects_CSM,
        slopes_CSM=samples.slopes_CSM,
        sines_CSK=samples.sines_CSK,
        sines=NO_SINES if samples.sines_CSK is None else discrepancy.design_of(problem).sines,
        model_ids=problem.rows.model_ids,
        failures=gate.failures,
        gate=gate,
        seconds=samples.seconds,
        seed=seed,
        stats=samples.stats,
        prior=draw_prior(problem, seed),
        log_prior=log_prior(problem, samples),
    )
    return _with_rows(posterior, problem.rows, seed)


def from_refits(fitted: LeastSquaresFit, z_WP: np.ndarray, seed: int) -> Posterior:
    """A bootstrap's refits in the posterior's layout: one chain, normal noise.

    τ and σ come from the moments of each refit's residuals, u from its shrunken means.
    """
    n_draws, observations = len(z_WP), fitted.problem.rows
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
        method=Origin.BOOTSTRAP,
        draws={name: values[None, :] for name, values in (law_draws | spread).items()},
        effects_CSM=u_WM[None, :, :],
        model_ids=observations.model_ids,
        failures=() if fitted.converged else (f"least squares: {fitted.status}", *fitted.reasons),
        seed=seed,
    )
    return _with_rows(posterior, observations, seed)


def draw_prior(problem: Problem, seed: int) -> dict[str, np.ndarray]:
    """One chain of draws of the law's parameters and the noise from their priors, by name, each [1, ·]."""
    rng, law = np.random.default_rng(seed), problem.law
    center_P, spread_P = problem.prior
    z_SP = center_P + spread_P * rng.standard_normal((N_PRIOR_DRAWS, len(center_P)))
    prior = noise.PRIORS[problem.misses]
    noise_SZ = prior.center + prior.spread * rng.standard_normal((N_PRIOR_DRAWS, len(prior.center)))
    draws = law.derived(law.from_free(z_SP), problem.reference) | noise.from_coordinates(noise_SZ)
    return {name: np.asarray(values)[None, :] for name, values in draws.items()}


def with_quantities(posterior: Posterior, question: quantities.Question) -> Posterior:
    """The posterior with what its law implies beside its draws."""
    values = quantities.compute(question, {name: posterior.flat[name] for name in posterior.law.names})
    shaped = {name: value_W.reshape(posterior.shape) for name, value_W in values.items()}
    return dataclasses.replace(posterior, quantities=shaped)


def log_prior(problem: Problem, samples: sampler.Samples) -> dict[str, np.ndarray]:
    """ln of the prior density of each free coordinate of the law and of the noise, by name, each [C, S]."""
    center_P, spread_P = problem.prior
    noise_CSZ = noise.to_coordinates(samples.noise)
    names = problem.law.names
    coordinates = {name: (samples.z_CSP[..., i], center_P[i], spread_P[i]) for i, name in enumerate(names)}
    prior = noise.PRIORS[problem.misses]
    for i, name in enumerate(prior.coordinates):
        coordinates[name] = noise_CSZ[..., i], prior.center[i], prior.spread[i]
    return {name: scipy.stats.norm.logpdf(*values) for name, values in coordinates.items()}


def _with_rows(posterior: Posterior, observations: Observations, seed: int) -> Posterior:
    """With the fitted rows, the log likelihood of each, and losses of the same models trained again."""
    shape, features = posterior.shape, observations.features
    law_draws = {name: posterior.flat[name] for name in posterior.law.names}
    with numerics.double_precision():
        predicted = solver.predict_draws(posterior.law, law_draws, features, posterior.reference)
    center_CSR = np.asarray(predicted).reshape(*shape, -1) + posterior.effects_CSM[..., observations.model_R]
    if posterior.discrepancy is not None:
        missed_WR = posterior.discrepancy.of_rows(features, observations.model_R, posterior.reference.D0)
        center_CSR = center_CSR + missed_WR.reshape(center_CSR.shape)
    sigma_CSR = posterior.scale_of_runs(observations.features).reshape(*shape, -1)
    nu_CS1 = posterior.draws["nu"][..., None]
    log_density_CSR = scipy.stats.t.logpdf(observations.log_loss_R, nu_CS1, center_CSR, sigma_CSR)
    names = [observations.model_ids[model] for model in observations.model_R]
    replicated_WR = np.log(posterior.losses(observations.features, level="new_run", seed=seed, model_ids=names).all())
    return dataclasses.replace(
        posterior,
        fitted_rows=FittedRows.of(observations),
        log_likelihood_CSR=log_density_CSR,
        replicated_CSR=replicated_WR.reshape(*shape, -1),
    )


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
