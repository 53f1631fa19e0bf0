"""What is tested here is what the programs compute, not how fast: they are compiled with fewer optimizations."""

import jax
import pytest


@pytest.fixture(autouse=True, scope="package")
def _compile_quickly():
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)
