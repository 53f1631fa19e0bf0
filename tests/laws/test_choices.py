"""Fields of verbs that fit laws: enumerated values are the texts of a configuration, maps of columns have one form."""

import types

import pytest

from ie_scaling.errors import InputError
from ie_scaling.laws import choices


def test_choices_are_the_texts_of_a_configuration():
    assert [*choices.FitMethod] == ["least_squares", "bayes", "both"]
    assert [*choices.Objective] == ["huber_log", "squared"]
    assert [*choices.Resample] == ["model", "row"]


def test_equal_maps_of_columns_are_one_text():
    texts = set()
    for columns in ({"loss": "L", "n_tokens": "D"}, "{'n_tokens': 'D', 'loss': 'L'}"):
        config = types.SimpleNamespace(columns=columns)
        choices.fix_columns(config)
        texts.add(config.columns)
    assert texts == {'{"loss": "L", "n_tokens": "D"}'}
    with pytest.raises(InputError, match="los"):
        choices.fix_columns(types.SimpleNamespace(columns={"los": "L"}))


def test_lists_must_name_something():
    choices.require_some(types.SimpleNamespace(laws=("chinchilla",)), "laws")
    with pytest.raises(InputError, match=r"laws=\(\): must name at least one"):
        choices.require_some(types.SimpleNamespace(laws=()), "laws")
