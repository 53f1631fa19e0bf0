"""Stacked laws beside one another: rows by law, and laws at odds with their mixture."""

import dataclasses

import numpy as np
import pytest

from ie_scaling.laws.bayes import posterior
from ie_scaling.search import belief, by_law, ranked
from ie_scaling.search.space import Space
from tests.search import small_fit
from tests.search.small_fit import GRID
from tests.search.test_belief import stack_of


@pytest.fixture
def fit(tmp_path):
    return small_fit.write(tmp_path / "fit")


def test_stacked_laws_at_odds_and_their_unreliable_weights_are_said(fit, tmp_path):
    """Two laws of one weight, whose optima lie at R = 40 and far above; each prefers another shape."""
    first = posterior.load_fit(fit.fit)
    second = dataclasses.replace(first, draws=first.draws | {"R_star": 10 * first.draws["R_star"]})
    half = np.array([0.5, 0.5])
    stack = stack_of(half, np.array([0, 1]))
    mixed, space_ = belief.Belief((first, second), stack), Space.of((), GRID)
    config = dataclasses.replace(fit, level="law", n_compared=1)
    answer = ranked.rank(config, mixed, space_).answer
    assert [line for line in answer["warnings"] if "1 of 1 models have Pareto k above 0.7 when left out" in line]
    laws = by_law.compare(config, mixed, space_, answer["best"])
    assert laws["best"].nunique() == 2
    lines = [str(found) for found in by_law.at_odds(laws, answer["best"])]
    assert lines
    assert all("(weight 0.50) prefers" in line and f"to {answer['best']}: P(best)" in line for line in lines)
