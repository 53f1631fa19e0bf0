"""Arguments of calls as fields of configurations."""

import numpy as np
import pytest

from experiments import rank
from ie_scaling.api import fields
from ie_scaling.errors import InputError


def test_scalars_of_numpy_are_numbers_wherever_they_stand():
    values = {"n_tokens": np.float64(1e9), "seed": np.int64(3), "grid": {"n_params": np.float32(1e8)}}
    config = fields.build(rank.Config, "rank", values)
    assert (config.n_tokens, config.seed, config.grid.n_params) == (1e9, 3, 1e8)


def test_a_rule_is_named_by_the_call():
    with pytest.raises(InputError, match=r"^rank\.top_k=0: must lie from 1 to"):
        fields.build(rank.Config, "rank", {"top_k": 0})


@pytest.mark.parametrize("value", [3, "x", [1]])
def test_what_is_no_group_of_fields_is_refused(value):
    assert fields.group("nuts", None) == {}
    with pytest.raises(InputError, match=r"^nuts=.*: must be a map"):
        fields.group("nuts", value)


@pytest.mark.parametrize("value", [1, "yes", None, np.array([True, False])])
def test_flags_are_true_or_false(value):
    with pytest.raises(InputError, match=r"^progress=.*: must be True or False"):
        fields.flag("progress", value)
