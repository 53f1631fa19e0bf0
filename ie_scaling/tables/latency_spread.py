"""Spread of a shape's requests and standard error of their median, given how many were timed.

The log of a request's latency is taken as normal with standard deviation s. A row's percentiles estimate it by

    ŝ = ln(p90/p10)/2.563 · (n + 1)/(n − 1),    or from the median and one of the two where the other is blank

whose second factor undoes what n values fall short of the percentiles of all (simulated: 2.83 for n = 2, 1.43 for 5,
1.127 for 16). It varies as a standard deviation with ν = 0.63·(n − 1) degrees of freedom does, 0.63 being how
much of the information in n values the two percentiles keep. Rows of one table are alike: s² is moderated as Smyth's
variances are (2004, "Linear models and empirical Bayes methods"),

    s² = (ν₀·s₀² + ν·ŝ²)/(ν₀ + ν)    with ν₀ + ν degrees of freedom

where s₀ is the median ŝ of the table, and ν₀ = 3: as much as ŝ varies among the rows of nine tables (2.6 to 7.7, 28
once). So a row that has
no spread of its own, or one value, or percentiles all alike, has the table's, poorly known. Where no row has any,
s₀ = 0.1 (those tables have 0.03 to 0.15) and ν₀ = 1. For many values all this is ŝ itself.
"""

import math

import numpy as np
import pandas as pd

P10_TO_P90 = 2.5631  # of a normal distribution, in standard deviations
MEDIAN_ERROR = math.sqrt(math.pi / 2)  # standard error of a median, in that of a mean
EFFICIENCY = 0.63
ALIKE_DOF = 3.0
UNKNOWN_SPREAD, UNKNOWN_DOF = 0.1, 1.0


def of_table(table: pd.DataFrame, metric: str) -> np.ndarray:
    """ŝ of each row; NaN where its percentiles are blank or its count is 1."""
    middle, low, high = (table[f"{metric}{tail}"].to_numpy(float) for tail in ("", "_p10", "_p90"))
    low, high = np.where(np.isnan(low), middle**2 / high, low), np.where(np.isnan(high), middle**2 / low, high)
    count = table["count"].to_numpy(float)
    with np.errstate(divide="ignore"):
        short = np.where(count > 1, (count + 1) / (count - 1), np.nan)
    return np.log(high / low) / P10_TO_P90 * short


def moderate(spread_A: np.ndarray, count_A: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """s and its degrees of freedom, from ŝ (NaN for unknown) and the counts of rows that are alike."""
    dof_A = np.where(np.isfinite(spread_A), EFFICIENCY * np.maximum(count_A - 1, 0), 0.0)
    some = spread_A[(dof_A > 0) & (spread_A > 0)]
    typical, alike = (float(np.median(some)), ALIKE_DOF) if len(some) else (UNKNOWN_SPREAD, UNKNOWN_DOF)
    squares_A = alike * typical**2 + dof_A * np.nan_to_num(spread_A) ** 2
    return np.sqrt(squares_A / (alike + dof_A)), alike + dof_A


def remarks(table: pd.DataFrame, metric: str, name: str) -> list[str]:
    """A warning where rows do not say how much their requests vary; `name` is the table's file."""
    unknown_A = ~(of_table(table, metric) > 0)
    if not unknown_A.any():
        return []
    source = f"it is assumed to be {UNKNOWN_SPREAD:g} in ln" if unknown_A.all() else "the other rows' is taken"
    first = table["architecture"].iloc[int(unknown_A.argmax())]
    return [
        f"{name}: {int(unknown_A.sum())} of {len(table)} rows, {first} the first, do not say how much {metric} varies "
        f"(percentiles blank or all one, or count 1): {source}, and poorly known"
    ]
