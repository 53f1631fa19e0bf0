"""One run table with its columns mapped to the run table's names, before and after its rows are checked."""

import dataclasses
import math
import re
from collections.abc import Collection, Mapping
from pathlib import Path

import pandas as pd

from ie_scaling.errors import InputError
from ie_scaling.tables import cells, columns, derivations, suspicious_rows
from ie_scaling.tables.columns import NUMBER_COLUMNS, POSITIVE_RUN_COLUMNS, TEXT_COLUMNS, ColumnSource
from ie_scaling.tables.derivations import Derivation
from ie_scaling.tables.numbers import is_blank, to_numbers

NO_NUMBER = ("nan", "none", "null", "na", "n/a", "<na>", "inf", "+inf", "-inf", "infinity")  # readable as no number
WHOLE = ("d_model", "n_layers", "n_heads", "n_kv_heads", "vocab_size")
LARGEST = 1e30  # more is no count of anything, and its products overflow
OVERFLOWED = 1e15  # a negative number of such a size was a positive integer once
PANEL = re.compile(r"(.+?) - (\S.*?)(?:__MIN|__MAX|__std)?")


@dataclasses.dataclass(frozen=True, kw_only=True)
class MappedTable:
    """A table's cells as read (`raw`), the source of each known column, and the columns derived from others.

    `numbers` are all known columns of numbers as far as their cells can be read, scaled, NaN where not.
    """

    path: Path
    raw: pd.DataFrame
    sources: Mapping[str, ColumnSource]
    mapped: frozenset[str]
    numbers: pd.DataFrame
    derived: tuple[Derivation, ...]

    @classmethod
    def read(cls, path: Path) -> tuple[Path, pd.DataFrame]:
        """A table's path and cells, rows numbered from 0.

        Raises:
          InputError: no such file, an unreadable one, or one without rows.
        """
        raw = cells.read_frame(path)
        if raw.empty:
            raise InputError(f"{path}: has no rows")
        return path, raw.reset_index(drop=True).set_axis([str(name) for name in raw.columns], axis=1)

    @classmethod
    def of(
        cls, path: Path, raw: pd.DataFrame, chosen: columns.ColumnMap, optional: Collection[str] = ()
    ) -> "MappedTable":
        """The table under a map of columns; those `optional` may go without their source.

        Raises:
          InputError: a column that the map names, or that every run table needs, is missing.
        """
        header = [str(name) for name in raw.columns]
        mapped = columns.resolve(chosen, header, path, optional)
        sources = {name: ColumnSource(name) for name in columns.NAMES if name in header} | mapped
        numbers = pd.DataFrame(
            {
                name: to_numbers(raw[source.column])[0] * source.scale
                for name, source in sources.items()
                if name in NUMBER_COLUMNS
            },
            index=raw.index,
        )
        filled = {name for name, source in sources.items() if not is_blank(raw[source.column]).all()}
        words = {name: raw[sources[name].column] for name in ("tied_embeddings",) if name in sources}
        derived = derivations.derive(numbers.assign(**words), filled)
        numbers = numbers.assign(**{derivation.column: derivation.values for derivation in derived})
        table = cls(
            path=path, raw=raw, sources=sources, mapped=frozenset(mapped), numbers=numbers, derived=tuple(derived)
        )
        table._check_columns(header)
        return table

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was assumed of the table, a line each."""
        made = [] if "run_id" in self.sources else ["no column run_id: rows are named row1, row2 and so on"]
        return (*made, *(f"derived {derivation.remark}" for derivation in self.derived))

    @property
    def origins(self) -> dict[str, ColumnSource]:
        """The source of each column of numbers; of derived ones none."""
        return {**self.sources, **{derivation.column: ColumnSource("") for derivation in self.derived}}

    def view(self, start: int = 0) -> pd.DataFrame:
        """The rows as filters see them, nothing judged: cells as they are, but scaled and derived columns as numbers.

        A column with cells that are no numbers stays as it is, so that a filter that compares it says so. Rows without
        a run_id are numbered from `start` on.
        """
        known = dict.fromkeys(POSITIVE_RUN_COLUMNS, math.nan) | {name: self.numbers[name] for name in self.numbers}
        for name, source in self.sources.items():
            cells_given = self.raw[source.column]
            if name not in known or source.scale == 1 or not _are_numbers_or_unknown(cells_given):
                known[name] = cells_given
        text = {name: self._text(name, start) for name in TEXT_COLUMNS}
        return pd.DataFrame(dict(self.raw.items()) | known | text, index=self.raw.index)

    def judge(self, rows: pd.Index) -> pd.DataFrame:
        """These rows as read, with the known columns of numbers checked and scaled.

        Raises:
          InputError: naming file, row, column, value and rule, and how such a row is dropped.
        """
        raw = self.raw.loc[rows]
        unread = {name: self.numbers.loc[rows, name] for name in self.mapped if name in self.numbers}
        judged = raw.assign(**unread | dict.fromkeys(POSITIVE_RUN_COLUMNS, math.nan))
        for name in self._judged():
            judged[name] = self._numbers(raw, name)
        for derivation in self.derived:
            judged[derivation.column] = derivation.values[rows]
        self._check_counts(judged)
        return judged

    def _numbers(self, raw: pd.DataFrame, name: str) -> pd.Series:
        """One known column of these rows, checked, times its factor."""
        source = self.sources[name]
        try:
            return cells.positive(self.path, raw, source.column, self._is_required(name)) * source.scale
        except InputError as error:
            raise InputError(f"{error}{self._how_to_drop(raw, name)}") from None

    def _judged(self) -> list[str]:
        """Known columns of numbers that are given, but those that nothing here reads."""
        made = {derivation.column for derivation in self.derived}
        read = {name for derivation in self.derived for name in derivation.read}
        used = {*POSITIVE_RUN_COLUMNS, "loss_optimal", *read}
        return [name for name in self.sources if name in NUMBER_COLUMNS and name in used and name not in made]

    def _is_required(self, name: str) -> bool:
        """Whether every row must have it (compute is judged only where something is derived from it)."""
        if name == "n_params_total":
            return "n_params_non_embedding" not in {*self.sources, *(d.column for d in self.derived)}
        return name in ("loss", "n_tokens", "training_flops")

    def _how_to_drop(self, raw: pd.DataFrame, name: str) -> str:
        """The filter that would leave the first row out of which the column cannot be read."""
        numbers = self.numbers.loc[raw.index, name]
        if (numbers < -OVERFLOWED).any():
            return "; negative and so large, it looks like a 64-bit integer that overflowed: write it as 2.1e19"
        bad = numbers.isna() | (numbers <= 0) | (numbers == math.inf)
        if bad.all():
            return ""
        row = raw.index[int(bad.to_numpy().argmax())]
        for column in raw.columns:
            if str(column).lower() in suspicious_rows.STATES:
                usual = raw.loc[~bad, column].astype(str).mode().iloc[0]
                if str(raw.at[row, column]) != usual:
                    return f"; where={columns.short(f'{column} == {usual!r}')!r} drops such rows"
        column = self.sources[name].column
        word = str(raw.at[row, column]).strip()
        if word and word.lower() not in NO_NUMBER and not any(map(str.isdigit, word)):
            return f"; where={columns.short(f'{_quoted(column)} != {word!r}')!r} drops such rows"
        condition = f"{name} < 1e30" if numbers[row] == math.inf else f"{name} > 0"
        return f"; where={condition!r} drops such rows" if self._is_unwritten(row, name) else ""

    def _is_unwritten(self, row: int, name: str) -> bool:
        """Whether a cell says that there is no number, or holds one that is not positive."""
        cell = str(self.raw.at[row, self.sources[name].column]).strip().lower()
        return cell in ("", *NO_NUMBER) or not math.isnan(self.numbers.at[row, name])

    def _check_columns(self, header: list[str]) -> None:
        """Refuse a table that lacks a column which every run table needs."""
        have = {*self.sources, *self.numbers}
        missing = [name for name in ("n_tokens", "loss") if name not in have]
        if not have & {"n_params_total", "n_params_non_embedding"}:
            missing.insert(0, "n_params_total")
        if not missing:
            return
        if runs := _runs_of_a_panel(header):
            raise InputError(
                f"{self.path}: has a column for each run ({columns.listed(runs, 4)}), as a panel is exported; export "
                "the table of runs instead, a row for each run or checkpoint with its parameters, tokens and loss"
            )
        if len(header) == 1:
            raise InputError(
                f"{self.path}: has one column, {columns.short(header[0])!r}; its columns must have commas, tabs or "
                "semicolons between them"
            )
        hint = columns.suggest(missing, header) or f"name yours with {columns.as_flag({missing[0]: 'YOUR COLUMN'})}"
        raise InputError(
            f"{self.path}: column {missing[0]} is missing"
            + (f" (and {', '.join(missing[1:])})" if missing[1:] else "")
            + f"; the table has {columns.listed(header)}; {hint}"
        )

    def _check_counts(self, judged: pd.DataFrame) -> None:
        """Refuse rows of no size, and numbers that scaling or derivation made zero or infinite."""
        for name in POSITIVE_RUN_COLUMNS:
            wrong = (judged[name] == 0) | (judged[name] > LARGEST)
            cells.refuse(
                self.path, judged[name], wrong, f"must be above zero and below {LARGEST:g} once scaled or derived"
            )
        for name in WHOLE:
            broken = (judged[name] - judged[name].round()).abs() > 1e-6 * judged[name]
            cells.refuse(self.path, judged[name], broken, "must be a whole number")
        blank = judged["n_params_total"].isna() & judged["n_params_non_embedding"].isna()
        cells.refuse(self.path, judged["n_params_total"], blank, "must not be blank without n_params_non_embedding")

    def _text(self, name: str, start: int) -> pd.Series:
        """A column of text without spaces around it, "" where blank; of run_id the row's number."""
        text = pd.Series("", self.raw.index, dtype=object)
        if name in self.sources:
            given = self.raw[self.sources[name].column].astype(object)
            text = given.where(given.notna(), "").map(lambda cell: str(cell).strip()).astype(object)
            if name in ("run_id", "model_id"):  # no names, but what a missing one was written as
                text = text.where(~text.str.lower().isin(NO_NUMBER), "")
        numbered = pd.Series([f"row{start + row + 1}" for row in self.raw.index], self.raw.index, dtype=object)
        return text.where(text != "", numbered) if name == "run_id" else text


def _quoted(column: str) -> str:
    """A column's name as a row filter takes it."""
    return column if column.isidentifier() else f"`{column}`"


def _are_numbers_or_unknown(given: pd.Series) -> bool:
    words = given.astype(str).str.strip().str.lower()
    return bool((to_numbers(given)[1] | is_blank(given) | words.isin(NO_NUMBER)).all())


def _runs_of_a_panel(header: list[str]) -> list[str]:
    """The runs of columns RUN - METRIC, where at least two share their metric."""
    parts = [match for name in header if (match := PANEL.fullmatch(name))]
    metrics = [match[2] for match in parts]
    return list(dict.fromkeys(match[1] for match in parts if metrics.count(match[2]) > 1))
