"""What the verbs that fit and compare laws may set, with defaults and rules (no JAX here)."""

import dataclasses

from ie_scaling.errors import InputError
from ie_scaling.inference.config import NutsConfig
from ie_scaling.laws.choices import (
    COUNTS,
    MOST_RESAMPLES,
    MOST_STARTS,
    Method,
    Objective,
    Resample,
    fix_columns,
)
from ie_scaling.running.config import at_least, one_of, positive, require, seeded, within


@dataclasses.dataclass(frozen=True, kw_only=True)
class FitConfig:
    """Fit one law to a run table.

    `runs` is the table (several with commas between them are told apart by their column `source`), `columns` a map from
    the run table's column names to the table's own (docs/run_table.md), `where` the rows that are fitted, `holdout` the
    rows that are only predicted (a row filter, the path of another table, or `rest` for every row that is not fitted).
    `count` names which N the law uses; an empty `tie` or `count` means the law's own default. `resample` says what a
    bootstrap draws: whole models, or rows where every row is a run of its own.

    A table in the directory of a sweep that is not finished is refused, or taken with a warning where
    `allow_unfinished` says so.

    Quantities that follow from the law are reported with intervals: the best aspect ratio and the difference in ln L
    between the two of `aspect_pair`, at the geometric means of N_total and D; and N and D of least loss for each of
    `flop_budgets` (6·N_total·D; none means ten times the largest of the table) among shapes of `aspect_ratio` (0 means
    the geometric mean) and the table's median proportions.
    """

    runs: str = "data/bian2025.csv"
    columns: str | dict = ""
    where: str = ""
    holdout: str = ""
    law: str = "effective"
    tie: str = ""
    count: str = ""
    method: str = "both"
    objective: str = "huber_log"
    huber_delta: float = 1e-3
    n_starts: int = 64
    n_bootstrap: int = 0
    resample: str = "model"
    flop_budgets: tuple[float, ...] = ()
    aspect_ratio: float = 0.0
    aspect_pair: tuple[float, ...] = (32.0, 256.0)
    allow_unfinished: bool = False
    seed: int = 0
    nuts: NutsConfig = NutsConfig()

    def __post_init__(self) -> None:
        fix_columns(self)
        choices = {"count": ("", *COUNTS), "method": Method, "objective": Objective, "resample": Resample}
        for field, options in choices.items():
            one_of(self, field, options)
        positive(self, "huber_delta", "aspect_pair", "flop_budgets")
        at_least(self, 0, "aspect_ratio")
        within(self, 1, MOST_STARTS, "n_starts")
        within(self, 0, MOST_RESAMPLES, "n_bootstrap")
        seeded(self)
        if self.objective == "squared" and self.n_bootstrap:
            raise InputError(f"n_bootstrap={self.n_bootstrap}: needs objective huber_log")
        require(len(self.aspect_pair) == 2, "aspect_pair", self.aspect_pair, "must be two aspect ratios above zero")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PoolConfig:
    """Fit one law to several families of runs at once, their shape parameters partially pooled.

    `runs` is a table, or several with commas between them; rows with the same value in column `by` are one family.
    """

    runs: str = "data/bian2025.csv,data/gemstones_cooldown.csv"
    columns: str | dict = ""
    where: str = ""
    by: str = "source"
    law: str = "effective"
    tie: str = ""
    count: str = ""
    allow_unfinished: bool = False
    seed: int = 0
    nuts: NutsConfig = NutsConfig()

    def __post_init__(self) -> None:
        fix_columns(self)
        one_of(self, "count", ("", *COUNTS))
        seeded(self)
