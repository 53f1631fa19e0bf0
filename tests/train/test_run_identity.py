"""What a run came from: its corpora by content, and their warnings."""

import dataclasses
import shutil

import pytest

from ie_scaling.corpus import manifest
from ie_scaling.errors import InputError
from ie_scaling.running import files
from ie_scaling.running.diagnostic import Kind
from ie_scaling.train import run_identity
from ie_scaling.train.run_identity import RunIdentity


@pytest.fixture
def moved(plan, tmp_path):
    """The plan on a corpus of its own."""
    corpus = dataclasses.replace(plan.recipe.corpus, directory=str(tmp_path / "corpus"))
    shutil.copytree(plan.recipe.corpus.directory, corpus.directory)
    return dataclasses.replace(plan, recipe=dataclasses.replace(plan.recipe, corpus=corpus)), tmp_path / "corpus"


def change(folder, **fields):
    value = files.read_json(folder / "manifest.json")
    files.write_json(folder / "manifest.json", manifest.seal(value | fields))


def test_the_same_shards_are_the_same_data_and_others_are_not(plan, moved):
    own, folder = moved
    assert RunIdentity.of(own).data == RunIdentity.of(plan).data
    change(folder, text="elsewhere")
    assert RunIdentity.of(own).data == RunIdentity.of(plan).data
    change(folder, tokenizer_sha256="0")
    assert RunIdentity.of(own).data != RunIdentity.of(plan).data


def test_how_a_run_is_run_is_no_part_of_it(plan):
    runtime = dataclasses.replace(plan.runtime, accumulation=2)
    assert RunIdentity.of(dataclasses.replace(plan, runtime=runtime)) == RunIdentity.of(plan)
    assert RunIdentity.of(dataclasses.replace(plan, seed=1)) != RunIdentity.of(plan)


@pytest.mark.parametrize("content", ["[]", "4", "{}", '{"splits": []}', '{"splits": {"train": 4}}'])
def test_a_manifest_that_is_none_is_one_line(moved, content):
    own, folder = moved
    (folder / "manifest.json").write_text(content)
    with pytest.raises(InputError, match=r"manifest.json: .*prepare the corpus anew"):
        run_identity.corpora(own.recipe)


def test_warnings_of_the_corpora_come_once(moved):
    own, folder = moved
    change(folder, warnings=["the tokenizer loses text"])
    (found,) = run_identity.corpus_diagnostics([own.recipe, own.recipe])
    assert (found.kind, found.message) == (Kind.CORPUS, "the tokenizer loses text")
