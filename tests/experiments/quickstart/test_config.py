"""Rules of the quickstart's configuration, and what follows from it."""

import dataclasses

import pytest

from experiments.quickstart import Config
from experiments.select import Config as SelectConfig
from ie_scaling.errors import InputError
from ie_scaling.search.config import GridConfig


def name(d_model):
    return f"d{d_model}-n2-h1-k1-c8-f16-v1024"


CONFIG = Config(
    runs=(f"{name(8)}@20000", f"{name(12)}@20000", f"{name(8)}@40000"),
    candidates=(name(16), name(12), name(24)),
    candidate_tokens=40_000,
)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"decision_law": "kaplan"}, r"decision_law='kaplan': must be one of laws, \('chinchilla', 'aspect_ratio'"),
        ({"candidates": (name(8), name(12), name(8))}, "candidates=.*: must name at least three shapes"),
        ({"candidates": (name(8), name(12), "d12")}, "candidates: .*d12"),
        ({"select": SelectConfig(grid=GridConfig(n_params=1e6))}, "select.grid: needs a latency law"),
        ({"runs": ()}, r"runs=\(\): must name at least one run"),
    ],
)
def test_a_broken_rule_names_the_field(changes, message):
    with pytest.raises(InputError, match=message):
        dataclasses.replace(CONFIG, **changes)


def test_every_shape_is_listed_once_and_candidates_are_trained_at_their_tokens():
    assert CONFIG.architectures == (name(8), name(12), name(16), name(24))
    plan = CONFIG.candidate_plan(name(24))
    assert (plan.architecture.name, plan.n_tokens) == (name(24), 40_000)
