"""Rules of grids and comparisons: a broken one is a short line that names field and value."""

import math

import pytest

from experiments import rank, select
from ie_scaling.errors import InputError
from ie_scaling.search.config import GridConfig


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n_params", -1.0),
        ("n_params", math.nan),
        ("n_params", math.inf),
        ("tolerance", math.nan),
        ("tolerance", 0.0),
        ("aspect_ratios", ()),
        ("aspect_ratios", (8.0, math.inf)),
        ("aspect_ratios", (math.nan, 512.0)),
        ("aspect_ratios", (512.0, 8.0)),
        ("width_step", 0),
        ("width_step", 10**400),
        ("max_width", 64),
        ("d_head", 0),
        ("d_head", 3),
        ("d_ff_step", 0),
        ("mlp_ratios", ()),
        ("mlp_ratios", (math.inf,)),
        ("mlp_ratios", (math.nan,)),
        ("query_groups", ()),
        ("query_groups", (0,)),
        ("vocab_size", 0),
    ],
)
def test_grid_rules(field, value):
    with pytest.raises(InputError, match=field) as caught:
        GridConfig(**{field: value})
    assert len(str(caught.value)) < 200
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("config", [rank.Config, select.Config])
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seed", -1),
        ("seed", 10**30),
        ("seed", 2**32),
        ("top_k", 0),
        ("top_k", 10**400),
        ("n_tokens", 0.0),
        ("n_tokens", math.nan),
        ("n_tokens", 1e300),
        ("level", "model"),
    ],
)
def test_rules_of_rank_and_select(config, field, value):
    with pytest.raises(InputError, match=f"^{field}=") as caught:
        config(**{field: value})
    assert len(str(caught.value)) < 200
