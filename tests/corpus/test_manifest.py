"""A manifest is checked field by field; its identity is that of the tokens, not of their place."""

import json
import shutil

import numpy as np
import pytest

from ie_scaling.corpus import manifest
from ie_scaling.corpus.splits import SPLITS
from ie_scaling.corpus.tokens import TokenStore
from ie_scaling.errors import InputError
from tests.corpus.conftest import write_store

TOKENS = np.arange(50, dtype=np.uint16)


@pytest.fixture
def directory(tmp_path):
    """A corpus whose splits are the same two shards."""
    write_store(tmp_path / "corpus", TOKENS, cuts=(20,))
    change(tmp_path / "corpus", lambda value: value["splits"].update(validation=value["splits"]["train"]))
    return tmp_path / "corpus"


def change(directory, how):
    path = directory / "manifest.json"
    value = json.loads(path.read_text())
    how(value)
    path.write_text(json.dumps(value))


@pytest.mark.parametrize("text", ["[]", "null", "5", '"a"', "", "{", "[" * 99_999, "\x00"])
def test_a_manifest_of_another_kind_is_one_line(directory, text):
    (directory / "manifest.json").write_text(text)
    with pytest.raises(InputError, match=r"manifest.json: (is no JSON object|not valid JSON)") as caught:
        manifest.load(directory)
    assert "\n" not in str(caught.value)


BAD = {
    "vocab_size": (lambda value: value.update(vocab_size="512"), "vocab_size: must be an integer from 1"),
    "true": (lambda value: value.update(vocab_size=True), "vocab_size: must be an integer from 1"),
    "splits": (lambda value: value.update(splits=[]), "splits: is no JSON object"),
    "split": (lambda value: value["splits"].update(train=None), "splits.train: is no JSON object"),
    "none": (lambda value: value["splits"]["train"].update(shards=[]), "splits.train.shards: lists no shard"),
    "shard": (lambda value: value["splits"]["train"]["shards"].append(7), r"shards\[2\]: is no JSON object"),
    "above": (lambda value: first(value).update(file="../x.npy"), r"shards\[0\].file: must be a file inside"),
    "root": (lambda value: first(value).update(file="/etc/passwd"), r"shards\[0\].file: must be a file inside"),
    "twice": (lambda value: first(value).update(file="shards/1.npy"), r"shards\[1\].file: is listed twice"),
    "sha256": (lambda value: first(value).update(sha256="x"), r"shards\[0\].sha256: must be a SHA-256"),
    "empty": (lambda value: first(value).update(n_tokens=0), r"shards\[0\].n_tokens: must be an integer from 1"),
    "id": (lambda value: first(value).update(max_id=50), r"shards\[0\].max_id: must be an integer from 0 to 49"),
    "end": (lambda value: value.update(end_of_text_id=50), "end_of_text_id: must be an integer from 0 to 49"),
    "warnings": (lambda value: value.update(warnings="none"), "warnings: is no list of sentences"),
}


def first(value):
    return value["splits"]["train"]["shards"][0]


@pytest.mark.parametrize("name", BAD)
def test_a_field_of_another_type_or_range_is_named(directory, name):
    how, message = BAD[name]
    change(directory, how)
    with pytest.raises(InputError, match=message):
        manifest.load(directory)


def test_a_missing_field_is_named(directory):
    for name in ("vocab_size", "end_of_text_id", "tokenizer_sha256"):
        before = (directory / "manifest.json").read_text()
        change(directory, lambda value, name=name: value.pop(name))
        with pytest.raises(InputError, match=f"has no '{name}'; prepare the corpus anew"):
            TokenStore.open(directory, "train")
        (directory / "manifest.json").write_text(before)


def test_the_identity_is_that_of_the_tokens_and_not_of_their_place(directory, tmp_path):
    identity = manifest.identity(directory)
    shutil.copytree(directory, tmp_path / "elsewhere")
    assert manifest.identity(tmp_path / "elsewhere") == identity
    change(directory, lambda value: value.update(text="moved", warnings=["one"]))
    assert manifest.identity(directory) == identity
    change(directory, lambda value: first(value).update(sha256="0" * 64))
    assert manifest.identity(directory) != identity
    assert len(identity) == 64
    assert set(SPLITS) == {"train", "validation"}
