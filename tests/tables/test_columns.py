"""The map of columns: one canonical text for equal maps, and errors that name the entry and the nearest name."""

import pytest

from experiments import fit
from ie_scaling.errors import InputError
from ie_scaling.running import config as config_lib
from ie_scaling.tables import columns
from ie_scaling.tables.columns import ColumnSource


def test_a_map_is_read_as_python_as_json_and_as_a_mapping():
    expected = {"n_params_total": (ColumnSource("N"),), "n_tokens": (ColumnSource("1e9 * D"), ColumnSource("D", 1e9))}
    for text in (
        "{'n_params_total': 'N', 'n_tokens': '1e9 * D'}",
        '{"n_params_total": "N", "n_tokens": "1e9 * D"}',
        {"n_tokens": "1e9 * D", "n_params_total": "N"},
    ):
        assert columns.parse(text) == expected
        assert columns.canonical(text) == '{"n_params_total": "N", "n_tokens": "1e9 * D"}'
    assert columns.parse("{'loss': {'column': 'L', 'scale': 0.5}}") == {"loss": (ColumnSource("L", 0.5),)}
    assert columns.canonical(columns.canonical("")) == ""


def test_a_column_that_is_named_like_a_product_is_that_column():
    chosen = columns.parse("{'n_tokens': '1e9 * D'}")
    assert columns.resolve(chosen, ["1e9 * D", "D"], "t.csv") == {"n_tokens": ColumnSource("1e9 * D")}
    assert columns.resolve(chosen, ["D"], "t.csv") == {"n_tokens": ColumnSource("D", 1e9)}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{'n_token': 'D'}", ["'n_token' is no column", "did you mean 'n_tokens'"]),
        ("{'N': 'params'}", ["did you mean 'n_params_total'"]),
        ("{'N': 'n_params_total'}", ["name first: {'n_params_total': 'N'}"]),
        ("{'n_tokens': 3}", ["n_tokens=3 must be 'COLUMN'"]),
        ("{'n_tokens': ''}", ["must be 'COLUMN'"]),
        ("{'n_tokens': {'column': 'D', 'scale': '1e9'}, 'x': 1}", ["'x'"]),
        ("{'n_tokens': {'column': 'D', 'factor': 2}}", ["must be 'COLUMN'"]),
        ("{'n_tokens': {'column': 'D', 'scale': 0}}", ["scale 0 must be a finite number above zero"]),
        ("{'n_tokens': {'column': 'D', 'scale': True}}", ["scale True"]),
        ("{'n_tokens': '1e999 * D'}", ["scale '1e999' must be a finite"]),
        ("{'notes': '2 * D'}", ["notes is text and has no scale"]),
        ("{'n_tokens': 'D', 'n_tokens': 'E'}", ["'n_tokens' is mapped twice"]),
        ("{'n_tokens': 'N', 'n_params_total': 'N'}", ["both read from 'N'"]),
        ("['n_tokens']", ["must be a mapping"]),
        ("{'n_tokens': D}", ["must be a mapping"]),
        ("{'n_tokens': __import__('os')}", ["must be a mapping"]),
        ("n_tokens=D", ["must be a mapping"]),
        ("{" * 5000, ["must be a mapping"]),
        ("{'n_tokens': '" + "D" * 20_000 + "'}", ["20"]),
        ({7: "D"}, ["7 must be the name"]),
    ],
)
def test_a_bad_map_is_one_line_that_names_the_entry(text, words):
    with pytest.raises(InputError, match=r"^columns") as caught:
        columns.canonical(text)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 700
    assert all(word in message for word in words), message


def test_two_numbers_of_one_column_and_two_factors_are_meant():
    assert columns.parse("{'n_params_total': 'N', 'n_tokens': '20 * N'}")["n_tokens"][-1] == ColumnSource("N", 20.0)
    assert columns.parse("{'run_id': 'name', 'model_id': 'name'}")


def test_a_column_that_is_not_there_is_named_with_those_that_are():
    chosen = columns.parse("{'n_tokens': 'tokenz'}")
    with pytest.raises(
        InputError, match=r"t\.csv has no column 'tokenz' .* it has tokens, loss; did you mean 'tokens'"
    ):
        columns.resolve(chosen, ["tokens", "loss"], "t.csv")


def test_a_map_onto_a_name_that_the_table_has_is_refused_unless_that_column_moves():
    with pytest.raises(InputError, match="a column 'loss' of its own beside 'val'"):
        columns.resolve(columns.parse("{'loss': 'val'}"), ["loss", "val"], "t.csv")
    moved = columns.resolve(columns.parse("{'loss': 'val', 'notes': 'loss'}"), ["loss", "val"], "t.csv")
    assert moved == {"loss": ColumnSource("val"), "notes": ColumnSource("loss")}


def test_a_configuration_takes_a_map_as_text_or_as_a_group():
    text = config_lib.build(fit.Config, {"columns": "{'n_tokens': 'D'}"})
    group = config_lib.build(fit.Config, {"columns": {"n_tokens": "D"}})
    assert text == group
    assert text.columns == '{"n_tokens": "D"}'
    with pytest.raises(ValueError, match=r"config\.columns: 'n_token' is no column"):
        config_lib.build(fit.Config, {"columns": "{'n_token': 'D'}"})
