"""FitConfig: what `configs/fit.py` may set, with its defaults and rules (no JAX here)."""

import dataclasses
from typing import Any

from ie_scaling.inference.config import NutsConfig
from ie_scaling.tables import columns as table_columns

COUNTS = ("total", "non_embedding", "effective")
METHODS = ("least_squares", "bayes", "both")
OBJECTIVES = ("huber_log", "squared")
RESAMPLES = ("model", "row")


def _fix_columns(config: Any) -> None:
    """Check a configuration's map of columns and write it in one way, so that equal maps are one configuration."""
    object.__setattr__(config, "columns", table_columns.canonical(config.columns))


@dataclasses.dataclass(frozen=True, kw_only=True)
class CompareLawsConfig:
    """Contest laws on run tables by how well they predict models, and sizes, that they did not see.

    `tables` are run tables, `columns` a map from our column names to theirs (docs/run_table.md), `where` a row filter
    for all of them. `laws` are NAME, NAME:TIE or NAME:TIE:COUNT; a law without a count is contested under each of
    `counts`. Every number is in nats². `baseline` (one of the laws, in full) is what paired differences are taken from.
    """

    tables: tuple[str, ...] = ("data/bian2025.csv", "data/gemstones_cooldown.csv")
    columns: str | dict = ""
    where: str = ""
    laws: tuple[str, ...] = (
        "chinchilla",
        "aspect_ratio:alpha=beta=gamma",
        "aspect_ratio:alpha=beta",
        "aspect_ratio:free",
        "conditional",
        "width_depth",
        "effective",
        "effective_moving_N",
        "effective_moving_D",
        "effective_gqa",
        "conditional_published",
        "conditional_published_additive",
    )
    counts: tuple[str, ...] = COUNTS
    baseline: str = "aspect_ratio:free:total"
    n_folds: int = 5
    n_repeats: int = 10
    extrapolate: float = 0.25
    huber_delta: float = 1e-3
    n_starts: int = 64
    n_fold_starts: int = 8
    n_bootstrap: int = 4000
    allow_unfinished: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        _fix_columns(self)
        if not self.tables or not self.laws:
            raise ValueError("tables and laws: name at least one of each")
        for count in self.counts:
            if count not in COUNTS:
                raise ValueError(f"counts={count!r}: must be among {', '.join(COUNTS)}")
        if self.n_folds < 2:
            raise ValueError(f"n_folds={self.n_folds}: must be at least 2")
        if not 0 < self.extrapolate < 1:
            raise ValueError(f"extrapolate={self.extrapolate}: must be between 0 and 1")
        for field in ("n_repeats", "n_starts", "n_fold_starts", "n_bootstrap"):
            if getattr(self, field) < 1:
                raise ValueError(f"{field}={getattr(self, field)}: must be at least 1")


