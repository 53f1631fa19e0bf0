"""What may be asked of the latency law, and what is refused."""

import pytest

from ie_scaling.latency_law.config import LatencyLawConfig, RequestConfig


def test_lengths_override_the_named_workload():
    load = RequestConfig(workload="bian2025", new_tokens=5, batch=3).resolve_workload("bfloat16", "step")
    assert (load.batch, load.prompt_tokens, load.new_tokens, load.dtype, load.mode) == (3, 128, 5, "bfloat16", "step")


@pytest.mark.parametrize(
    ("make", "fields", "word"),
    [
        (LatencyLawConfig, {"form": "cubic"}, "form='cubic'"),
        (LatencyLawConfig, {"seed": -1}, "seed=-1"),
        (RequestConfig, {"workload": "long"}, "workload='long'"),
        (RequestConfig, {"batch": 0}, "batch=0"),
        (RequestConfig, {"dtype": "int4"}, "dtype='int4'"),
    ],
)
def test_a_broken_rule_names_field_and_value(make, fields, word):
    with pytest.raises(ValueError, match=word):
        make(**fields)
