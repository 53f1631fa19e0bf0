"""Row filters: which rows of a table to use, by an expression that computes and does nothing else."""

import reprlib
from pathlib import Path

import pandas as pd

from ie_scaling.errors import InputError
from ie_scaling.tables import filter_evaluation
from ie_scaling.tables.filter_syntax import NotAllowed

_cut = reprlib.Repr()
_cut.maxstring = 200


def filter_rows(frame: pd.DataFrame, where: str, path: Path | str = "table", field: str = "where") -> pd.DataFrame:
    """The rows for which the filter is true, under their own index; "" keeps all (docs/row_filters.md).

    Columns may be text, as a CSV file has them: one whose cells are all numbers or blank counts as numbers.

    Raises:
      InputError: a filter that is not allowed, is not true or false for each row, or keeps no row.
    """
    if not where:
        return frame
    given = f"{field}={_cut.repr(where)}"
    try:
        rows = frame[filter_evaluation.keeps(frame, where)]
    except NotAllowed as error:
        raise InputError(f"{given}: not a row filter for {path} ({error})") from None
    if rows.empty:
        raise InputError(f"{given}: keeps no row of {path}")
    return rows
