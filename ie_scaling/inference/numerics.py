"""How the laws are computed: in 64 bits on the host's CPU, whatever the rest of the process does."""

import contextlib
from collections.abc import Generator

import jax

# Small programs that run for seconds: LLVM's later passes cost three times what they save here, and XLA's newer
# fusion emitters, which later releases no longer let one choose against, twice the time to compile.
_PLAIN_FUSIONS = {"xla_cpu_use_fusion_emitters": False} if jax.__version_info__ < (0, 11) else {}
COMPILER_OPTIONS = {"xla_backend_optimization_level": 1} | _PLAIN_FUSIONS
RUN_ONCE_OPTIONS = {"xla_backend_optimization_level": 0} | _PLAIN_FUSIONS  # what runs once: hardly any time to compile


@contextlib.contextmanager
def double_precision() -> Generator[None]:
    """Float64 on CPU for what is traced and run inside; a process may train in float32 outside."""
    with jax.enable_x64(True), jax.default_device(jax.local_devices(backend="cpu")[0]):
        yield
