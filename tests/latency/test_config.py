"""What timing may be set to: the cases that it names, and what is refused."""

import pytest

from ie_scaling.errors import InputError
from ie_scaling.latency.config import TimeDecodeConfig

SHAPE = "d16-n1-h2-k1-c8-f24-v32"


def test_every_architecture_is_timed_at_every_batch_size():
    config = TimeDecodeConfig(architectures=(SHAPE, "gpt2"), batch=(1, 8), prompt_tokens=3, new_tokens=5)
    cases = config.resolve_cases("bfloat16")
    assert [(case.architecture.name == SHAPE, case.workload.batch) for case in cases] == [
        (True, 1),
        (True, 8),
        (False, 1),
        (False, 8),
    ]
    assert {(case.workload.prompt_tokens, case.workload.new_tokens) for case in cases} == {(3, 5)}
    assert {case.workload.dtype for case in cases} == {"bfloat16"}
    assert config.shape_specs == (SHAPE, "gpt2")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"architectures": ()}, "at least one architecture"),
        ({"architectures": ("gtp2",)}, "architectures: .*unknown architecture"),
        ({"architectures": (SHAPE, SHAPE)}, "is listed twice"),
        ({"batch": ()}, "at least one batch size"),
        ({"batch": (2, 2)}, "must not name one twice"),
        ({"workload": "long"}, "workload='long': must be one of"),
        ({"repeats": 10, "max_repeats": 9}, "max_repeats=9: must be at least repeats=10"),
        ({"tensor": 0}, "tensor=0"),
        ({"relative_error": 0.0}, "relative_error=0.0"),
        ({"seed": -1}, "seed=-1"),
    ],
)
def test_what_cannot_be_timed_is_named(fields, words):
    with pytest.raises(InputError, match=words):
        TimeDecodeConfig(**fields)