@dataclasses.dataclass(frozen=True, kw_only=True)
class CompareConfig:
    """Contest ways of predicting, on the same runs left out: by size, and by model.

    `wheres` holds a row filter for each of `tables`, "" for none. `laws` (NAME, NAME:TIE or NAME:TIE:COUNT) are each
    fitted as a posterior and by bootstrapped least squares, and stacked; `published` are fitted as scipy's curve_fit
    does. By size the largest share `extrapolate` of the models is left out, by model each of `n_folds` parts.
    """

    tables: tuple[str, ...] = (
        "data/bian2025.csv",
        "data/gemstones_cooldown.csv",
        "data/chinchilla.csv",
        "data/gadre2024_models.csv",
    )
    wheres: tuple[str, ...] = (
        "",
        "",
        "fit_set == 'besiroglu240'",
        "loss_split == 'c4_val' and notes.str.contains('train=rpj')",
    )
    columns: str | dict = ""
    laws: tuple[str, ...] = ("chinchilla", "aspect_ratio:free", "effective", "effective_moving_D")
    published: tuple[str, ...] = ("chinchilla:alpha=beta", "aspect_ratio")
    n_folds: int = 3
    extrapolate: float = 0.25
    n_bootstrap: int = 1000
    n_resamples: int = 2000
    allow_unfinished: bool = False
    seed: int = 0
    nuts: NutsConfig = NutsConfig(n_warmup=500, n_samples=500, max_samples=2000, target_accept=0.95)

    def __post_init__(self) -> None:
        _fix_columns(self)
        if not self.tables or not self.laws:
            raise ValueError("tables and laws: name at least one of each")
        if len(self.wheres) != len(self.tables):
            raise ValueError(f"wheres: has {len(self.wheres)} row filters for {len(self.tables)} tables")
        if self.n_folds < 2:
            raise ValueError(f"n_folds={self.n_folds}: must be at least 2")
        if not 0 < self.extrapolate < 1:
            raise ValueError(f"extrapolate={self.extrapolate}: must be between 0 and 1")
        for field in ("n_bootstrap", "n_resamples"):
            if getattr(self, field) < 20:
                raise ValueError(f"{field}={getattr(self, field)}: must be at least 20")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReproduceConfig:
    """Reach the published numbers again: `rows` and `figures` by name, none meaning all of them.

    `data` is the folder of the public run tables; `figure_law` is drawn beside the law of arXiv 2501.18107.
    """

    data: str = "data"
    rows: tuple[str, ...] = ()
    figures: tuple[str, ...] = ()
    figure_law: str = "effective_moving_D"
    n_starts: int = 64
    n_bootstrap: int = 4000
    seed: int = 0


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
        _fix_columns(self)
        choices = {"count": ("", *COUNTS), "method": METHODS, "objective": OBJECTIVES, "resample": RESAMPLES}
        for field, options in choices.items():
            if getattr(self, field) not in options:
                raise ValueError(f"{field}={getattr(self, field)!r}: must be one of {', '.join(filter(None, options))}")
        if not self.huber_delta > 0:
            raise ValueError(f"huber_delta={self.huber_delta}: must be above zero")
        if self.objective == "squared" and self.n_bootstrap:
            raise ValueError(f"n_bootstrap={self.n_bootstrap}: needs objective huber_log")
        if len(self.aspect_pair) != 2 or min(self.aspect_pair) <= 0:
            raise ValueError(f"aspect_pair={self.aspect_pair}: must be two aspect ratios above zero")
        if self.aspect_ratio < 0:
            raise ValueError(f"aspect_ratio={self.aspect_ratio}: must be above zero, or 0 for the table's own")
        if any(not budget > 0 for budget in self.flop_budgets):
            raise ValueError(f"flop_budgets={self.flop_budgets}: must be above zero")


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
        _fix_columns(self)


@dataclasses.dataclass(frozen=True, kw_only=True)
class CertifyConfig:
    """Check a law's calibration on the design of a run table: fields as of FitConfig, and how much is simulated.

    `n_tables` tables are simulated from the prior and each fitted by one chain of `n_warmup` + `n_samples` transitions,
    of which every `thin`-th draw is ranked. `prior_scale` other than 1 plants an error: the simulator's priors are so
    many times wider than the model's. The chains are shorter than a fit's: where many diverge, lengthen them.
    """

    runs: str = "data/bian2025.csv"
    columns: str | dict = ""
    where: str = ""
    law: str = "effective"
    tie: str = ""
    count: str = ""
    n_tables: int = 300
    n_warmup: int = 300
    n_samples: int = 500
    thin: int = 5
    target_accept: float = 0.9
    prior_scale: float = 1.0
    allow_unfinished: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        _fix_columns(self)
        for field in ("n_warmup", "n_samples"):
            if getattr(self, field) < 50 or getattr(self, field) % 50:
                raise ValueError(f"{field}={getattr(self, field)}: must be a multiple of 50")
        if self.n_tables < 20:
            raise ValueError(f"n_tables={self.n_tables}: must be at least 20")
        if self.thin < 1 or 50 % self.thin:
            raise ValueError(f"thin={self.thin}: must divide 50")
        if not self.prior_scale > 0:
            raise ValueError(f"prior_scale={self.prior_scale}: must be above zero")
