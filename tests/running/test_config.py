"""From mappings to dataclasses: conversions, and errors that list the valid fields."""

import dataclasses

import pytest

from experiments import fit
from ie_scaling.errors import InputError
from ie_scaling.inference.config import NutsConfig
from ie_scaling.running import config


@dataclasses.dataclass(frozen=True)
class Inner:
    rate: float = 0.5
    label: str | None = None


@dataclasses.dataclass(frozen=True)
class Outer:
    size: int = 3
    names: tuple[str, ...] = ()
    inner: Inner = Inner()

    def __post_init__(self):
        if self.size < 0:
            raise InputError(f"size={self.size}: must not be negative")


def test_round_trip_through_a_config_dict():
    outer = Outer(size=5, names=("a", "b"), inner=Inner(rate=0.25))
    as_dict = config.to_config_dict(outer, "verb")
    assert as_dict.experiment == "verb"
    values = as_dict.to_dict()
    values.pop("experiment")
    assert config.build(Outer, values) == outer
    assert config.to_plain(outer) == {"size": 5, "names": ["a", "b"], "inner": {"rate": 0.25, "label": None}}


def test_an_absent_value_is_a_typed_placeholder():
    as_dict = config.to_config_dict(Outer(), "verb")
    as_dict.inner.label = "text"
    with pytest.raises(TypeError):
        as_dict.inner.label = 3.5


def test_integers_become_floats_where_floats_belong():
    assert config.build(Outer, {"inner": {"rate": 1}}).inner.rate == 1.0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sise": 3}, "config.sise: unknown field; valid fields are size, names, inner; did you mean config.size?"),
        (
            {"inner": {"rat": 3}},
            "config.inner.rat: unknown field; valid fields are rate, label; did you mean config.inner.rate?",
        ),
        ({"size": "3"}, "config.size='3': must be of type int"),
        ({"size": True}, "config.size=True: must be of type int"),
        ({"inner": 3}, "config.inner=3: must be a group of fields"),
        ({"names": "ab"}, "config.names='ab': must be a list"),
        ({"names": ("a", 3)}, "config.names[1]=3: must be of type str"),
        ({"size": -1}, "config.size=-1: must not be negative"),
    ],
)
def test_bad_values_are_one_line(values, message):
    with pytest.raises(InputError, match="config") as caught:
        config.build(Outer, values)
    assert str(caught.value) == message


def test_a_field_without_default_must_be_given():
    @dataclasses.dataclass(frozen=True)
    class Needs:
        size: int

    with pytest.raises(InputError, match=r"config.size: missing"):
        config.build(Needs, {})


@dataclasses.dataclass(frozen=True)
class Ruled:
    rate: float = 0.5
    sizes: tuple[int, ...] = (1,)
    limit: float | None = None
    kind: str = "a"
    seed: int = 0

    def __post_init__(self):
        config.between(self, 0, 1, "rate")
        config.positive(self, "sizes", "limit")
        config.within(self, 0, 10**6, "sizes")
        config.one_of(self, "kind", ("a", "b"))
        config.seeded(self)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rate": 1}, "config.rate=1.0: must lie between 0 and 1"),
        ({"rate": float("nan")}, "config.rate=nan: must be a finite number"),
        ({"rate": 10**400}, "config.rate=inf: must be a finite number"),
        ({"sizes": (1, 0)}, "config.sizes[1]=0: must be finite and above zero"),
        ({"sizes": (2, 10**7)}, "config.sizes[1]=10000000: must lie from 0 to 1,000,000"),
        ({"limit": -1}, "config.limit=-1.0: must be finite and above zero"),
        ({"kind": "c"}, "config.kind='c': must be one of a, b"),
        ({"kind": "a\0"}, "config.kind='a\\x00': must be text without NUL and lone surrogates"),
        ({"seed": -1}, "config.seed=-1: must be at least 0 and less than 2**32"),
        ({"seed": 2**32}, "config.seed=4294967296: must be at least 0 and less than 2**32"),
        ({"seed": 10**30}, f"config.seed={10**30}: must be at most 9223372036854775807"),
    ],
)
def test_rules_name_the_whole_path_and_every_entry(values, message):
    with pytest.raises(InputError) as caught:
        config.build(Ruled, values)
    assert str(caught.value) == message
    with pytest.raises(InputError, match=r"study\.ruled\."):
        config.build(Ruled, values, "study.ruled")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        *(({"n_samples": 0}, "n_samples=0"), ({"n_chains": 0}, "n_chains=0"), ({"n_warmup": -1}, "n_warmup=-1")),
        *(({"target_accept": 2.0}, "target_accept=2.0"), ({"target_accept": float("nan")}, "target_accept=nan")),
        *(
            ({"max_samples": 100}, "max_samples=100: must be at least n_samples=1000"),
            ({"max_rhat": 0.9}, "max_rhat=0.9"),
        ),
        *(
            ({"min_ess": 0.0}, "min_ess=0.0"),
            ({"min_bfmi": -1.0}, "min_bfmi=-1.0"),
            ({"n_samples": 10**9}, "n_samples"),
        ),
    ],
)
def test_nuts_has_rules(values, words):
    with pytest.raises(InputError, match=words):
        NutsConfig(**values)


@pytest.mark.parametrize("values", [{"n_starts": 0}, {"n_bootstrap": -1}, {"seed": -1}, {"flop_budgets": (1e20, 0.0)}])
def test_a_fit_has_rules(values):
    with pytest.raises(InputError, match=next(iter(values))):
        fit.Config(**values)
