"""Shapes in a study's proportions: heads fill the width, sizes are met or refused, aspect ratios are spread."""

import itertools

import pytest

from experiments.latency_study.config import Config, ProportionsConfig
from experiments.latency_study.shapes import Shapes
from ie_scaling import accounting
from ie_scaling.errors import InputError

SHAPES = Shapes(Config(proportions=ProportionsConfig(d_head=16, query_group=2, mlp_attention_ratio=3.0)))


def test_heads_fill_the_width_in_whole_groups():
    a = SHAPES.of_width("depth_widths", 96, 5)
    assert (a.n_heads, a.n_kv_heads, a.n_layers) == (6, 3, 5)
    assert accounting.mlp_attention_ratio(a) == pytest.approx(3, rel=0.1)
    with pytest.raises(InputError, match=r"depth_widths=80: must be a multiple of d_head·query_group = 32"):
        SHAPES.of_width("depth_widths", 80, 5)


def test_a_size_is_met_within_the_tolerance_or_not_at_all():
    a = SHAPES.of_size(1_000_000, 128, 4, 8, 4)
    assert accounting.count_non_embedding_parameters(a) == pytest.approx(1_000_000, rel=0.03)
    assert SHAPES.of_size(1000, 128, 4, 8, 4) is None  # attention alone has more


def test_aspect_ratios_of_one_size_span_the_range_in_even_steps_of_their_logarithm():
    shapes = SHAPES.of_aspect_ratios(12_000_000)
    ratios = [a.aspect_ratio for a in shapes]
    assert ratios == sorted(set(ratios))
    steps = [after / before for before, after in itertools.pairwise(ratios)]
    assert max(steps) < 2 * min(steps)
    with pytest.raises(InputError, match=r"n_aspect_ratios=6: only \d+ shapes of 1,000 parameters"):
        SHAPES.of_aspect_ratios(1000)
