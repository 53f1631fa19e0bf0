"""Row filters: which rows of a table are kept."""

from pathlib import Path

import pandas as pd

from ie_scaling.errors import InputError


def filter_rows(frame: pd.DataFrame, where: str, path: Path | str = "table", field: str = "where") -> pd.DataFrame:
    """The rows for which the pandas query `where` is true; none left is an error."""
    if not where:
        return frame
    try:
        kept = frame.query(where, engine="python")
    except Exception as error:  # pandas raises whatever the expression does
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{field}={where!r}: not a row filter for {path} ({reason})") from None
    if not isinstance(kept, pd.DataFrame) or kept.empty:
        raise InputError(f"{field}={where!r}: keeps no row of {path}")
    return kept
