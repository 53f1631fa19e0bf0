"""What a loss is worth in tokens."""

import jax
import jax.numpy as jnp
import numpy as np

from ie_scaling.laws.law import Law
from ie_scaling.laws.observations import Features, Reference

MAX_FACTOR = 1e4


def factor(law: Law, draws_W, features: Features, reference: Reference, gap_WA: np.ndarray) -> jax.Array:
    """By what factor the tokens of each architecture must grow to lose `gap_WA` less, in ln(nats), under each draw.

    1 where there is no gap, infinity where a factor of MAX_FACTOR is not enough. Bisection on ln(factor), every draw
    and architecture at once.
    """

    def fall(log_factor_A, draws):
        start_A = law.log_loss(draws, features, reference)
        return start_A - law.log_loss(draws, features.scale_tokens(jnp.exp(log_factor_A)), reference)

    def solve(draws, gap_A):
        top = float(np.log(MAX_FACTOR))

        def halve(_, bracket):
            low_A, high_A = bracket
            middle_A = 0.5 * (low_A + high_A)
            enough_A = fall(middle_A, draws) >= gap_A
            return jnp.where(enough_A, low_A, middle_A), jnp.where(enough_A, middle_A, high_A)

        bracket = jnp.zeros_like(gap_A), jnp.full_like(gap_A, top)
        _, high_A = jax.lax.fori_loop(0, 50, halve, bracket)
        reachable_A = fall(jnp.full_like(gap_A, top), draws) >= gap_A
        return jnp.where(gap_A <= 0, 1.0, jnp.where(reachable_A, jnp.exp(high_A), jnp.inf))

    solved = jax.jit(lambda draws_W, gap_WA: jax.lax.map(lambda pair: solve(*pair), (draws_W, gap_WA), batch_size=256))
    return solved(draws_W, gap_WA)
