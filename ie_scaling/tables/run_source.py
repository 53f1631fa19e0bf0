"""Reading run tables: columns mapped, rows filtered, and only then the cells of the chosen rows checked."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ie_scaling.architecture import SHAPE_FIELDS
from ie_scaling.errors import InputError
from ie_scaling.running import identity
from ie_scaling.tables import cells, columns, delimited, filters, plausibility, suspicious_rows
from ie_scaling.tables.columns import TEXT_COLUMNS
from ie_scaling.tables.mapped_table import MappedTable


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rows:
    """Checked rows of run tables: what was assumed of them (`remarks`) and what is suspicious (`warnings`)."""

    frame: pd.DataFrame
    remarks: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunSource:
    """One or several run tables before any cell is judged.

    `view` holds their rows, numbered on from table to table, as filters see them, by the run table's column names and
    by the user's. `unnamed` marks rows that have no model_id of their own.
    """

    name: str
    tables: tuple[MappedTable, ...]
    view: pd.DataFrame
    unnamed: pd.Series

    def __len__(self) -> int:
        return len(self.view)

    def filter(self, where: str, field: str = "where") -> pd.Index:
        """Which rows a filter keeps.

        Raises:
          InputError: no filter of these columns, or no row kept.
        """
        return filters.filter_rows(self.view, where, self.name, field).index

    def judge(self, index: pd.Index) -> Rows:
        """These rows, checked: numbers as float64, text as str with "" for blank, other columns as they are.

        Raises:
          InputError: naming file, row, column, value and rule, and how such a row is dropped.
        """
        frames, remarks, warnings, start = [], [], [], 0
        for table in self.tables:
            own = index.intersection(pd.RangeIndex(start, start + len(table.raw)), sort=False)
            if not own.empty:
                judged = table.judge(own - start)
                remarks += [f"{table.path}: {remark}" for remark in table.remarks]
                warnings += suspicious_rows.warnings_of_cells(table.raw.loc[own - start], table.sources, table.path)
                warnings += plausibility.warnings_of(judged, table.path, table.origins)
                frames.append(judged.set_axis(own))
            start += len(table.raw)
        several = len(self.tables) > 1
        text = [*TEXT_COLUMNS, *(["table", "table_row"] if several else [])]
        frame = pd.concat(frames).assign(**{name: self.view.loc[index, name] for name in text})
        remarks += _same_shapes(frame[self.unnamed[index]], self.name, several)
        warnings += suspicious_rows.repeated(frame, self.name, several)
        return Rows(frame=frame, remarks=tuple(remarks), warnings=tuple(warnings))


def open_runs(paths: str | Path, columns_text: str | Mapping[str, Any] = "") -> RunSource:
    """The run tables at `paths` (several with commas between them) under a map of columns.

    Of several, a blank `source` becomes the file's name, a `model_id` that two of them share is distinguished by its
    source, and file and row (1 = first data row) stand in columns `table` and `table_row`.

    Raises:
      InputError: a table that cannot be read, or a column that is missing; the map that may help is suggested.
    """
    names = split_paths(paths)
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"runs={columns.short(str(paths))}: {twice[0]} is named twice")
    return assemble(str(paths), open_tables(names, columns_text))


def open_frame(frame: pd.DataFrame, name: str, columns_text: str | Mapping[str, Any] = "") -> RunSource:
    """A run table in memory, as `open_runs` has one of a file; its rows are counted in their order.

    Raises:
      InputError: no rows, or as `open_runs`.
    """
    if frame.empty:
        raise InputError(f"{name}: has no rows")
    path, numbered = Path(name), frame.reset_index(drop=True)
    raw = delimited.named(path, numbered, [str(column) for column in frame.columns])
    return assemble(name, [MappedTable.of(path, raw, columns.parse(columns_text))])


def open_tables(paths: Sequence[str | Path], columns_text: str | Mapping[str, Any] = "") -> list[MappedTable]:
    """Tables under one map; one that lacks a user's column may have the run table's, where another has the user's."""
    chosen = columns.parse(columns_text)
    read = [MappedTable.read(Path(path)) for path in paths]
    somewhere = {name for name in chosen if any(s.column in raw for _, raw in read for s in chosen[name])}
    return [MappedTable.of(path, raw, chosen, optional=somewhere) for path, raw in read]


def assemble(name: str, tables: Sequence[MappedTable]) -> RunSource:
    """Tables as one source, in their order."""
    starts = itertools.accumulate((len(table.raw) for table in tables), initial=0)
    views = [table.view(start) for table, start in zip(tables, starts, strict=False)]
    if len(tables) > 1:
        for table, view in zip(tables, views, strict=True):
            view.loc[view["source"] == "", "source"] = table.path.stem
            view[["table", "table_row"]] = [[str(table.path), row + 1] for row in range(len(view))]
    view = pd.concat(views, ignore_index=True)
    unnamed = view["model_id"] == ""
    view.loc[unnamed, "model_id"] = view.loc[unnamed, "run_id"]
    shared = view.groupby("model_id")["source"].transform("nunique") > 1
    view.loc[shared, "model_id"] = view.loc[shared, "source"] + "/" + view.loc[shared, "model_id"]
    return RunSource(name=name, tables=tuple(tables), view=view, unnamed=unnamed)


def inputs(field: str, paths: str, or_filter: bool = False) -> dict[str, Path]:
    """The inputs that a field names: its run tables; none where it may hold, and holds, a row filter instead.

    Raises:
      InputError: there can be no file of this name.
    """
    return {} if or_filter and not cells.is_table(paths) else identity.named(field, split_paths(paths))


def split_paths(paths: str | Path) -> list[str]:
    """The files of a comma-separated list."""
    return [name for name in (part.strip() for part in str(paths).split(",")) if name] or [str(paths)]


def _same_shapes(frame: pd.DataFrame, name: str, several: bool) -> list[str]:
    """A remark on rows without a model_id that may be one model's: equal in source, size and shape."""
    same = ["source", "n_params_total", "n_params_non_embedding", *SHAPE_FIELDS]
    groups = frame.groupby(same, dropna=False, sort=False)["model_id"]
    alike = groups.transform("nunique") > 1
    if not alike.any():
        return []
    first = frame[groups.ngroup() == groups.ngroup()[alike].iloc[0]]
    numbers = first["table_row"] if several else first.index + 1
    where = f"{first['table'].iloc[0]}: " if several else ""
    rows = where + "rows " + columns.listed((str(number) for number in numbers), 4)
    return [
        f"{name}: {int(alike.sum())} rows have no model_id and share their size and shape with others ({rows} …): "
        "each counts as a model of its own; checkpoints of one model need one model_id"
    ]
