"""Runs of a sweep name their shapes as every verb does, and what is no run is one short line."""

import dataclasses
import json

import pytest

from ie_scaling.errors import InputError
from ie_scaling.shapes import lookup
from ie_scaling.train.config import OptimizerConfig, TrainConfig
from ie_scaling.train.sweep_config import SweepConfig

SHAPE = "d24-n2-h2-k1-c10-f37-v270"
SMALL = "d64-n2-h2-k1-c32-f192-v1024"


def test_runs_take_public_names_paths_and_shapes(tmp_path):
    path = tmp_path / "config.json"
    fields = {"model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    path.write_text(json.dumps(fields | {"intermediate_size": 192, "vocab_size": 1024, "num_key_value_heads": 1}))
    runs = ("Qwen/Qwen3-0.6B@1000000", "gpt2@1000000-s3", f"{path}@1000000", f"{SMALL}@2000000")
    config = SweepConfig(runs=runs)
    names = [plan.architecture.name for plan in config.plans]
    assert names == [lookup.resolve("qwen3-0.6b").name, lookup.resolve("gpt2").name, SMALL, SMALL]
    assert config.shape_specs == ("Qwen/Qwen3-0.6B", "gpt2", str(path), SMALL)


def test_one_shape_under_two_names_is_one_run():
    with pytest.raises(InputError, match="is listed twice"):
        SweepConfig(runs=("gpt2@1000000", f"{lookup.resolve('gpt2').name}@1000000"))


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ("gtp2@1000000", "unknown architecture.*gpt2"),
        ("x" * 100_000, "characters"),
        ("x" * 100_000 + "@1000000", "characters"),
        ("gpt2@" + "9" * 900, "runs=.*must be"),
        (SMALL.replace("d64", "d" + "6" * 400) + "@1000000", "d_model=66666666... of 400 digits"),
        ("gpt2@1000000,batch_size=" + "[" * 100_000, "runs="),
        ("gpt2@1000000,batch_size=" + "-" * 900, "batch_size="),
    ],
    ids=range(7),
)
def test_what_is_no_run_is_one_short_line(run, words):
    with pytest.raises(InputError, match=words) as error:
        SweepConfig(runs=(run,))
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 1500


def test_a_training_run_says_which_public_models_have_its_shape():
    assert TrainConfig().shape_specs == ()
    config = TrainConfig(architecture=lookup.resolve("llama-3-8b"))
    assert config.shape_specs == ("llama-3-8b", "llama-3.1-8b")


def test_the_base_of_transferred_rates_may_be_a_public_model():
    assert OptimizerConfig(transfer="completep", base="smollm-135m").base == "smollm-135m"
    with pytest.raises(InputError, match="unknown architecture"):
        OptimizerConfig(transfer="completep", base="smolm-9b")


def test_overrides_change_the_recipe_and_the_run_id(sweep_config):
    runs = (f"{SHAPE}@500", f"{SHAPE}@500-s3,optimizer.learning_rate=0.01,batch_size=4,optimizer.schedule=wsd")
    first, second = dataclasses.replace(sweep_config, runs=runs).plans
    assert first.recipe == sweep_config.recipe
    assert second.recipe.optimizer.learning_rate == 0.01
    assert second.recipe.optimizer.schedule == "wsd"
    assert (second.recipe.batch_size, second.seed) == (4, 3)
    assert second.run_id.endswith("-s3,optimizer.learning_rate=0.01,batch_size=4,optimizer.schedule=wsd")


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        ((), "at least one run"),
        (("d24-n2@100",), "unknown architecture"),
        ((f"{SHAPE}@many",), "expected ARCHITECTURE@TOKENS"),
        ((f"{SHAPE}@1",), "at least one step"),
        ((f"{SHAPE}@500", f"{SHAPE}@500"), "listed twice"),
        (("d24-n2-h2-k1-c10-f37-v99@500",), "at least the tokenizer's"),
        ((f"{SHAPE}@500,optimizer.rate=1",), r"optimizer.rate: unknown field; valid fields are learning_rate"),
        ((f"{SHAPE}@500,optimiser.learning_rate=1",), "optimiser is no group of fields"),
        ((f"{SHAPE}@500,optimizer.learning_rate=fast",), "must be of type float"),
    ],
)
def test_bad_sweeps_are_named(recipe, runs, message):
    with pytest.raises(InputError, match=message):
        SweepConfig(runs=runs, recipe=recipe)
