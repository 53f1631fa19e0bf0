"""Rules of a latency study's configuration."""

import dataclasses

import pytest

from experiments.latency_study.config import Config
from experiments.time_decode import Config as DecodeConfig
from ie_scaling.errors import InputError


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sweeps": ("width",)}, r"sweeps='width': must be one of depth, aspect_ratio"),
        ({"sizes": (0,)}, r"sizes\[0\]=0: must be finite and above zero"),
        ({"depths": (2, 4)}, r"depths=\(2, 4\): must be at least three"),
        ({"batches": (1, 1)}, r"batches=\(1, 1\): must not repeat"),
        ({"aspect_ratios": (9.0, 3.0)}, r"aspect_ratios=\(9.0, 3.0\): must be \(least, most\)"),
        ({"decode": DecodeConfig(new_tokens=5)}, r"decode.new_tokens=5: is the study's to set"),
        ({"decode": DecodeConfig(tensor=2)}, r"decode.tensor=2: must be 1 where a law is fitted"),
    ],
)
def test_a_broken_rule_names_field_value_and_rule(changes, message):
    with pytest.raises(InputError, match=message):
        dataclasses.replace(Config(), **changes)
