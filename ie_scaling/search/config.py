"""SelectConfig: what `configs/select.py` may set, with its defaults and rules (no JAX here)."""

import dataclasses
import math

METRICS = ("ttft_s", "tpot_s", "e2e_s")
LEVELS = ("law", "shape", "new_run")


@dataclasses.dataclass(frozen=True, kw_only=True)
class SelectConfig:
    """Rank candidate shapes by predicted loss among those that are fast enough, and recommend one.

    `fit` is a directory that `configs/fit.py` wrote, `latency` a latency.csv. `candidates` are architecture names; by
    default every architecture of the latency table. The bound is `max_latency_s`, or `max_latency_ratio` times the
    fastest candidate's median. A candidate is feasible where a request meets the bound with probability at least
    `min_p_feasible`. `level` names the predictand (science.md §4): `law`, `shape` or `new_run`.
    """

    fit: str = "runs/quickstart/fit/effective"
    latency: str = "runs/quickstart/latency/latency.csv"
    where: str = ""
    candidates: tuple[str, ...] = ()
    n_tokens: float = 1e6
    max_params: float | None = None
    latency_metric: str = "e2e_s"
    max_latency_s: float | None = None
    max_latency_ratio: float | None = None
    min_p_feasible: float = 0.9
    level: str = "shape"
    top_k: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        if self.latency_metric not in METRICS:
            raise ValueError(f"latency_metric={self.latency_metric!r}: must be one of {', '.join(METRICS)}")
        if self.level not in LEVELS:
            raise ValueError(f"level={self.level!r}: must be one of {', '.join(LEVELS)}")
        if self.max_latency_s is not None and self.max_latency_ratio is not None:
            raise ValueError(f"max_latency_s={self.max_latency_s}: give it or max_latency_ratio, not both")
        for field in ("n_tokens", "max_params", "max_latency_s", "max_latency_ratio"):
            value = getattr(self, field)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise ValueError(f"{field}={value}: must be finite and above zero")
        if not 0 < self.min_p_feasible < 1:
            raise ValueError(f"min_p_feasible={self.min_p_feasible}: must lie between 0 and 1")
        if self.top_k < 1:
            raise ValueError(f"top_k={self.top_k}: must be at least 1")
