"""Before JAX is imported: eight fake devices; then no silent rank promotion, steady hypothesis examples, and a text."""

import os

os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8".strip()

import random
from pathlib import Path

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


@pytest.fixture(scope="session")
def fit_config(tmp_path_factory):
    """A quick fit, by both methods and the bootstrap, of a noisy simulated table."""
    from ie_scaling.inference.config import NutsConfig
    from ie_scaling.laws import forms
    from ie_scaling.laws.config import FitConfig
    from ie_scaling.tables import cells
    from tests.laws.simulated import simulate

    folder = tmp_path_factory.mktemp("fit")
    frame = simulate(forms.get_law("chinchilla"), seed=3, tau=0.004, sigma=0.006, tokens=(1e8, 3e8, 1e9, 3e9))
    cells.write_table(folder / "runs.csv", frame)
    return FitConfig(
        runs=str(folder / "runs.csv"),
        where="n_tokens < 2e9",
        holdout="rest",
        law="chinchilla",
        n_starts=8,
        n_bootstrap=64,
        nuts=NutsConfig(n_chains=4, n_warmup=300, n_samples=300, min_ess=100, max_rhat=1.05),
    )


@pytest.fixture(scope="session")
def fit_directory(fit_config) -> Path:
    """Where `fit_config` was fitted."""
    from experiments import fit
    from ie_scaling.running import runner

    directory = Path(fit_config.runs).parent / "fit"
    runner.run(fit, fit_config, directory)
    return directory
