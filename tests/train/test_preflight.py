"""What a dry run finds: everything that the real run would refuse, before anything is tokenized or written."""

import dataclasses
import sys

import pytest

from ie_scaling.architecture import Architecture
from ie_scaling.errors import InputError
from ie_scaling.train import preflight
from ie_scaling.train.config import TrainConfig
from ie_scaling.train.runtime_config import LogConfig, MeshConfig, PriceConfig, RuntimeConfig
from ie_scaling.train.sweep_config import SweepConfig

RUN = "d24-n2-h2-k1-c10-f37-v270@20k"


def with_recipe(plan, **fields):
    recipe = dataclasses.replace(plan.recipe, **fields)
    return dataclasses.replace(plan, recipe=recipe, n_tokens=max(plan.n_tokens, recipe.tokens_per_step))


def with_corpus(plan, tmp_path, **fields):
    """On a corpus that is still to be prepared."""
    corpus = dataclasses.replace(plan.recipe.corpus, directory=str(tmp_path / "corpus"), **fields)
    return with_recipe(plan, corpus=corpus)


def with_runtime(plan, **fields):
    return dataclasses.replace(plan, runtime=RuntimeConfig(**fields))


def test_a_plan_that_can_be_trained_has_nothing_said_of_it(plan):
    assert preflight.check([plan]) == []


def test_a_mesh_that_does_not_divide_the_devices_is_refused(plan):
    with pytest.raises(InputError, match=r"runtime.mesh: mesh data=1, fsdp=1, tensor=3: needs 3 devices, .* divide 8"):
        preflight.check([with_runtime(plan, mesh=MeshConfig(tensor=3))])


def test_a_mesh_priced_for_another_machine_is_remarked_on(plan):
    elsewhere = with_runtime(plan, mesh=MeshConfig(tensor=3), price=PriceConfig(device="h100-sxm"))
    (warning,) = preflight.check([elsewhere])
    assert warning.message.endswith("must divide 8 here; this is the price on h100-sxm")


@pytest.mark.parametrize(
    ("log", "module", "message"),
    [
        (LogConfig(wandb_project="study"), "wandb", r"wandb is not installed \(pip install 'ie_scaling\[wandb\]'"),
        (LogConfig(tensorboard=True), "tensorboardX", r"tensorboardX is not installed \(pip install tensorboardX\)"),
    ],
)
def test_a_missing_tracker_is_named_with_what_installs_it(plan, monkeypatch, log, module, message):
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=message):
        preflight.check([with_runtime(plan, log=log)])


def test_ray_that_is_missing_is_named_with_what_installs_it(recipe, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    config = SweepConfig(runs=(RUN,), executor="ray", recipe=recipe)
    with pytest.raises(InputError, match=r"ray is not installed \(pip install 'ie_scaling\[ray\]'\)"):
        preflight.check_sweep(config)


def test_more_runs_at_once_than_devices_are_remarked_on(recipe):
    runtime = RuntimeConfig(mesh=MeshConfig(data=4))
    config = SweepConfig(runs=(RUN, f"{RUN}-s1", f"{RUN}-s2"), n_parallel=3, recipe=recipe, runtime=runtime)
    (warning,) = preflight.check_sweep(config)
    assert "need 12 devices, there are 8" in warning.message


def test_a_model_beyond_the_memory_of_the_machine_is_remarked_on(plan):
    huge = Architecture.parse("d1048576-n4-h4-k1-c32-f384-v270")
    (warning,) = preflight.check([dataclasses.replace(plan, architecture=huge)])
    assert "of this machine" in warning.message


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sequence_length": 90_000, "batch_size": 1}, "sequence_length=90000: longer than the split's"),
        ({"batch_size": 2**20}, "more than the validation split's"),
        ({"mixture": ("nowhere@1",)}, r"nowhere/manifest.json: no such file"),
    ],
)
def test_a_prepared_corpus_that_cannot_serve_is_refused(plan, changes, message):
    with pytest.raises(InputError, match=message):
        preflight.check([with_recipe(plan, **changes)])


def test_tokens_beyond_the_vocabulary_are_refused(plan):
    recipe = dataclasses.replace(plan.recipe, corpus=dataclasses.replace(plan.recipe.corpus))
    with pytest.raises(InputError, match="vocab_size=100: must be above the largest token id"):
        preflight.corpora(recipe, 100)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"text": "nowhere"}, "nowhere"),
        ({"tokenizer": "nowhere.json"}, "nowhere.json"),
    ],
)
def test_a_corpus_that_cannot_be_prepared_is_refused_and_nothing_is_written(plan, tmp_path, fields, message):
    with pytest.raises(InputError, match=message):
        preflight.check([with_corpus(plan, tmp_path, **fields)])
    assert not list(tmp_path.iterdir())


def test_bytes_beyond_the_vocabulary_are_refused_before_they_are_tokenized(plan, tmp_path):
    small = dataclasses.replace(plan.architecture, vocab_size=100)
    bad = with_corpus(dataclasses.replace(plan, architecture=plan.architecture), tmp_path, tokenizer="byte")
    with pytest.raises(InputError, match="vocab_size=100: must be at least 257"):
        preflight.check([dataclasses.replace(bad, architecture=small)])


def test_a_text_that_cannot_hold_a_batch_is_refused_before_it_is_tokenized(plan, tmp_path):
    with pytest.raises(InputError, match="must hold a batch of"):
        preflight.check([with_recipe(with_corpus(plan, tmp_path), batch_size=2**20)])
    assert not list(tmp_path.iterdir())


def test_a_transfer_from_another_kind_of_shape_is_refused(plan):
    optimizer = dataclasses.replace(plan.recipe.optimizer, transfer="completep", base="d24-n2-h2-k1-c10-f37-v270-tied")
    with pytest.raises(InputError, match="tied_embeddings"):
        preflight.check([with_recipe(plan, optimizer=optimizer)])


def test_defaults_are_checked_quickly():
    assert list(preflight.machine([TrainConfig()])) == []
