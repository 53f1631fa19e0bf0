"""What NUTS may be told, and what is refused by field, value and rule."""

import pytest

from ie_scaling.errors import InputError
from ie_scaling.inference.config import NutsConfig


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"n_chains": 0}, "n_chains=0: must lie from 1 to 256"),
        ({"n_warmup": 0}, "n_warmup=0"),
        ({"n_samples": 3}, "n_samples=3: must lie from 4"),
        ({"n_samples": 100, "max_samples": 50}, "max_samples=50: must be at least n_samples=100"),
        ({"target_accept": 1.0}, "target_accept=1.0: must lie between 0 and 1"),
        ({"max_rhat": 0.9}, "max_rhat=0.9: must be at least 1"),
        ({"min_ess": 0.0}, "min_ess=0.0: must be finite and above zero"),
        ({"min_bfmi": -1.0}, "min_bfmi=-1.0"),
    ],
)
def test_a_broken_rule_names_field_and_value(fields, words):
    with pytest.raises(InputError, match=words):
        NutsConfig(**fields)
