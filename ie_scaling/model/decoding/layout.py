"""CPU weight layout for batched matrix-vector products: orientation of the matrices, and the stride of their rows.

Processors differ: of two kinds tried, one multiplied 8 to 32 vectors a quarter faster with the inputs contiguous, the
other 1.2 to 1.8 times as fast with the outputs contiguous. So that is measured, once a process. Rows that lie a
multiple of 16 KiB apart share their places in the cache: products of 2 to 32 vectors with 8192, 16384, 32768 or 65536
outputs took 1.16 times as long (median of 36 cases, 0.81 to 1.52) as with rows 192 bytes longer; with 50432 or 128256
outputs, 1.01 times (median of 18). All in float32; other types are padded by as many elements, which was not measured.
"""

import functools
import statistics
import time

import jax
import jax.numpy as jnp

SLOW_WIDTH, PADDING = 4096, 48  # elements from row to row that are slow, and what is added to them
N_VECTORS, WIDTHS, N_MATRICES, N_ROUNDS = 8, (1024, 2816), 4, 7  # 46 MB in float32: more than most caches


@functools.cache
def many_in_first() -> bool:
    """Whether (inputs, outputs) is the faster layout for several vectors, in float32; measured on CPUs only."""
    if jax.default_backend() != "cpu":
        return False
    with jax.ensure_compile_time_eval():  # even while something else is being traced
        runs = [_compile(in_first) for in_first in (True, False)]
        times = [[_seconds(*run) for run in runs] for _ in range(N_ROUNDS)]  # in turns: under the same load
    return statistics.median(first / last for first, last in times) < 1


def padding(width: int) -> int:
    """Unused elements after each row of `width`, so that rows do not share their places in a CPU's cache."""
    return PADDING if jax.default_backend() == "cpu" and width % SLOW_WIDTH == 0 else 0


def _compile(in_first: bool) -> tuple[jax.stages.Compiled, list[jax.Array]]:
    """Products in a row, each waiting for the one before it, and their arguments; run once."""
    wide, narrow = max(WIDTHS), min(WIDTHS)
    shape = (narrow, wide) if in_first else (wide, narrow)
    arguments = [jnp.ones((N_VECTORS, narrow), jnp.float32)]
    arguments += [jnp.ones(shape, jnp.float32) for _ in range(N_MATRICES)]

    def chain(x_BI: jax.Array, *matrices: jax.Array) -> jax.Array:
        for matrix in matrices:
            y_BO = jnp.einsum("BI,IO->BO" if in_first else "BI,OI->BO", x_BI, matrix)
            x_BI = x_BI + 1e-9 * y_BO[:, :1]
        return x_BI

    compiled = jax.jit(chain).lower(*arguments).compile()
    jax.block_until_ready(compiled(*arguments))
    return compiled, arguments


def _seconds(compiled: jax.stages.Compiled, arguments: list[jax.Array]) -> float:
    start = time.perf_counter()
    jax.block_until_ready(compiled(*arguments))
    return time.perf_counter() - start
