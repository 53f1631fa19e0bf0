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
    require_some,
)
from ie_scaling.running.config import at_least, between, one_of, positive, require, seeded, within


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
        fix_columns(self)
        require_some(self, "tables", "laws", "counts")
        one_of(self, "counts", COUNTS)
        within(self, 2, MOST_STARTS, "n_folds")
        between(self, 0, 1, "extrapolate")
        positive(self, "huber_delta")
        within(self, 1, MOST_STARTS, "n_repeats", "n_starts", "n_fold_starts")
        within(self, 1, MOST_RESAMPLES, "n_bootstrap")
        seeded(self)


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
        fix_columns(self)
        require_some(self, "tables", "laws")
        rule = f"must hold a row filter for each of the {len(self.tables)} tables"
        require(len(self.wheres) == len(self.tables), "wheres", self.wheres, rule)
        within(self, 2, MOST_STARTS, "n_folds")
        between(self, 0, 1, "extrapolate")
        within(self, 20, MOST_RESAMPLES, "n_bootstrap", "n_resamples")
        seeded(self)


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

    def __post_init__(self) -> None:
        within(self, 1, MOST_STARTS, "n_starts")
        within(self, 1, MOST_RESAMPLES, "n_bootstrap")
        seeded(self)


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
        fix_columns(self)
        one_of(self, "count", ("", *COUNTS))
        for field in ("n_warmup", "n_samples"):
            require(getattr(self, field) % 50 == 0, field, getattr(self, field), "must be a multiple of 50")
        within(self, 50, MOST_RESAMPLES, "n_warmup", "n_samples")
        within(self, 20, MOST_RESAMPLES, "n_tables")
        require(self.thin >= 1 and 50 % self.thin == 0, "thin", self.thin, "must divide 50")
        positive(self, "prior_scale")
        between(self, 0, 1, "target_accept")
        seeded(self)
