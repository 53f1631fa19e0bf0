"""How decoding may be timed, and what is refused."""

import pytest

from ie_scaling.errors import InputError
from ie_scaling.latency.config import TimingConfig


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"repeats": 10, "max_repeats": 9}, "max_repeats=9: must be at least repeats=10"),
        ({"warmup": 0}, "warmup=0: must lie from 1"),
        ({"tensor": 0}, "tensor=0"),
        ({"relative_error": 0.0}, "relative_error=0.0"),
        ({"max_measure_s": float("inf")}, "max_measure_s=inf"),
        ({"seed": -1}, "seed=-1"),
    ],
)
def test_what_cannot_be_is_named(fields, words):
    with pytest.raises(InputError, match=words):
        TimingConfig(**fields)
