"""Draws: chains joined in order, and summaries against values worked out by hand."""

import numpy as np
import pytest

from ie_scaling.inference import draws
from ie_scaling.inference.draws import Draws, Origin


def test_chains_are_joined_in_order():
    values = np.arange(2 * 3 * 5).reshape(2, 3, 5)
    made = Draws(draws={"x": values[..., 0], "y": values})
    assert (made.shape, made.n_draws, made.method) == ((2, 3), 6, Origin.BAYES)
    assert made.flat["x"].tolist() == [0, 5, 10, 15, 20, 25]
    np.testing.assert_array_equal(made.flat["y"], values.reshape(6, 5))


def test_a_summary_by_hand():
    summary = draws.summarize(np.arange(101.0).reshape(1, 101))
    assert summary == pytest.approx({"mean": 50.0, "sd": 850**0.5, "lo90": 5.0, "median": 50.0, "hi90": 95.0})


def test_an_interval_is_along_the_axis():
    np.testing.assert_allclose(
        draws.interval(np.arange(101.0)[:, None] * [1, 2], axis=0), [[5, 10], [50, 100], [95, 190]]
    )


def test_what_files_call_a_method_is_its_origin():
    assert [str(origin) for origin in Origin] == ["bayes", "bootstrap"]
