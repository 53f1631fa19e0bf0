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
def recipe(text_folder, tmp_path_factory):
    """A small corpus of the project's own making, prepared once for all tests that train."""
    from ie_scaling.corpus import prepare
    from ie_scaling.corpus.config import CorpusConfig
    from ie_scaling.train.config import RecipeConfig

    config = CorpusConfig(
        text=str(text_folder), directory=str(tmp_path_factory.mktemp("corpus")), vocab_size=270, validation_fraction=0.2
    )
    prepare.prepare(config)
    return RecipeConfig(corpus=config, sequence_length=16, batch_size=8, eval_tokens=1024)


@pytest.fixture(scope="session")
def plan(recipe):
    """A training run of twelve steps of a tiny decoder."""
    from ie_scaling.architecture import Architecture
    from ie_scaling.train.config import TrainConfig
    from ie_scaling.train.runtime_config import LogConfig, RuntimeConfig

    shape = Architecture(d_model=24, n_layers=2, n_heads=2, n_kv_heads=1, d_head=10, d_ff=37, vocab_size=270)
    return TrainConfig(
        architecture=shape,
        n_tokens=12 * recipe.tokens_per_step,
        recipe=recipe,
        runtime=RuntimeConfig(log=LogConfig(every_steps=1)),
    )


@pytest.fixture(scope="session")
def sweep_config(plan):
    """Two runs of six steps of that decoder, of different seeds."""
    from ie_scaling.train.sweep_config import SweepConfig

    shape, tokens = plan.architecture.name, plan.n_tokens // 2
    return SweepConfig(runs=(f"{shape}@{tokens}", f"{shape}@{tokens}-s1"), recipe=plan.recipe, runtime=plan.runtime)


@pytest.fixture(scope="session")
def fit_config(tmp_path_factory):
    """A quick fit, by both methods and the bootstrap, of a noisy simulated table."""
    from experiments import fit
    from ie_scaling.inference.config import NutsConfig
    from ie_scaling.laws import forms
    from ie_scaling.tables import cells
    from tests.laws.simulated import simulate

    folder = tmp_path_factory.mktemp("fit")
    frame = simulate(forms.get_law("chinchilla"), seed=3, tau=0.004, sigma=0.006, tokens=(1e8, 3e8, 1e9, 3e9))
    cells.write_table(folder / "runs.csv", frame)
    return fit.Config(
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
