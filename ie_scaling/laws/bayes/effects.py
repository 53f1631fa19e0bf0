"""One effect per trained model: integrated out of the likelihood, and drawn back from its conditional.

For a model with residuals r_j the integral over its effect u,

    ∫ Normal(u; 0, τ) Π_j StudentT(r_j; ν, u, σ) du,

is one-dimensional. The trapezoid rule on u = mode + 2·width·sinh(t) has nodes close together where the integrand is
sharp and reaches far into its tails. Rows that disagree give the integrand several peaks, so there is a set of nodes
about each of the two highest; a partition of unity gives each set the part of the integrand that is nearest to it. The
logarithm is good to 1e-6 for rows that agree, and to 0.1 nats whatever they are (ν ≥ 1.5, rows up to 300 σ apart).
Letters: M models, J rows of one, S sets, K nodes.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy import special

from ie_scaling.laws.problem import Grouping

N_NODES = 23  # of each set
N_DRAW_NODES = 151  # of each set; to invert a cumulative sum linearly takes more than to integrate
REACH = 2.5  # of t: 2·sinh(2.5) = 12 widths either side, half a width apart in the middle
MODE_STEPS = 4
APART = 4.0  # widths from a peak at which another may begin
NEGLIGIBLE = 14.0  # nats below the first
SHARPNESS = 2  # of the partition of unity: the far tails of one set must not see the peak of another
BLOCK = (
    8  # rows whose Student-t kernels are multiplied before a logarithm is taken: far from overflow, fewer logarithms
)


def log_marginal(
    residual_R: jax.Array, grouping: Grouping, tau: jax.Array, sigma_R: jax.Array, nu: jax.Array
) -> jax.Array:
    """ln of the integral for each model, [M]; residuals in ln(nats), σ of each row, τ of all or of each, [M]."""
    return special.logsumexp(_nodes(residual_R, grouping, tau, sigma_R, nu, N_NODES)[1], axis=(0, 1))


def draw(
    key: jax.Array, residual_R: jax.Array, grouping: Grouping, tau: jax.Array, sigma_R: jax.Array, nu: jax.Array
) -> jax.Array:
    """One draw of every model's effect u_m given the residuals and the noise, [M].

    A set of nodes is drawn by its mass; then the cumulative sum of its masses is inverted, linearly between nodes.
    """
    u_SKM, log_mass_SKM = _nodes(residual_R, grouping, tau, sigma_R, nu, N_DRAW_NODES)
    mass_SKM = jax.nn.softmax(log_mass_SKM, axis=1)
    upto_SKM = jnp.cumsum(mass_SKM, axis=1) - 0.5 * mass_SKM  # up to the node itself: half its own cell
    of_set, within = jax.random.split(key)
    uniform_M = jax.random.uniform(within, (u_SKM.shape[2],), upto_SKM.dtype)
    invert = jax.vmap(jax.vmap(jnp.interp, in_axes=(0, 1, 1)), in_axes=(None, 0, 0))
    u_SM = invert(uniform_M, upto_SKM, u_SKM)
    set_M = jax.random.categorical(of_set, special.logsumexp(log_mass_SKM, axis=1), axis=0)
    return jnp.take_along_axis(u_SM, set_M[None, :], axis=0)[0]


def _nodes(residual_R, grouping, tau, sigma_R, nu, n_nodes) -> tuple[jax.Array, jax.Array]:
    """Nodes u [S, K, M] and ln(integrand × share × spacing) there."""
    rows = residual_R[grouping.row_MJ], sigma_R[grouping.row_MJ], grouping.weight_MJ
    mode_SM, width_SM = jax.lax.stop_gradient(_peaks(*rows, tau, nu))
    t_K = np.linspace(-REACH, REACH, n_nodes)
    u_SKM = mode_SM[:, None, :] + 2 * width_SM[:, None, :] * np.sinh(t_K)[None, :, None]
    log_spacing_SKM = jnp.log(width_SM)[:, None, :] + np.log(2 * (t_K[1] - t_K[0]) * np.cosh(t_K))[None, :, None]
    log_share_SKM = _log_shares(u_SKM, mode_SM, width_SM)
    return u_SKM, _log_integrand(u_SKM, *rows, tau, nu) + log_share_SKM + log_spacing_SKM


def _log_integrand(u_SKM, residual_MJ, sigma_MJ, weight_MJ, tau, nu) -> jax.Array:
    """ln of prior × likelihood at each node, [S, K, M]."""
    log_kernel_SKM = jnp.zeros_like(u_SKM)
    for first in range(0, residual_MJ.shape[1], BLOCK):
        kernel_SKM = jnp.ones_like(u_SKM)
        for j in range(first, min(first + BLOCK, residual_MJ.shape[1])):
            size_SKM = (residual_MJ[:, j][None, None, :] - u_SKM) / sigma_MJ[:, j][None, None, :]
            kernel_SKM *= 1 + weight_MJ[:, j][None, None, :] * size_SKM**2 / nu
        log_kernel_SKM += jnp.log(kernel_SKM)
    tau = tau[None, None, :] if jnp.ndim(tau) else tau
    constant = special.gammaln((nu + 1) / 2) - special.gammaln(nu / 2) - 0.5 * jnp.log(nu * jnp.pi)
    constant_M = (weight_MJ * (constant - jnp.log(sigma_MJ))).sum(axis=1)
    log_prior_SKM = -0.5 * (u_SKM / tau) ** 2 - (jnp.log(tau) + 0.5 * math.log(2 * math.pi))
    return constant_M[None, None, :] - 0.5 * (nu + 1) * log_kernel_SKM + log_prior_SKM


def _log_shares(u_SKM, mode_SM, width_SM) -> jax.Array:
    """ln of the share of each node's own set there: shares of the sets sum to 1 at any u, [S, K, M]."""
    distance_TSKM = (u_SKM[None] - mode_SM[:, None, None, :]) / width_SM[:, None, None, :]
    log_near_TSKM = -SHARPNESS * jnp.log1p(distance_TSKM**2)
    own_SKM = jnp.stack([log_near_TSKM[s, s] for s in range(len(mode_SM))])
    return own_SKM - special.logsumexp(log_near_TSKM, axis=0)


