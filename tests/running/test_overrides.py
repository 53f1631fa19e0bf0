"""Fields set on the command line: texts become values of the types that dataclasses name, or one-line errors."""

import contextlib
import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ie_scaling.errors import InputError
from ie_scaling.running import config, overrides
from ie_scaling.train.config import TrainConfig


@dataclasses.dataclass(frozen=True)
class Inner:
    rate: float = 0.5
    label: str | None = None


@dataclasses.dataclass(frozen=True)
class Outer:
    size: int = 3
    n_steps: int | None = None
    where: str = ""
    law: str = "effective"
    is_fast: bool = False
    names: tuple[str, ...] = ()
    sizes: tuple[int, ...] = ()
    columns: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    inner: Inner = Inner()


def built(*texts):
    values = config.to_config_dict(Outer(), "overridden").to_dict()
    values.pop("experiment")
    return config.build(Outer, overrides.apply(Outer, values, texts))


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        *(("size", "250k", 250_000), ("size", "1e6", 1_000_000), ("n_steps", "1.5B", 1_500_000_000)),
        *(
            ("n_steps", "None", None),
            ("where", "None", ""),
            ("law", "None", "None"),
            ("where", "a == 'b,c'", "a == 'b,c'"),
        ),
        *(("is_fast", "True", True), ("is_fast", "no", False), ("is_fast", "1", True)),
        *(("names", "('a', 'b')", ("a", "b")), ("names", "['a']", ("a",)), ("names", "()", ()), ("names", "", ())),
        *(
            ("names", "a,b", ("a", "b")),
            ("names", "a", ("a",)),
            ("names", "'a'", ("a",)),
            ("names", "(a, b)", ("a", "b")),
        ),
        ("names", "d8@100,optimizer.beta1=0.9,dtype=x,d9@100", ("d8@100,optimizer.beta1=0.9,dtype=x", "d9@100")),
        *(
            ("sizes", "1B,2k", (10**9, 2000)),
            ("sizes", "(1e6, 2)", (10**6, 2)),
            ("sizes", "(1B, 2B)", (10**9, 2 * 10**9)),
        ),
        ("columns", "{'n_tokens': 'D', 'scale': 1e6}", {"n_tokens": "D", "scale": 1e6}),
    ],
)
def test_texts_become_values(field, text, value):
    assert getattr(built((field, text)), field) == value


def test_groups_are_set_field_by_field_or_whole():
    assert built(("inner.rate", "1e-3")).inner == Inner(1e-3)
    assert built(("inner", "{'rate': 2}"), ("inner.label", "x")).inner == Inner(2.0, "x")


@pytest.mark.parametrize(
    ("field", "text", "words"),
    [
        ("sise", "3", "config.sise: unknown field; valid fields are size, .*did you mean config.size"),
        (
            "inner.rat",
            "3",
            "config.inner.rat: unknown field; valid fields are rate, label; did you mean config.inner.rate",
        ),
        ("rate", "3", "did you mean config.inner.rate"),
        ("size.rate", "3", "config.size: has no fields; it is a whole number"),
        ("size", "1.5", "config.size='1.5': must be a whole number, such as 8, 250k, 1e6 or 1.5B"),
        ("size", "None", "config.size='None': must be a whole number"),
        ("size", "1e30", "config.size='1e30': must be at most"),
        ("inner.rate", "nan", "config.inner.rate='nan': must be a finite number, such as"),
        ("is_fast", "maybe", "config.is_fast='maybe': must be True or False"),
        ("sizes", "1,x", "config.sizes='1,x': 'x': must be a whole number"),
        ("names", "('a'", r"config.names=.*such as \"\('a', 'b'\)\""),
        ("columns", "N", "config.columns='N': must be a mapping, such as"),
        ("columns", "{" * 5000, "config.columns=.*must be a mapping"),
        ("inner", "fast", "config.inner='fast': must be a group of fields"),
    ],
)
def test_a_slip_is_one_line_that_names_field_type_and_example(field, text, words):
    with pytest.raises(InputError, match=words) as caught:
        built((field, text))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_arguments_are_told_from_other_flags():
    rest, found = overrides.split(
        ["run.py", "--config=fit", "--config.a=1=2", "--config.b.c", "-3", "--noconfig.d", "-config.e", "--dry_run"]
    )
    assert rest == ["run.py", "--config=fit", "--dry_run"]
    assert found == [("a", "1=2"), ("b.c", "-3"), ("d", "False"), ("e", "True")]


def test_tokens_by_parameters_and_shapes_by_name():
    values = config.to_config_dict(TrainConfig(), "train").to_dict()
    values.pop("experiment")
    texts = [("n_tokens", "20N"), ("architecture", "llama-3.2-1b"), ("architecture.vocab_size", "2k")]
    made = config.build(TrainConfig, overrides.apply(TrainConfig, values, texts[:2]))
    assert made.n_tokens == 20 * 1_235_814_400
    assert made.architecture.d_model == 2048
    assert config.build(TrainConfig, overrides.apply(TrainConfig, values, texts[1:])).architecture.vocab_size == 2000
    with pytest.raises(InputError, match=r"config.architecture='llama-3': unknown architecture"):
        overrides.apply(TrainConfig, values, [("architecture", "llama-3")])


@given(st.sampled_from(list(overrides.leaves(Outer))), st.text())
def test_any_text_is_a_value_or_refused(field, text):
    with contextlib.suppress(InputError):
        assert isinstance(built((field, text)), Outer)
