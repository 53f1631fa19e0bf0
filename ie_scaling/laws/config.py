"""FitConfig: what `configs/fit.py` may set, with its defaults and rules (no JAX here)."""

import dataclasses

COUNTS = ("total", "non_embedding", "effective")
METHODS = ("least_squares", "bayes", "both")
OBJECTIVES = ("huber_log", "squared")


@dataclasses.dataclass(frozen=True, kw_only=True)
class NutsConfig:
    """How NUTS samples, and the gate its draws must pass (science.md §4)."""

    n_chains: int = 4
    n_warmup: int = 1000
    n_samples: int = 1000
    target_accept: float = 0.95
    max_rhat: float = 1.01
    min_ess: float = 400.0
    min_bfmi: float = 0.3


@dataclasses.dataclass(frozen=True, kw_only=True)
class FitConfig:
    """Fit one law to a run table.

    `runs` is the table, `where` the rows that are fitted, `holdout` the rows that are only predicted (a row filter,
    the path of another table, or `rest` for every row that is not fitted). `count` names which N the law uses; an
    empty `tie` or `count` means the law's own default.
    """

    runs: str = "data/bian2025.csv"
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
    seed: int = 0
    nuts: NutsConfig = NutsConfig()

    def __post_init__(self) -> None:
        for field, options in (("count", ("", *COUNTS)), ("method", METHODS), ("objective", OBJECTIVES)):
            if getattr(self, field) not in options:
                raise ValueError(f"{field}={getattr(self, field)!r}: must be one of {', '.join(filter(None, options))}")
        if not self.huber_delta > 0:
            raise ValueError(f"huber_delta={self.huber_delta}: must be above zero")
