"""Grids: shapes of one size, compared at that size, bounded before they are built, and absurd ones refused."""

import dataclasses
import time

import numpy as np
import pytest

from ie_scaling import accounting
from ie_scaling.errors import InputError
from ie_scaling.laws.observations import features_of
from ie_scaling.search import space
from ie_scaling.search.config import GridConfig
from ie_scaling.search.space import Space

GRID = GridConfig(n_params=1.5e9)


def test_every_shape_of_a_grid_is_as_near_the_size_as_its_d_ff_allows():
    for shape in space.enumerate_grid(GRID):
        size = accounting.count_parameters(shape)
        half = 3 * shape.d_model * shape.n_layers * GRID.d_ff_step / 2
        assert abs(size - 1.5e9) <= half or shape.d_ff == GRID.d_ff_step
        assert shape.d_ff % GRID.d_ff_step == 0


def test_without_equal_size_the_shapes_are_those_of_the_mlp_ratio():
    plain = space.enumerate_grid(dataclasses.replace(GRID, equal_size=False))
    sizes = np.array([accounting.count_parameters(shape) for shape in plain])
    assert all(shape.d_ff == 64 * round(8 / 3 * shape.d_model / 64) for shape in plain)
    assert np.ptp(sizes) > 0.05 * 1.5e9


def test_a_grid_has_every_depth_within_its_bounds_and_no_other():
    grid = GridConfig(n_params=2e7, tolerance=0.2, width_step=64, d_head=64, vocab_size=4096, equal_size=False)
    found = space.enumerate_grid(grid)
    low, high = grid.aspect_ratios
    by_force = [
        shape
        for one in dict.fromkeys(dataclasses.replace(a, n_layers=1) for a in found)
        for shape in (dataclasses.replace(one, n_layers=n) for n in range(1, 200))
        if low <= shape.aspect_ratio <= high
        and abs(accounting.count_parameters(shape) - grid.n_params) <= grid.tolerance * grid.n_params
    ]
    assert len(found) == 33
    assert set(found) == set(by_force)


def test_losses_of_a_grid_are_those_at_its_size_exactly():
    names = ("d2048-n24-h16-k16-c128-f5632-v50432",)
    both = Space.of(names, GRID)
    features, own = both.features(3e10), features_of(both.architectures, 3e10)
    assert features.n_total[0] == own.n_total[0] == accounting.count_parameters(both.architectures[0])
    np.testing.assert_allclose(features.n_total[1:], 1.5e9, rtol=1e-12)
    np.testing.assert_allclose(features.n_embedding / features.n_total, own.n_embedding / own.n_total)
    np.testing.assert_array_equal(features.aspect_ratio, own.aspect_ratio)
    difference_A = both.size_difference_A
    assert np.isnan(difference_A[0])
    np.testing.assert_allclose(difference_A[1:], own.n_total[1:] / 1.5e9 - 1)
    assert "those at 1.5e+09 parameters exactly" in both.describe_grid()
    assert Space.of(names, GridConfig()).describe_grid() == ""
    plain = Space.of((), dataclasses.replace(GRID, equal_size=False))
    assert plain.describe_grid() == ""
    np.testing.assert_array_equal(plain.features(3e10).n_total, features_of(plain.architectures, 3e10).n_total)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_params": 1e15}, "n_params=1e\\+15: no shape comes within"),
        ({"n_params": 1e300}, "no shape comes within"),
        ({"n_params": 1e9, "width_step": 1, "max_width": 1_000_000}, "width_step=1: 1,000,000 widths, MLP ratios"),
        (
            {"n_params": 1e12, "width_step": 2, "d_head": 2, "tolerance": 0.9, "aspect_ratios": (0.1, 1e6)},
            "shapes come",
        ),
    ],
)
def test_absurd_grids_are_refused_at_once(changes, message):
    began = time.monotonic()
    with pytest.raises(InputError, match=message):
        space.enumerate_grid(GridConfig(**changes))
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    "name", ["d" + "9" * 400 + "-n8-h8-k8-c64-f1536-v50432", "d512-n8-h8-k8-c64-f1536-v" + "7" * 5000, "x" * 9999]
)
def test_a_candidate_of_very_many_digits_is_one_short_line(name):
    with pytest.raises(InputError) as caught:
        Space.of((name,), GridConfig())
    assert len(str(caught.value)) < 400
    assert "\n" not in str(caught.value)
