"""The device's two ceilings, measured: bytes read a second and FLOPs a second."""

import dataclasses
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp

REPEATS = 8
READ_WIDTH = 4096
MATRIX_WIDTH = {"cpu": 1024}
MATRIX_WIDTH_OTHERWISE = 8192
LEAST_READ_BYTES, MOST_READ_BYTES = 2**22, 2**30


@dataclasses.dataclass(frozen=True)
class Ceilings:
    """Best rates seen on this device: bytes read a second (by working-set size) and FLOPs a second."""

    bytes_per_s: dict[int, float]
    flops_per_s: float

    def bandwidth(self, working_set_bytes: float) -> float:
        """Bytes a second for a working set of this size; a small one may live in a processor cache."""
        return self.bytes_per_s[_read_size(working_set_bytes)]

    def best(self, other: "Ceilings") -> "Ceilings":
        """The better of two measurements, each ceiling for itself; both know the same working sets."""
        bytes_per_s = {size: max(rate, other.bytes_per_s[size]) for size, rate in self.bytes_per_s.items()}
        return Ceilings(bytes_per_s, max(self.flops_per_s, other.flops_per_s))


def measure_ceilings(working_sets: list[float], dtype: str) -> Ceilings:
    """Bandwidth at each of these working-set sizes in bytes (to a power of two), and the matmul rate in `dtype`."""
    sizes = sorted({_read_size(size) for size in working_sets})
    return Ceilings({size: _bandwidth(size) for size in sizes}, _matmul_rate(dtype))


def _read_size(n_bytes: float) -> int:
    """The nearest power of two (in ratio) between the two limits."""
    size = LEAST_READ_BYTES
    while size < MOST_READ_BYTES and size * 2**0.5 < n_bytes:
        size *= 2
    return size


def _bandwidth(n_bytes: int) -> float:
    """Bytes a second of float32 matrix-vector products that read n_bytes each, the way decoding reads its weights."""
    matrix_OI = jnp.zeros((n_bytes // (4 * READ_WIDTH), READ_WIDTH), jnp.float32)
    repeats = max(1, 2**26 // n_bytes)

    def chain(matrix_OI: jax.Array, x_1I: jax.Array) -> jax.Array:
        def body(_: int, x_1I: jax.Array) -> jax.Array:
            y_1O = jnp.einsum("TI,OI->TO", x_1I, matrix_OI)
            return x_1I + y_1O[0, 0]  # the next product waits for this one

        return jax.lax.fori_loop(0, repeats, body, x_1I)

    x_1I = jnp.ones((1, READ_WIDTH), jnp.float32)
    compiled = jax.jit(chain).lower(matrix_OI, x_1I).compile()
    return repeats * n_bytes / _best_s(lambda: compiled(matrix_OI, x_1I))


def _matmul_rate(dtype: str) -> float:
    """FLOPs a second of a large square product."""
    width = MATRIX_WIDTH.get(jax.default_backend(), MATRIX_WIDTH_OTHERWISE)
    matrix_II = jnp.ones((width, width), dtype)
    compiled = jax.jit(lambda x, y: x @ y).lower(matrix_II, matrix_II).compile()
    return 2 * width**3 / _best_s(lambda: compiled(matrix_II, matrix_II))


def _best_s(run: Callable[[], jax.Array]) -> float:
    """The shortest of some runs, after a warm-up."""
    jax.block_until_ready(run())
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        jax.block_until_ready(run())
        times.append(time.perf_counter() - start)
    return min(times)
