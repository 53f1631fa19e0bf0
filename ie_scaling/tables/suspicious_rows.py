"""Rows that can be read but are hardly runs: crashed, totals, commented out, repeated, or at odds with themselves."""

import re
from collections.abc import Mapping

import numpy as np
import pandas as pd

from ie_scaling.tables import columns, numbers
from ie_scaling.tables.columns import ColumnSource

STATES = ("state", "status")  # columns that say how a run ended
UNFINISHED = re.compile(
    "crash(ed)?|fail(ed|ure)?|error|killed|cancell?ed|aborted|interrupted|preempt(ed|ing)|timeout|timed.out|oom"
    "|out.of.memory|diverged|running|pending|queued|starting|stopped|node.fail|not.finished",
    re.IGNORECASE,
)
SUMMARIES = re.compile(
    "(grand )?totals?|sum|mean|average|avg|median|std|stdev|min|max|count|summe|gesamt|mittelwert|durchschnitt",
    re.IGNORECASE,
)
SPREADSHEET_ERRORS = ("#N/A", "#DIV/0!", "#REF!", "#VALUE!", "#NAME?", "#NUM!", "#NULL!")
FEWEST_TOKENS, MOST_TOKENS = 0.5, 1e5  # per parameter, of the middle row
LEAST_PER_LAYER, MOST_PER_LAYER = 2.0, 100.0  # parameters over d_model², about 12 in a transformer


def warnings_of_cells(raw: pd.DataFrame, sources: Mapping[str, ColumnSource], path: object) -> list[str]:
    """What the cells of the chosen rows say of them, as they were read (index 0 is row 1)."""
    return [
        *_unfinished(raw, path),
        *_summaries(raw, sources, path),
        *_comments(raw, path),
        *_twice(raw, sources, path),
    ]


def warnings_of_numbers(frame: pd.DataFrame, path: object, judge_ratio: bool) -> list[str]:
    """What the numbers of checked rows say of one another; tokens per parameter only where `judge_ratio`."""
    n_params = frame["n_params_total"].fillna(frame["n_params_non_embedding"])
    heads, kv_heads, n_layers, d_model = (frame[name] for name in ("n_heads", "n_kv_heads", "n_layers", "d_model"))
    per_layer = frame["n_params_non_embedding"].fillna(frame["n_params_total"]) / (n_layers * d_model**2)
    too_many = (per_layer > MOST_PER_LAYER) & frame["n_params_non_embedding"].notna()
    rules = (
        (
            frame["n_params_non_embedding"] >= frame["n_params_total"],
            "n_params_non_embedding",
            "is no less than n_params_total: are the two columns swapped, or one count given twice?",
        ),
        (kv_heads > heads, "n_kv_heads", "is more than n_heads"),
        (n_layers > d_model, "n_layers", "is more than d_model: are depth and width swapped?"),
        (
            ((per_layer < LEAST_PER_LAYER) | too_many) & (n_layers <= d_model),
            "d_model",
            "does not go with n_layers and the number of parameters, which is about 12 · n_layers · d_model² and what "
            "embeds the vocabulary",
        ),
    )
    warnings = [f"{_example(frame, wrong, column, path)}: {rule}" for wrong, column, rule in rules if wrong.any()]
    ratio = float((frame["n_tokens"] / n_params).median())
    if judge_ratio and not FEWEST_TOKENS <= ratio <= MOST_TOKENS:
        warnings.append(
            f"{path}: {ratio:.3g} tokens per parameter in the middle row, where 1 to 10,000 are usual: are parameters "
            "and tokens swapped, or one of them in another unit?"
        )
    return warnings


def repeated(frame: pd.DataFrame, name: str, several: bool) -> list[str]:
    """A warning where rows of several sources are of one run and loss, as tables that overlap have them.

    Of `several` tables, columns `table` and `table_row` say where a row stands. (Within a source such rows count once,
    and a run of two losses is refused: see laws.observations.)
    """
    run = ["run_id", "loss_split", "n_params_total", "n_params_non_embedding", "n_tokens", "loss"]
    same = frame.duplicated(run) & ~frame.duplicated(["source", *run])
    if not same.any():
        return []
    first = frame.index[int(same.to_numpy().argmax())]
    example = f"row {first + 1}"
    if several:
        example = f"{frame.at[first, 'table']}: row {frame.at[first, 'table_row']}"
    return [
        f"{name}: {int(same.sum())} of {len(frame)} rows repeat the run_id, size, tokens and loss of a row of another "
        f"source ({example} the first, run_id {columns.short(str(frame.at[first, 'run_id']))!r}): each counts as a run "
        "of its own; leave one of them out"
    ]


def _unfinished(raw: pd.DataFrame, path: object) -> list[str]:
    warnings = []
    for column in (name for name in raw.columns if str(name).lower() in STATES):
        words = raw[column].map(str)
        open_ended = words.map(lambda word: UNFINISHED.fullmatch(word.strip()) is not None)
        if open_ended.any():
            values = list(dict.fromkeys(words[open_ended]))
            where = f"{column} != {values[0]!r}" if len(values) == 1 else f"{column} not in {values}"
            warnings.append(
                f"{path}: {column} is {columns.listed(map(repr, values), 4)} in {_rows(open_ended)}, hardly losses of "
                f"finished runs; where={columns.short(where)!r} drops them"
            )
    return warnings


def _summaries(raw: pd.DataFrame, sources: Mapping[str, ColumnSource], path: object) -> list[str]:
    names = [sources[name].column for name in ("run_id", "model_id") if name in sources]
    for column in dict.fromkeys([*names, raw.columns[0]]):
        summary = raw[column].map(lambda cell: SUMMARIES.fullmatch(str(cell).strip(" :")) is not None)
        if summary.any():
            word = raw.loc[summary, column].iloc[0]
            return [f"{path}: column {numbers.label(column)} is {word!r} in {_rows(summary)}: a summary, and no run?"]
    return []


def _comments(raw: pd.DataFrame, path: object) -> list[str]:
    """Lines that begin with # where others do not, as someone has them who comments a run out."""
    first = raw.iloc[:, 0].map(str).str.strip()
    commented = first.str.startswith("#") & ~first.isin(SPREADSHEET_ERRORS)
    if not commented.any() or commented.all():
        return []
    return [f"{path}: {_rows(commented)} begins with #: read as a run; delete the line if it is a comment"]


def _twice(raw: pd.DataFrame, sources: Mapping[str, ColumnSource], path: object) -> list[str]:
    """Rows equal in every cell, of a table whose runs have no names."""
    same = raw.map(str).duplicated()
    if "run_id" in sources or not same.any():
        return []
    return [f"{path}: {_rows(same)} repeats a row above in every cell: each counts as a run; remove repeated rows"]


def _rows(chosen: pd.Series) -> str:
    first = chosen.index[int(chosen.to_numpy().argmax())] + 1
    return f"row {first}" if chosen.sum() == 1 else f"{int(chosen.sum())} of {len(chosen)} rows (row {first} the first)"


def _example(frame: pd.DataFrame, broken: pd.Series, column: str, path: object) -> str:
    row = frame.index[int(np.argmax(broken))]
    share = f"{int(broken.sum())} of {len(frame)} rows"
    return f"{path}: column {column}, {frame.at[row, column]:g} in row {row + 1} ({share})"