def _peaks(residual_MJ, sigma_MJ, weight_MJ, tau, nu) -> tuple[jax.Array, jax.Array]:
    """About where the integrand of each model peaks and how wide it is there, [S, M]: its two highest peaks.

    A peak is reached by a few steps of reweighting (Student-t by EM) from where the integrand is highest among zero,
    the rows' mean and each row; the second from the highest of those apart from the first, or it is the first again
    where nothing there counts.
    """

    def trust(u_M):
        size_MJ = (residual_MJ - u_M[:, None]) / sigma_MJ
        return weight_MJ * (nu + 1) / (nu + size_MJ**2)

    def reweigh(trust_MJ):
        weighed_MJ = trust_MJ / sigma_MJ**2
        precision_M = 1 / tau**2 + weighed_MJ.sum(axis=1)
        return (weighed_MJ * residual_MJ).sum(axis=1) / precision_M, 1 / jnp.sqrt(precision_M)

    mean_M = reweigh(weight_MJ)[0]
    start_KM = jnp.stack([mean_M, jnp.zeros_like(mean_M), *jnp.where(weight_MJ > 0, residual_MJ, 0.0).T])
    height_KM = _log_integrand(start_KM[None], residual_MJ, sigma_MJ, weight_MJ, tau, nu)[0]

    def climb(mode_M):
        for _ in range(MODE_STEPS):
            mode_M, width_M = reweigh(trust(mode_M))
        return mode_M, width_M

    def at(index_M):
        return jnp.take_along_axis(start_KM, index_M[None], axis=0)[0]

    mode_M, width_M = climb(at(height_KM.argmax(axis=0)))
    is_apart_KM = jnp.abs(start_KM - mode_M[None]) > APART * width_M[None]
    apart_KM = jnp.where(is_apart_KM, height_KM, -jnp.inf)
    counts_M = apart_KM.max(axis=0) > height_KM.max(axis=0) - NEGLIGIBLE
    other_M, other_width_M = climb(at(apart_KM.argmax(axis=0)))
    second = jnp.where(counts_M, other_M, mode_M), jnp.where(counts_M, other_width_M, width_M)
    return jnp.stack([mode_M, second[0]]), jnp.stack([width_M, second[1]])
