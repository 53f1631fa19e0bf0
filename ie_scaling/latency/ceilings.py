"""The device's two ceilings, measured again and again beside what they bound: bytes read a second, FLOPs a second."""

import dataclasses
import time
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

REPEATS = 3
READ_WIDTH = 4096
MATRIX_WIDTH = {"cpu": 1024}
MATRIX_WIDTH_OTHERWISE = 8192
LEAST_READ_BYTES, MOST_READ_BYTES = 2**22, 2**30


@dataclasses.dataclass(frozen=True)
class Ceilings:
    """Rates of this device: bytes read a second (by working-set size) and FLOPs a second."""

    bytes_per_s: dict[int, float]
    flops_per_s: float

    def bandwidth(self, working_set_bytes: float) -> float:
        """Bytes a second for a working set of this size; a small one may live in a processor cache."""
        return self.bytes_per_s[_read_size(working_set_bytes)]


def typical(measured: Sequence[Ceilings]) -> Ceilings:
    """The medians of some measurements of the same working sets."""
    sizes = measured[0].bytes_per_s
    return Ceilings(
        {size: float(np.median([one.bytes_per_s[size] for one in measured])) for size in sizes},
        float(np.median([one.flops_per_s for one in measured])),
    )


class Probe:
    """Measures bandwidth at these working-set sizes in bytes (to a power of two), and the matmul rate in `dtype`.

    Compiled and warmed up once, so that measuring compiles nothing; it takes `REPEATS` reads of each size and products.
    """

    def __init__(self, working_sets: Sequence[float], dtype: str):
        self._reads = {size: _reading(size) for size in _read_sizes(working_sets)}
        self._multiply, self._flops = _multiplying(dtype)
        self.measure()

    def measure(self) -> Ceilings:
        """The ceilings at this moment: of each the best of a few runs in a row."""
        bytes_per_s = {size: moved / _best_s(read) for size, (read, moved) in self._reads.items()}
        return Ceilings(bytes_per_s, self._flops / _best_s(self._multiply))


def probe_bytes(working_sets: Sequence[float], dtype_bytes: int) -> int:
    """The memory that a Probe of these holds to read and to multiply, in bytes."""
    return sum(_read_sizes(working_sets)) + 2 * _matrix_width() ** 2 * dtype_bytes


def _read_sizes(working_sets: Sequence[float]) -> list[int]:
    return sorted({_read_size(size) for size in working_sets})


def _read_size(n_bytes: float) -> int:
    """The nearest power of two (in ratio) between the two limits."""
    size = LEAST_READ_BYTES
    while size < MOST_READ_BYTES and size * 2**0.5 < n_bytes:
        size *= 2
    return size


def _reading(n_bytes: int) -> tuple[Callable[[], jax.Array], int]:
    """Float32 matrix-vector products that read n_bytes each, as decoding reads its weights; and the bytes of all."""
    matrix_OI = jnp.zeros((n_bytes // (4 * READ_WIDTH), READ_WIDTH), jnp.float32)
    repeats = max(1, 2**26 // n_bytes)

    def chain(matrix_OI: jax.Array, x_1I: jax.Array) -> jax.Array:
        def body(_: int, x_1I: jax.Array) -> jax.Array:
            y_1O = jnp.einsum("TI,OI->TO", x_1I, matrix_OI)
            return x_1I + y_1O[0, 0]  # the next product waits for this one

        return jax.lax.fori_loop(0, repeats, body, x_1I)

    x_1I = jnp.ones((1, READ_WIDTH), jnp.float32)
    compiled = jax.jit(chain).lower(matrix_OI, x_1I).compile()
    return lambda: compiled(matrix_OI, x_1I), repeats * n_bytes


def _multiplying(dtype: str) -> tuple[Callable[[], jax.Array], int]:
    """A large square product, and its FLOPs."""
    width = _matrix_width()
    matrix_II = jnp.ones((width, width), dtype)
    compiled = jax.jit(lambda x, y: x @ y).lower(matrix_II, matrix_II).compile()
    return lambda: compiled(matrix_II, matrix_II), 2 * width**3


def _matrix_width() -> int:
    return MATRIX_WIDTH.get(jax.default_backend(), MATRIX_WIDTH_OTHERWISE)


def _best_s(run: Callable[[], jax.Array]) -> float:
    """The shortest of some runs."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        jax.block_until_ready(run())
        times.append(time.perf_counter() - start)
    return min(times)
