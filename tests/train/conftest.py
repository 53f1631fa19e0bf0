"""A small corpus of the project's own making, prepared once for all training tests."""

import pytest

from ie_scaling.architecture import Architecture
from ie_scaling.corpus import prepare
from ie_scaling.corpus.config import CorpusConfig
from ie_scaling.train.config import RecipeConfig, TrainConfig
from ie_scaling.train.runtime_config import LogConfig, RuntimeConfig


@pytest.fixture(scope="session")
def recipe(text_folder, tmp_path_factory):
    config = CorpusConfig(
        text=str(text_folder), directory=str(tmp_path_factory.mktemp("corpus")), vocab_size=270, validation_fraction=0.2
    )
    prepare.prepare(config)
    return RecipeConfig(corpus=config, sequence_length=16, batch_size=8, eval_tokens=1024)


@pytest.fixture(scope="session")
def plan(recipe):
    shape = Architecture(d_model=24, n_layers=2, n_heads=2, n_kv_heads=1, d_head=10, d_ff=37, vocab_size=270)
    return TrainConfig(
        architecture=shape,
        n_tokens=12 * recipe.tokens_per_step,
        recipe=recipe,
        runtime=RuntimeConfig(log=LogConfig(every_steps=1)),
    )
