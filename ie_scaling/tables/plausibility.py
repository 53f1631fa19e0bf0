"""Plausibility of a run table's numbers: parameters in millions, tokens in billions, perplexities as losses."""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from ie_scaling.tables import columns, suspicious_rows
from ie_scaling.tables.columns import ColumnSource
from ie_scaling.tables.derivations import count_by_shape

LEAST_PARAMETERS = 1e4
LEAST_TOKENS = 1e6
MOST_PARAMETERS, MOST_TOKENS = 1e14, 1e17  # more, once scaled, were in another unit already
LEAST_LOSS = 0.1
LARGEST_VOCABULARY = 300_000  # where the table does not say
CONFIRMED = 0.05  # a unit is confirmed where the shape, or steps · batch · sequence, gives the number to this
FLOPS_APART = 100.0  # from 6·N·D, of which attention over long sequences makes small models fall short tenfold
TOKENS_PER_PARAMETER = 50.0  # the middle of what is trained
WORDS = {1e3: "thousands", 1e6: "millions", 1e9: "billions", 1e12: "trillions"}


def warnings_of(frame: pd.DataFrame, path: object, sources: Mapping[str, ColumnSource]) -> list[str]:
    """A line for each column of these checked rows (index 0 is row 1) that is hardly what its name says."""
    warnings, unit = [], 1.0
    for column, matrices in (("n_params_total", (1, 2)), ("n_params_non_embedding", (0,))):
        low = (frame[column] < LEAST_PARAMETERS) & ~_by_shape(frame, column, matrices)
        if low.any():
            unit = _unit_of_parameters(frame.loc[low, column])
            rule = f"below {LEAST_PARAMETERS:,.0f}, hardly a number of parameters"
            mixed = frame[column].max() * unit > MOST_PARAMETERS
            warnings.append(_small(_example(frame, low, column, path), column, sources, rule, unit, mixed))
    low = (frame["n_tokens"] < LEAST_TOKENS) & ~_by_steps(frame)
    if low.any():
        unit = _unit_of_tokens(frame[low], unit)
        rule = f"below {LEAST_TOKENS:,.0f}, hardly a number of training tokens"
        mixed = frame["n_tokens"].max() * unit > MOST_TOKENS
        warnings.append(_small(_example(frame, low, "n_tokens", path), "n_tokens", sources, rule, unit, mixed))
    others = suspicious_rows.warnings_of_numbers(frame, path, judge_ratio=not warnings and not _is_confirmed(frame))
    return warnings + _losses(frame, path) + _compute(frame, path) + others


def _is_confirmed(frame: pd.DataFrame) -> bool:
    """Whether most rows' own steps give their tokens: then few tokens per parameter are meant."""
    return bool(_by_steps(frame).mean() > 0.5)


def _small(example: str, column: str, sources: Mapping[str, ColumnSource], rule: str, unit: float, mixed: bool) -> str:
    source = sources.get(column, ColumnSource(column))
    text = f"{example}: {rule}; looks like {WORDS[unit]}"
    if mixed:
        return f"{text}, but other rows do not: write all rows in one unit"
    if source.column == "":  # derived
        return f"{text}; see the columns it is derived from"
    return f"{text}: scale the column, {columns.as_flag({column: columns.scaled(source, unit)})}"


def _example(frame: pd.DataFrame, broken: pd.Series, column: str, path: object) -> str:
    row = frame.index[int(broken.to_numpy().argmax())]
    share = f"{int(broken.sum())} of {len(frame)} rows"
    return f"{path}: column {column}, {frame.at[row, column]:g} in row {row + 1} ({share})"


def _by_shape(frame: pd.DataFrame, column: str, matrices: tuple[int, ...]) -> pd.Series:
    """Whether the row's own shape gives its number of parameters."""
    near = [(np.log(frame[column] / count_by_shape(frame, count))).abs() < CONFIRMED for count in matrices]
    return pd.concat(near, axis=1).any(axis=1)


def _by_steps(frame: pd.DataFrame) -> pd.Series:
    """Whether the row's own steps, batch and sequence length give its number of tokens."""
    factors = ("n_steps", "batch_size", "sequence_length")
    if not set(factors) <= set(frame.columns):
        return pd.Series(False, frame.index)
    tokens = math.prod(pd.to_numeric(frame[factor], errors="coerce") for factor in factors)
    return (tokens / frame["n_tokens"] - 1).abs() < CONFIRMED


def _unit_of_parameters(values: pd.Series) -> float:
    return 1e9 if values.min() < 1 or values.max() < 10 else 1e6


def _unit_of_tokens(rows: pd.DataFrame, unit_of_parameters: float) -> float:
    """The unit that makes tokens per parameter the most ordinary; billions where parameters are unknown."""
    n_params = unit_of_parameters * rows["n_params_total"].fillna(rows["n_params_non_embedding"])
    log_ratio = np.log(rows["n_tokens"] / n_params / TOKENS_PER_PARAMETER).median()
    if not np.isfinite(log_ratio):
        return 1e9
    return min(WORDS, key=lambda unit: abs(log_ratio + math.log(unit)))


def _losses(frame: pd.DataFrame, path: object) -> list[str]:
    loss = frame["loss"]
    warnings = []
    above = loss > np.log(frame["vocab_size"].fillna(LARGEST_VOCABULARY))
    if above.any():
        guess = f"of uniform guessing among {frame['vocab_size'].fillna(LARGEST_VOCABULARY)[above].iloc[0]:,.0f} tokens"
        warnings.append(
            f"{_example(frame, above, 'loss', path)}: above the loss {guess}; looks like perplexity (its logarithm is "
            "wanted), a sum, or a run that diverged"
        )
    below = loss < LEAST_LOSS
    if below.any():
        warnings.append(
            f"{_example(frame, below, 'loss', path)}: below {LEAST_LOSS} nats per token, hardly a loss on text; looks "
            "like an accuracy, a difference, or another unit"
        )
    return warnings


def _compute(frame: pd.DataFrame, path: object) -> list[str]:
    """Compute that is not near 6·N·D: one of the three is in another unit."""
    if "training_flops" not in frame:
        return []
    flops = pd.to_numeric(frame["training_flops"], errors="coerce")
    ratio = flops / (6 * frame["n_params_total"] * frame["n_tokens"])
    apart = (ratio > FLOPS_APART) | (ratio < 1 / FLOPS_APART)
    if not apart.any():
        return []
    why = "it overflowed as an integer" if (flops < 0).any() else "one of the three is in another unit"
    text = f"{ratio[apart].iloc[0]:.3g} times 6 · n_params_total · n_tokens; {why}"
    return [f"{_example(frame.assign(training_flops=flops), apart, 'training_flops', path)}: {text}"]
