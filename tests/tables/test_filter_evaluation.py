"""A filter's tree on a table: rows kept, chained comparisons, groups, and constructs outside of the list."""

import pandas as pd
import pytest

from ie_scaling.tables import filter_evaluation
from ie_scaling.tables.filter_syntax import NotAllowed

FRAME = pd.DataFrame({"n": [1, 2, 3, 4], "kind": ["a", "a", "b", "b"], "loss": [4.0, 3.0, 5.0, 2.0]})


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        ("1 < n <= 3", [1, 2]),
        ("n in [1, 4] and not kind == 'b'", [0]),
        ("loss == loss.groupby(kind).transform('min')", [1, 3]),
        ("abs(loss - 3.5) < 1", [0, 1]),
        ("kind.str.upper() == 'B'", [2, 3]),
    ],
)
def test_rows_that_a_filter_keeps(where, rows):
    assert filter_evaluation.keeps(FRAME, where).nonzero()[0].tolist() == rows


@pytest.mark.parametrize(
    "where", ["__import__('os')", "n.apply(str)", "[1 for x in n]", "lambda: 1", "n is 1", "1 == 1"]
)
def test_other_constructs_are_refused(where):
    with pytest.raises(NotAllowed):
        filter_evaluation.keeps(FRAME, where)
