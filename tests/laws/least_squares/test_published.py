"""Fits as published that are flagged or refused; their numbers are rows of test_reproduction."""

import pytest

from ie_scaling.laws import forms
from ie_scaling.laws.least_squares import published
from ie_scaling.laws.problem import pose
from tests.laws.simulated import read


def test_a_negative_coefficient_is_reported():
    fitted = published.fit(pose(forms.get_law("aspect_ratio"), read("bian2025", "fit_set.str.contains('fig8')")))
    assert fitted.status == "not_identified"
    assert fitted.derived["A"] < 0


def test_other_laws_are_refused():
    with pytest.raises(ValueError, match="objective='squared': published for chinchilla and aspect_ratio"):
        published.fit(pose(forms.get_law("effective"), read("bian2025")))
