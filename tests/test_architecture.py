"""Architecture: its name reads back, and each broken rule is named."""

import dataclasses
import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ie_scaling.architecture import SHAPE_FIELDS, Architecture
from ie_scaling.errors import InputError

SHAPE = Architecture(d_model=14, n_layers=3, n_heads=6, n_kv_heads=2, d_head=10, d_ff=17, vocab_size=29)


@st.composite
def architectures(draw, largest=9):
    kv_heads, group = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    return Architecture(
        d_model=draw(st.integers(1, largest)),
        n_layers=draw(st.integers(1, 3)),
        n_heads=kv_heads * group,
        n_kv_heads=kv_heads,
        d_head=2 * draw(st.integers(1, largest)),
        d_ff=draw(st.integers(1, largest)),
        vocab_size=draw(st.integers(1, largest)),
        tied_embeddings=draw(st.booleans()),
        qk_norm=draw(st.booleans()),
        rope_base=draw(st.sampled_from([10_000.0, 130_000.0, 500_000.0, 1e6, 1_000_042.0])),
    )


@given(architectures())
def test_name_and_fields_read_back(a):
    assert Architecture.parse(a.name) == a
    assert Architecture.from_fields(a.to_fields()) == a


def test_fields_have_the_types_by_which_flags_are_read():
    kinds = dict.fromkeys(SHAPE_FIELDS, int) | {"tied_embeddings": bool, "qk_norm": bool, "rope_base": float}
    assert typing.get_type_hints(Architecture) == kinds
    assert {field.name: field.type for field in dataclasses.fields(Architecture)} == kinds


@pytest.mark.parametrize(
    ("change", "message"),
    [
        *(({field: 0}, f"{field}=0: must be at least 1") for field in SHAPE_FIELDS),
        ({"d_model": 8.0}, "d_model=8.0: must be an integer"),
        ({"n_layers": True}, "n_layers=True: must be an integer"),
        ({"n_heads": 5}, "n_heads=5, n_kv_heads=2: n_heads must be divisible by n_kv_heads"),
        ({"d_head": 7}, "d_head=7: must be even"),
        ({"tied_embeddings": 1}, "tied_embeddings=1: must be true or false"),
        ({"rope_base": 1.0}, "rope_base=1.0: must be a finite number above 1"),
        ({"rope_base": float("nan")}, "rope_base=nan"),
    ],
)
def test_a_broken_rule_names_field_and_value(change, message):
    with pytest.raises(ValueError, match="^" + message.replace(".", r"\.")):
        dataclasses.replace(SHAPE, **change)


@pytest.mark.parametrize(
    "text", ["", "d512", "d512-n8-h8-k2-c64-f1536-v50432-bias", " " + SHAPE.name, SHAPE.name + "\n"]
)
def test_parse_refuses_what_is_no_name(text):
    with pytest.raises(ValueError, match="expected a name such as"):
        Architecture.parse(text)


def test_from_fields_lists_the_valid_fields():
    with pytest.raises(ValueError, match=r"field 'width': unknown; valid fields are d_model, n_layers"):
        Architecture.from_fields(SHAPE.to_fields() | {"width": 3})
    with pytest.raises(ValueError, match=r"field 'd_ff': missing"):
        Architecture.from_fields({k: v for k, v in SHAPE.to_fields().items() if k != "d_ff"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            SHAPE.name.replace("d14", "d" + "1" * 400),
            r"d_model=11111111\.\.\. of 400 digits: must be at most 2147483647",
        ),
        (SHAPE.name.replace("f17", "f" + "9" * 5000), r"d_ff=99999999\.\.\. of 5000 digits"),
        (SHAPE.name.replace("n3", f"n{2**31}"), "n_layers=2147483648: must be at most 2147483647"),
        (SHAPE.name + "-rope1e999", "rope_base=inf: must be a finite number"),
        (SHAPE.name + "-rope1..e", "expected a name such as"),
        (SHAPE.name.replace("14", "\u0661\u0664"), "expected a name such as"),
        ("d" * 100_000, "expected a name such as"),
    ],
    ids=range(7),
)
def test_numbers_without_bounds_are_one_short_line(text, message):
    with pytest.raises(InputError, match=message) as error:
        Architecture.parse(text)
    assert len(str(error.value)) < 200


def test_fields_without_bounds_are_one_short_line():
    for change in ({"d_model": 10**400}, {"rope_base": 10**400}, {"d_ff": "x" * 10_000}, {"qk_norm": "y" * 10_000}):
        with pytest.raises(InputError) as error:
            dataclasses.replace(SHAPE, **change)
        assert len(str(error.value)) < 200
