"""The kind of a model: a causal decoder with a vocabulary, and no encoder, classifier or custom class."""

import pytest

from ie_scaling.errors import InputError
from ie_scaling.shapes import model_class
from ie_scaling.shapes.text_decoder import TextDecoder


def decoder(**fields):
    return TextDecoder(model_type="llama", fields=fields, classes=("LlamaForCausalLM",))


def test_a_decoder_may_be_named_or_not():
    model_class.check(decoder(), None)
    model_class.check(decoder(num_labels=2), ["LlamaForCausalLM"])
    model_class.check(decoder(auto_map={"AutoModelForCausalLM": "modeling.LlamaForCausalLM"}), None)


@pytest.mark.parametrize(
    ("fields", "outer", "words"),
    [
        ({}, ["BertModel"], r"architectures=\['BertModel'\]: another kind of model"),
        ({}, "LlamaForCausalLM", "must be a list of names"),
        ({"is_causal": False}, None, "is_causal=False: means an encoder"),
        ({"is_decoder": 0}, None, "is_decoder=0: must be true or false"),
        ({"num_labels": 5}, None, "num_labels=5: means a classifier"),
        ({"id2label": {"0": "a", "1": "b", "2": "c"}}, None, "num_labels=3: means a classifier"),
        ({"auto_map": {"AutoModelForCausalLM": "modeling.Other"}}, None, "auto_map: 'modeling.Other' is another kind"),
    ],
)
def test_another_kind_of_model_is_named(fields, outer, words):
    with pytest.raises(InputError, match=words):
        model_class.check(decoder(**fields), outer)
