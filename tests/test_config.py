"""From mappings to dataclasses: conversions, and errors that list the valid fields."""

import dataclasses

import pytest

from ie_scaling import config


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
            raise ValueError(f"size={self.size}: must not be negative")


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
    with pytest.raises(ValueError, match="config") as caught:
        config.build(Outer, values)
    assert str(caught.value) == message


def test_a_field_without_default_must_be_given():
    @dataclasses.dataclass(frozen=True)
    class Needs:
        size: int

    with pytest.raises(ValueError, match=r"config.size: missing"):
        config.build(Needs, {})
