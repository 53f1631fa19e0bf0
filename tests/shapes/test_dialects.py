"""The table of model_types: known widths of a SwiGLU, words of differences, and rows that are in order."""

import pytest

from ie_scaling.shapes import dialects


def test_the_swiglu_width_holds_as_many_parameters_as_two_matrices():
    for width in range(1, 200):
        assert abs(3 * dialects.swiglu_width(width) - 2 * width) <= 1
    assert dialects.swiglu_width(4 * 768) == 2048


def test_differences_are_said_in_a_few_words():
    assert dialects.partial_rotary(0.25) == "rotary positions on 25 % of each head"
    assert dialects.sliding_window(4096, some=True) == "a sliding window of 4,096 tokens in some layers"
    assert dialects.other_mlp(True, "gelu_new") == "a gate of GELU"
    assert "two matrices and ReLU" in dialects.other_mlp(False, "relu")


@pytest.mark.parametrize("model_type", dialects.DIALECTS)
def test_a_row_names_classes_and_ends_where_windows_may_be(model_type):
    dialect = dialects.DIALECTS[model_type]
    assert dialect.classes
    assert all(name[0].isupper() for name in dialect.classes)
    assert dialect.window_in in ("all", "some")
    assert 0 < dialect.rotary_share <= 1
