"""The text of a filter as a tree: backticks, & and |, and texts that are too long, too deep or no expression."""

import ast

import pytest

from ie_scaling.tables import filter_syntax
from ie_scaling.tables.filter_syntax import NotAllowed


def test_backticks_become_identifiers_and_are_kept_apart():
    tree, columns = filter_syntax.parse("`a/b` > 1 & name == 'x & y'")
    assert list(columns.values()) == ["a/b"]
    assert isinstance(tree, ast.BoolOp)
    assert isinstance(tree.op, ast.And)
    assert "'x & y'" in ast.unparse(tree)


def test_both_signs_bind_as_words_do():
    tree, _ = filter_syntax.parse("a == 1 | b == 2 & c == 3")
    assert ast.unparse(tree) == "a == 1 or (b == 2 and c == 3)"


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("x" * 2001, "2,001 characters"),
        ("(" * 61 + "1" + ")" * 61 + "+", "invalid syntax|it cannot be parsed"),
        ("-" * 100 + "1 > 0", "nested more than 60 levels"),
        ("a = 1", "== compares"),
        ("a == 1 AND b == 2", "written small"),
        ("a == @b", "@ is not allowed"),
        ("`a == 1", "an unmatched ` is not allowed"),
    ],
)
def test_what_is_no_filter_says_why(where, words):
    with pytest.raises(NotAllowed, match=words):
        filter_syntax.parse(where)
