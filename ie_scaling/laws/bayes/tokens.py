"""Token-equivalents: by what factor tokens must grow to buy a loss difference."""

import jax
import jax.numpy as jnp
import numpy as np

from ie_scaling.laws.law import Law
from ie_scaling.laws.observations import Features, Reference

MAX_FACTOR = 1e4
N_STEPS = 96  # between 1 and MAX_FACTOR, each about 10 % more tokens: the first that is enough is bracketed by them
N_HALVINGS = 40


def factor(law: Law, draws_W, features: Features, reference: Reference, gap_WA: np.ndarray) -> jax.Array:
    """The least factor by which the tokens of each architecture must grow to lose `gap_WA` less, in ln(nats).

    1 where there is no gap, infinity where no factor up to MAX_FACTOR is enough, the best one included: under a law
    whose loss rises again with more tokens, that is not the largest. For each of W draws and A architectures, [W, A].
    """
    step = np.log(MAX_FACTOR) / N_STEPS

    def solve(draws, gap_A):
        start_A = law.log_loss(draws, features, reference)

        def fall(log_factor_A):
            return start_A - law.log_loss(draws, features.scale_tokens(jnp.exp(log_factor_A)), reference)

        def scan(index, state):
            first_A, best_A, most_A = state
            at_A = jnp.full_like(gap_A, step) * index
            fall_A = fall(at_A)
            first_A = jnp.where((fall_A >= gap_A) & ~jnp.isfinite(first_A), at_A, first_A)
            return first_A, jnp.where(fall_A > most_A, at_A, best_A), jnp.maximum(most_A, fall_A)

        nowhere_A = jnp.full_like(gap_A, jnp.inf)
        first_A, best_A, _ = jax.lax.fori_loop(1, N_STEPS + 1, scan, (nowhere_A, 0 * gap_A, 0 * gap_A))
        peak_A = _peak(fall, jnp.maximum(best_A - step, 0.0), jnp.minimum(best_A + step, step * N_STEPS))
        is_bracketed_A = jnp.isfinite(first_A)
        low_A = jnp.where(is_bracketed_A, first_A - step, jnp.maximum(best_A - step, 0.0))
        high_A = _bisect(lambda at_A: fall(at_A) >= gap_A, low_A, jnp.where(is_bracketed_A, first_A, peak_A))
        is_reached_A = is_bracketed_A | (fall(peak_A) >= gap_A)
        return jnp.where(gap_A <= 0, 1.0, jnp.where(is_reached_A, jnp.exp(high_A), jnp.inf))

    solved = jax.jit(lambda draws_W, gap_WA: jax.lax.map(lambda pair: solve(*pair), (draws_W, gap_WA), batch_size=256))
    return solved(draws_W, gap_WA)


def _bisect(is_enough, low_A: jax.Array, high_A: jax.Array) -> jax.Array:
    """The upper end of the last of N_HALVINGS brackets of the point from which on it is enough."""

    def halve(_, bracket):
        low_A, high_A = bracket
        middle_A = 0.5 * (low_A + high_A)
        enough_A = is_enough(middle_A)
        return jnp.where(enough_A, low_A, middle_A), jnp.where(enough_A, middle_A, high_A)

    return jax.lax.fori_loop(0, N_HALVINGS, halve, (low_A, high_A))[1]


def _peak(value, low_A: jax.Array, high_A: jax.Array) -> jax.Array:
    """Where a function with one peak between low and high is largest, by thirds."""

    def narrow(_, bracket):
        low_A, high_A = bracket
        third_A = (high_A - low_A) / 3
        is_left_A = value(low_A + third_A) >= value(high_A - third_A)
        return jnp.where(is_left_A, low_A, low_A + third_A), jnp.where(is_left_A, high_A - third_A, high_A)

    low_A, high_A = jax.lax.fori_loop(0, N_HALVINGS, narrow, (low_A, high_A))
    return 0.5 * (low_A + high_A)
