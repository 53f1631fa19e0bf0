"""Shapes as callers name them, and their tokens."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ie_scaling.api.shapes import NamedShapes, tokens_of
from ie_scaling.architecture import Architecture
from ie_scaling.errors import InputError
from ie_scaling.running import files

NAME = "d64-n4-h4-k2-c16-f192-v512"
LLAMA = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 64, "num_hidden_layers": 4}
LLAMA |= {"num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 192, "vocab_size": 512}
LLAMA |= {"head_dim": 16, "tie_word_embeddings": False, "rope_theta": 10000.0, "hidden_act": "silu"}


def test_a_shape_is_an_architecture_a_name_a_public_model_or_a_config(tmp_path):
    path = tmp_path / "config.json"
    files.write_json(path, LLAMA)
    shape = Architecture.parse(NAME)
    named = NamedShapes.of([shape, NAME, path, str(path), "pythia-160m"])
    assert named.architectures[:4] == (shape,) * 4
    assert named.names == (NAME, NAME, str(path), str(path), "pythia-160m")
    assert named.architectures[4].n_layers == 12
    assert len(named.notes) == 1
    assert named.name_of(named.architectures[4].name) == "pythia-160m"
    assert named.name_of("d2-of-a-grid") == "d2-of-a-grid"


@pytest.mark.parametrize("one", [NAME, Path(NAME), Architecture.parse(NAME), np.array(NAME), pd.Series([NAME])])
def test_one_shape_needs_no_list(one):
    assert NamedShapes.of(one).names == (NAME,)


@pytest.mark.parametrize("given", [3e9, 3, np.float32(3), np.array(3.0), [1e9, 2e9], np.array([1e9, 2e9]), (5, 6)])
def test_tokens_are_one_number_or_one_each(given):
    np.testing.assert_array_equal(tokens_of(given, 2), np.broadcast_to(np.array(given, float), 2))


@pytest.mark.parametrize("given", [0, -1, 1e19, 10**400, float("nan"), "3B", None, True, [1, 2, 3], [None, 1], 1j])
def test_other_tokens_are_refused_in_a_line(given):
    with pytest.raises(InputError, match=r"^n_tokens") as caught:
        tokens_of(given, 2)
    assert len(str(caught.value)) < 200
    assert "\n" not in str(caught.value)
