"""One effect per trained model: integrated out of the likelihood, and drawn back from its conditional.

For a model with residuals r_j the integral over its effect u,

    ∫ Normal(u; 0, τ) Π_j StudentT(r_j; ν, u, σ) du,

is one-dimensional, so the trapezoid rule on u = mode + 2·width·sinh(t) gives its logarithm to 1e-6 and better: the
nodes are close where the integrand is sharp and reach far into its tails. Letters: M models, J rows of one, K nodes.
"""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy import special

N_NODES = 19
N_DRAW_NODES = 151  # to invert a cumulative sum linearly takes more than to integrate
REACH = 2.2  # of t: 2·sinh(2.2) = 9 widths either side, half a width apart in the middle
MODE_STEPS = 2
BLOCK = (
    8  # rows whose Student-t kernels are multiplied before a logarithm is taken: far from overflow, fewer logarithms
)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Grouping:
    """The rows of each model side by side: positions among the rows, and 1 for a row, 0 for padding; [M, J]."""

    row_MJ: np.ndarray
    weight_MJ: np.ndarray


def group(model_R: np.ndarray, n_models: int) -> Grouping:
    """Lay rows out by model; `model_R` is each row's model number."""
    counts_M = np.bincount(model_R, minlength=n_models)
    shape = n_models, int(counts_M.max())
    row_MJ, weight_MJ = np.zeros(shape, np.int32), np.zeros(shape)
    for model in range(n_models):
        row_MJ[model, : counts_M[model]] = np.flatnonzero(model_R == model)
        weight_MJ[model, : counts_M[model]] = 1.0
    return Grouping(row_MJ, weight_MJ)


def log_marginal(
    residual_R: jax.Array, grouping: Grouping, tau: jax.Array, sigma_R: jax.Array, nu: jax.Array
) -> jax.Array:
    """ln of the integral for each model, [M]; residuals in ln(nats), σ of each row."""
    return special.logsumexp(_nodes(residual_R, grouping, tau, sigma_R, nu, N_NODES)[1], axis=0)


def draw(
    key: jax.Array, residual_R: jax.Array, grouping: Grouping, tau: jax.Array, sigma_R: jax.Array, nu: jax.Array
) -> jax.Array:
    """One draw of every model's effect u_m given the residuals and the noise, [M].

    The cumulative sum of the quadrature's masses is inverted, linearly between nodes.
    """
    u_KM, log_mass_KM = _nodes(residual_R, grouping, tau, sigma_R, nu, N_DRAW_NODES)
    mass_KM = jax.nn.softmax(log_mass_KM, axis=0)
    upto_KM = jnp.cumsum(mass_KM, axis=0) - 0.5 * mass_KM  # up to the node itself: half its own cell
    uniform_M = jax.random.uniform(key, (upto_KM.shape[1],), upto_KM.dtype)
    return jax.vmap(jnp.interp, in_axes=(0, 1, 1))(uniform_M, upto_KM, u_KM)


def _nodes(residual_R, grouping, tau, sigma_R, nu, n_nodes) -> tuple[jax.Array, jax.Array]:
    """Nodes u [K, M] and ln(integrand × spacing) there."""
    residual_MJ, sigma_MJ = residual_R[grouping.row_MJ], sigma_R[grouping.row_MJ]
    mode_M, width_M = jax.lax.stop_gradient(_mode(residual_MJ, sigma_MJ, grouping.weight_MJ, tau, nu))
    t_K = np.linspace(-REACH, REACH, n_nodes)
    u_KM = mode_M[None, :] + 2 * width_M[None, :] * np.sinh(t_K)[:, None]
    log_spacing_KM = jnp.log(width_M)[None, :] + np.log(2 * (t_K[1] - t_K[0]) * np.cosh(t_K))[:, None]
    log_kernel_KM = jnp.zeros_like(u_KM)
    for first in range(0, residual_MJ.shape[1], BLOCK):
        kernel_KM = jnp.ones_like(u_KM)
        for j in range(first, min(first + BLOCK, residual_MJ.shape[1])):
            size_KM = (residual_MJ[:, j][None, :] - u_KM) / sigma_MJ[:, j][None, :]
            kernel_KM *= 1 + grouping.weight_MJ[:, j][None, :] * size_KM**2 / nu
        log_kernel_KM += jnp.log(kernel_KM)
    constant = special.gammaln((nu + 1) / 2) - special.gammaln(nu / 2) - 0.5 * jnp.log(nu * jnp.pi)
    constant_M = (grouping.weight_MJ * (constant - jnp.log(sigma_MJ))).sum(axis=1)
    log_rows_KM = constant_M[None, :] - 0.5 * (nu + 1) * log_kernel_KM
    log_prior_KM = -0.5 * (u_KM / tau) ** 2 - (jnp.log(tau) + 0.5 * math.log(2 * math.pi))
    return u_KM, log_rows_KM + log_prior_KM + log_spacing_KM


def _mode(residual_MJ, sigma_MJ, weight_MJ, tau, nu) -> tuple[jax.Array, jax.Array]:
    """About where each integrand peaks and how wide it is: a few steps of reweighting, as Student-t by EM."""

    trust_MJ = weight_MJ
    for _ in range(MODE_STEPS):
        weighed_MJ = trust_MJ / sigma_MJ**2
        precision_M = 1 / tau**2 + weighed_MJ.sum(axis=1)
        mode_M = (weighed_MJ * residual_MJ).sum(axis=1) / precision_M
        size_MJ = (residual_MJ - mode_M[:, None]) / sigma_MJ
        trust_MJ = weight_MJ * (nu + 1) / (nu + size_MJ**2)
    return mode_M, 1 / jnp.sqrt(precision_M)
