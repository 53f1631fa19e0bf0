"""Before JAX is imported: eight fake devices; then no silent rank promotion, steady hypothesis examples, and a text."""

import os

os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8".strip()

import random

import hypothesis
import jax
import pytest

jax.config.update("jax_numpy_rank_promotion", "raise")
hypothesis.settings.register_profile("steady", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("steady")

WORDS = (
    "the",
    "law",
    "of",
    "a",
    "model",
    "with",
    "tokens",
    "and",
    "depth",
    "under",
    "latency",
    "bounds",
    "fit",
    "loss",
)


@pytest.fixture(scope="session")
def text_folder(tmp_path_factory):
    """Sixty documents of a second-order word chain: structure that a model can learn and a unigram cannot."""
    folder = tmp_path_factory.mktemp("text")
    rng = random.Random(0)
    for number in range(60):
        state, words = number % len(WORDS), []
        for _ in range(400):
            state = (2 * state + rng.choice((1, 3))) % len(WORDS)
            words.append(WORDS[state])
        (folder / f"{number:02d}.txt").write_text(" ".join(words))
    return folder
