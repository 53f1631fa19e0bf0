"""Bounds of integers, and names that a directory can have."""

import types

import pytest

from ie_scaling.errors import InputError
from ie_scaling.train import rules


@pytest.mark.parametrize(
    ("value", "low", "words"),
    [(0, 1, "size=0: must be at least 1"), (-1, 0, "must not be negative"), (2**31, 1, "at most 2,147,483,647")],
)
def test_integers_lie_within_their_bounds(value, low, words):
    with pytest.raises(InputError, match=words):
        rules.require_whole(types.SimpleNamespace(size=value), ("size",), low)
    rules.require_whole(types.SimpleNamespace(size=2**31 - 1), ("size",), low)


@pytest.mark.parametrize("run_id", ["a\nb", "../x", "/x", "a/../b"])
def test_a_run_id_names_a_directory_below_another(run_id):
    with pytest.raises(InputError, match="variant="):
        rules.require_run_id(run_id, "variant", run_id)


def test_a_name_is_bounded_in_bytes_not_in_characters():
    rules.require_run_id("é" * 100 + "/" + "x" * 200, "variant", "")
    with pytest.raises(InputError, match="more than 200 bytes"):
        rules.require_run_id("é" * 101, "variant", "")
