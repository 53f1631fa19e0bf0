"""Fields that no dialect reads: harmless ones, those of another kind of model, and those not understood."""

import pytest

from ie_scaling.errors import InputError
from ie_scaling.shapes import fields

SHAPE = {"d_model": 64, "n_layers": 3, "n_heads": 4, "n_kv_heads": 2, "d_head": 16, "width": 192, "vocab_size": 512}


def judge(**others):
    return fields.judge(others, {"hidden_size"}, SHAPE, with_inputs=False)


def test_what_is_read_repeated_or_absent_is_passed_over():
    assert judge(hidden_size=64, n_layer=3, kv_channels=16, use_cache=True, anything=None) == []


def test_what_is_not_understood_is_told_in_a_few_words():
    assert judge(frobnication="twice") == ["frobnication='twice'"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"n_layer": 4}, "n_layer=4: contradicts what the other fields say, 3"),
        ({"num_experts": 8}, "num_experts=8: means .*; a model with that is not read"),
        ({"frobnication_size": 3}, "frobnication_size=3: not understood, and it may change the shape"),
    ],
)
def test_what_may_change_the_shape_is_refused(change, words):
    with pytest.raises(InputError, match=words):
        judge(**change)


def test_no_experts_one_or_none_are_a_dense_model():
    for value in (None, 0, 1, False):
        assert judge(num_experts=value) == []


def test_types_of_layers_say_whether_some_have_a_window():
    kinds = ["full_attention", "sliding_attention", "full_attention"]
    assert fields.check_layer_types(kinds, 3)
    assert not fields.check_layer_types(kinds[:1], 1)
    with pytest.raises(InputError, match="must name each of the 4 layers; it has 3"):
        fields.check_layer_types(kinds, 4)
    with pytest.raises(InputError, match="'mamba' is none of full_attention, sliding_attention"):
        fields.check_layer_types(["mamba"], 1)


def test_a_gate_must_go_with_the_matrices_of_the_mlp():
    fields.check_gate({"mlp_gate": None}, True)
    with pytest.raises(InputError, match="contradicts an MLP of 2 matrices"):
        fields.check_gate({"gated_mlp": True}, False)


@pytest.mark.parametrize("value", [10**400, ["x" * 500] * 9, {"a": {"b": {"c": {"d": 1}}}}, "x" * 5000])
def test_a_value_is_shown_on_a_short_line(value):
    shown = fields.shown(value)
    assert len(shown) <= 90
    assert "\n" not in shown
