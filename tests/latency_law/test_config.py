"""What may be asked of the latency law, and what is refused."""

import pytest

from ie_scaling.latency_law.config import FitLatencyConfig, LatencyLawConfig, PredictLatencyConfig


def test_lengths_override_the_named_workload():
    load = PredictLatencyConfig(workload="bian2025", new_tokens=5, batch=3).resolve_workload("bfloat16", "step")
    assert (load.batch, load.prompt_tokens, load.new_tokens, load.dtype, load.mode) == (3, 128, 5, "bfloat16", "step")


@pytest.mark.parametrize(
    ("make", "fields", "word"),
    [
        (LatencyLawConfig, {"form": "cubic"}, "form='cubic'"),
        (FitLatencyConfig, {"seed": -1}, "seed=-1"),
        (PredictLatencyConfig, {"architectures": ()}, "at least one architecture"),
        (PredictLatencyConfig, {"architectures": ("gpt-9",)}, "unknown architecture"),
        (PredictLatencyConfig, {"workload": "long"}, "workload='long'"),
        (PredictLatencyConfig, {"batch": 0}, "batch=0"),
        (PredictLatencyConfig, {"dtype": "int4"}, "dtype='int4'"),
    ],
)
def test_a_broken_rule_names_field_and_value(make, fields, word):
    with pytest.raises(ValueError, match=word):
        make(**fields)
