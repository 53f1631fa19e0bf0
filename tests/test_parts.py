"""Parts of a decoder: scalars are exact, and arrays of shapes give what each shape gives."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ie_scaling import accounting
from ie_scaling.architecture import Architecture, Shape
from ie_scaling.parts import AttentionShape, EmbeddingShape, MLPShape
from tests.test_architecture import architectures

COUNTS = {
    "embedding parameters": accounting.count_embedding_parameters,
    "matrix parameters": accounting.count_matrix_parameters,
    "layer parameters": accounting.count_layer_parameters,
    "non-embedding parameters": accounting.count_non_embedding_parameters,
    "parameters": accounting.count_parameters,
    "forward FLOPs": lambda shape: accounting.forward_flops_per_token(shape, 17),
    "training FLOPs": lambda shape: accounting.training_flops(shape, 1000, 23),
    "weight bytes": lambda shape: accounting.weight_bytes(shape, 2),
    "cache bytes": lambda shape: accounting.kv_cache_bytes_per_token(shape, 2),
    "query width": lambda shape: shape.attention.query_width,
    "causal FLOPs": lambda shape: shape.attention.causal_attending_flops(19),
    "live elements of attention": lambda shape: shape.attention.live_elements,
    "live elements of the MLP": lambda shape: shape.mlp.live_elements,
    "product elements": lambda shape: shape.attention.product_elements + shape.mlp.product_elements,
    "saved bytes": lambda shape: shape.attention.saved_bytes(2, 29) + shape.mlp.saved_bytes(2),
    "rows alone": lambda shape: shape.embedding.rows_only_parameters,
}
RATIOS = {
    "r": accounting.mlp_attention_ratio,
    "g": lambda shape: shape.attention.query_group,
    "d/n": lambda shape: shape.aspect_ratio,
}


@pytest.mark.parametrize("name", [*COUNTS, *RATIOS])
@given(shapes=st.lists(architectures(largest=5000), min_size=1, max_size=5))
def test_arrays_give_what_each_shape_gives(name, shapes):
    of = (COUNTS | RATIOS)[name]
    each = [of(a) for a in shapes]
    if name in COUNTS:
        assert all(type(value) is int for value in each)
    np.testing.assert_array_equal(of(Shape.of(shapes)), np.array(each, float))


@given(st.lists(architectures(), min_size=1, max_size=5))
def test_columns_of_a_table_are_a_shape_without_flags(shapes):
    frame = pd.DataFrame([a.to_fields() for a in shapes])
    plain = [dataclasses.replace(a, tied_embeddings=False, qk_norm=False) for a in shapes]
    expected = [accounting.count_parameters(a) for a in plain]
    assert accounting.count_parameters(Shape.of_columns(frame)).tolist() == expected


def test_an_unknown_size_is_unknown_only_where_it_counts():
    shape = Shape(
        d_model=np.array([4.0, 4.0]),
        n_layers=3.0,
        n_heads=2.0,
        n_kv_heads=1.0,
        d_head=2.0,
        d_ff=np.array([np.nan, 5.0]),
        vocab_size=7.0,
    )
    np.testing.assert_array_equal(accounting.mlp_attention_ratio(shape), [np.nan, 60 / 48])
    np.testing.assert_array_equal(shape.attention.parameters, [48, 48])


def test_scalars_are_exact_where_float64_is_not():
    a = Architecture(
        d_model=2**31 - 1, n_layers=3, n_heads=1, n_kv_heads=1, d_head=2, d_ff=2**31 - 1, vocab_size=2**31 - 1
    )
    width = 2**31 - 1
    assert accounting.count_parameters(a) == 3 * (3 * width**2 + 8 * width + 2 * width) + width + 2 * width**2


def test_parts_by_hand():
    attention = AttentionShape(d_model=5, n_heads=6, n_kv_heads=2, d_head=4, qk_norm=True)
    assert (attention.parameters, attention.gains) == (5 * 24 + 2 * 5 * 8 + 24 * 5, 5 + 8)
    assert (attention.query_width, attention.kv_width, attention.query_group) == (24, 8, 3)
    assert (attention.cache_elements, attention.live_elements) == (16, 24 + 8 + 8 + 24)
    assert attention.attending_flops(10) == 2 * 10 * 24 + 2 * 10 * 24
    assert attention.causal_attending_flops(3) * 3 == sum(attention.attending_flops(c) for c in (1, 2, 3))
    mlp = MLPShape(d_model=5, d_ff=7)
    assert (mlp.parameters, mlp.gains, mlp.live_elements, mlp.product_elements) == (105, 5, 21, 19)
    untied = EmbeddingShape(d_model=5, vocab_size=11, matrices=2)
    assert (untied.parameters, untied.unembedding_flops, untied.rows_only_parameters) == (110, 110, 55)
    assert EmbeddingShape(d_model=5, vocab_size=11).rows_only_parameters == 0
