"""Levels nest: the curve, with a shape's own effect, with a run's noise."""

import numpy as np
import pytest

from ie_scaling.architecture import Architecture
from ie_scaling.errors import InputError
from ie_scaling.laws.level import Level
from tests.laws import small_posterior

SHAPES = ("d64-n4-h4-k2-c16-f192-v512", "d128-n2-h4-k4-c32-f384-v512")


def test_levels_are_written_as_their_names():
    assert [*Level] == ["law", "shape", "new_run"]
    assert f"{Level.NEW_RUN}" == "new_run"


def test_each_level_adds_spread_to_the_one_before():
    posterior, shapes = small_posterior.make(), [Architecture.parse(name) for name in SHAPES]
    draws = {level: np.log(posterior.losses(shapes, 1e9, level=level).all()) for level in Level}
    apart = [(draws[level][:, 0] - draws[level][:, 1]).std() for level in Level]
    assert apart == sorted(apart)
    with pytest.raises(InputError, match="level='run': must be one of law, shape, new_run"):
        posterior.losses(shapes, 1e9, level="run")
