"""A column of a table as a row filter sees it: numbers, text or truth, never a guess between them."""

import decimal
import functools

import numpy as np
import pandas as pd

from ie_scaling.tables import numbers
from ie_scaling.tables.filter_syntax import NotAllowed

EXACT = 2**53  # float64 holds every whole number below
_UNKNOWN = ("", "nan", "na", "n/a", "none", "null")
_TRUTH = {"true": True, "false": False}


class Column:
    """A column of the table: its cells as they are, and as numbers, text or truth where all of them can be that."""

    def __init__(self, name: str, cells: pd.Series):
        self.name = numbers.label(name)
        self.cells = cells

    @functools.cached_property
    def _texts(self) -> list[str | None]:
        """The cells that are text; None for others. A missing cell is blank text, but among values of another type."""
        missing = "" if self.cells.dtype.kind == "O" else None
        is_missing = self.cells.isna()
        return [
            missing if unknown else cell if isinstance(cell, str) else None
            for cell, unknown in zip(self.cells, is_missing, strict=True)
        ]

    @functools.cached_property
    def is_missing(self) -> np.ndarray:
        """Whether each cell is blank."""
        return numbers.is_blank(self.cells).to_numpy(bool)

    @functools.cached_property
    def _numbers(self) -> tuple[np.ndarray, np.ndarray]:
        """The cells as numbers, and whether each is a number or unknown."""
        values, is_number = numbers.to_numbers(self.cells)
        unknown = [text is not None and text.strip().lower() in _UNKNOWN for text in self._texts]
        return values.to_numpy(float), is_number.to_numpy(bool) | self.is_missing | np.array(unknown, bool)

    @property
    def is_numeric(self) -> bool:
        """Whether every cell is a number or unknown."""
        return bool(self._numbers[1].all()) and self.cells.dtype.kind not in "bMmc"

    @functools.cached_property
    def is_exact(self) -> bool:
        """Whether float64 holds every number of the column with all its digits, so that equal means equal."""
        large = np.flatnonzero(np.abs(self._numbers[0]) >= EXACT)
        return all(_exact(str(self.cells.iloc[i])) == decimal.Decimal(float(self._numbers[0][i])) for i in large)

    def keys(self) -> np.ndarray:
        """What rows of a group share: numbers, or text where float64 has too few digits; missing where unknown."""
        if self.is_numeric and self.is_exact:
            return self.numbers()
        if self.is_numeric:
            unknown = np.isnan(self._numbers[0])
            return np.array([None if unknown[i] else str(cell) for i, cell in enumerate(self.cells)], object)
        return np.array([text or None for text in self.text()], object)

    @functools.cached_property
    def is_text(self) -> bool:
        """Whether every cell is text or blank (also text that is a number)."""
        return all(text is not None for text in self._texts)

    @functools.cached_property
    def _truths(self) -> list[bool | None]:
        return [_TRUTH.get(str(cell).strip().lower()) for cell in self.cells]

    @property
    def is_truth(self) -> bool:
        """Whether every cell is true, false or blank, and one is not blank."""
        known = [truth is not None for truth in self._truths]
        return any(known) and bool(np.all(known | self.is_missing))

    def numbers(self) -> np.ndarray:
        """float64, NaN where unknown."""
        if not self.is_numeric:
            is_number = self._numbers[1]
            row = 0 if is_number.all() else int(np.argmin(is_number))
            cell = numbers.quoted(self.cells.iloc[row])
            raise NotAllowed(
                f"column {self.name} does not hold numbers, row {row + 1} has {cell}; compare it with text"
            )
        return self._numbers[0]

    def text(self) -> np.ndarray:
        """Text, "" where blank."""
        if not self.is_text:
            row = self._texts.index(None)
            cell = numbers.quoted(self.cells.iloc[row])
            raise NotAllowed(f"column {self.name} does not hold text: row {row + 1} has {cell}, without quotes")
        return np.array(self._texts, object)

    def truth(self) -> np.ndarray:
        """True or false, false where blank."""
        if not self.is_truth:
            raise NotAllowed(f"column {self.name} must be true or false for each row, so compare it with something")
        return np.array([bool(truth) for truth in self._truths])

    def check_quoted(self, literal: str) -> None:
        """A column of text that is numbers equals quoted text only where the numbers are equal too.

        Raises:
          NotAllowed: '8' beside cells such as 8.0, or text that is no number.
        """
        if not self.is_numeric or self.is_missing.all() or not literal.strip():
            return
        if not numbers.is_number(literal.strip()):
            raise NotAllowed(f"column {self.name} holds numbers; {numbers.quoted(literal)} is text")
        for text in dict.fromkeys(self.text()):
            if text != literal and _exact(text) == _exact(literal):
                differ = f"{numbers.quoted(text)} is not the text {numbers.quoted(literal)}"
                raise NotAllowed(f"column {self.name} holds numbers: {differ}; write the number without quotes")


def _exact(text: str) -> decimal.Decimal:
    """The number that a text is, with all its digits; NaN, which equals nothing, for other text."""
    try:
        return decimal.Decimal(text.strip()) if numbers.is_number(text.strip()) else decimal.Decimal("nan")
    except decimal.InvalidOperation:  # an exponent of 20 digits
        return decimal.Decimal("nan")
