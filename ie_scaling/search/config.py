"""SelectConfig: what `configs/select.py` may set, with its defaults and rules (no JAX here)."""

import dataclasses
import math

from ie_scaling.latency.law.config import RequestConfig

METRICS = ("ttft_s", "tpot_s", "e2e_s")
LEVELS = ("law", "shape", "new_run")


def _require_seed(seed: int) -> None:
    if seed < 0:
        raise ValueError(f"seed={seed}: must be at least 0")


@dataclasses.dataclass(frozen=True, kw_only=True)
class GridConfig:
    """Every shape of about `n_params` parameters (embeddings included); None for no grid.

    Widths are the multiples of `width_step` up to `max_width`, d_ff is `mlp_ratios` × width to the nearest 64, query
    heads are width / d_head, and depth is whatever brings the size within `tolerance` and d/n within `aspect_ratios`.
    """

    n_params: float | None = None
    tolerance: float = 0.05
    width_step: int = 128
    max_width: int = 16384
    aspect_ratios: tuple[float, ...] = (8.0, 512.0)
    d_head: int = 128
    mlp_ratios: tuple[float, ...] = (8 / 3,)
    query_groups: tuple[int, ...] = (1,)
    vocab_size: int = 50432
    tied_embeddings: bool = False

    def __post_init__(self) -> None:
        if self.n_params is not None and not (math.isfinite(self.n_params) and self.n_params > 0):
            raise ValueError(f"n_params={self.n_params}: must be finite and above zero")
        if len(self.aspect_ratios) != 2 or not 0 < self.aspect_ratios[0] < self.aspect_ratios[1]:
            raise ValueError(f"aspect_ratios={self.aspect_ratios}: must be a lower and a higher one, above zero")
        if not 0 < self.tolerance < 1:
            raise ValueError(f"tolerance={self.tolerance}: must lie between 0 and 1")
        for field in ("width_step", "max_width", "d_head", "vocab_size"):
            if getattr(self, field) < 1:
                raise ValueError(f"{field}={getattr(self, field)}: must be at least 1")
        if any(not ratio > 0 for ratio in self.mlp_ratios) or any(group < 1 for group in self.query_groups):
            raise ValueError(f"mlp_ratios={self.mlp_ratios}, query_groups={self.query_groups}: must be above zero")


@dataclasses.dataclass(frozen=True, kw_only=True)
class SelectConfig:
    """Rank candidate shapes by predicted loss among those that are fast enough, and recommend one.

    `fit` is a directory that `configs/fit.py` wrote. `latency` says how fast candidates are: a latency.csv, of which
    `where` chooses rows and `candidates` names architectures (all by default); or a directory that
    `configs/fit_latency.py` wrote, whose law predicts `request` for the `candidates` and those of `grid`, timed or not.
    The bound is `max_latency_s`, or `max_latency_ratio` times the fastest candidate's median (as predicted, in each
    draw). A candidate is feasible where it meets the bound with probability at least `min_p_feasible`: a request of it
    where it was timed, the median of a new benchmark where it was not. `level` names the predictand (science.md §4):
    `law`, `shape` or `new_run`.
    """

    fit: str = "runs/quickstart/fit/effective"
    latency: str = "runs/quickstart/latency/latency.csv"
    where: str = ""
    candidates: tuple[str, ...] = ()
    grid: GridConfig = GridConfig()
    request: RequestConfig = RequestConfig()
    n_tokens: float = 1e6
    max_params: float | None = None
    latency_metric: str = "e2e_s"
    max_latency_s: float | None = None
    max_latency_ratio: float | None = None
    min_p_feasible: float = 0.9
    level: str = "shape"
    top_k: int = 3
    allow_unfinished: bool = False
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
        _require_seed(self.seed)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RankConfig:
    """Rank candidate shapes by predicted loss at `n_tokens` tokens.

    `fit` is a directory that `configs/fit.py` wrote, or several of the same rows with commas between them: their laws
    are then stacked, and by_law.csv says how the answer depends on the law. `level` names the predictand (science.md
    §4). The table lists the `n_listed` shapes of least expected regret; up to `n_compared` candidates are compared at
    every level too. P(rank = k) is told apart for the first `top_k` ranks.
    """

    fit: str = "runs/fit"
    candidates: tuple[str, ...] = (
        "d2048-n24-h16-k16-c128-f5632-v50432",
        "d2560-n16-h16-k16-c160-f6912-v50432",
        "d2816-n12-h16-k16-c176-f7680-v50432",
        "d3072-n12-h16-k16-c192-f8192-v50432",
        "d3328-n8-h16-k16-c208-f8960-v50432",
        "d4096-n6-h16-k16-c256-f11008-v50432",
    )
    grid: GridConfig = GridConfig()
    n_tokens: float = 3e10
    level: str = "shape"
    top_k: int = 6
    n_listed: int = 1000
    n_compared: int = 50
    allow_unfinished: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.level not in LEVELS:
            raise ValueError(f"level={self.level!r}: must be one of {', '.join(LEVELS)}")
        if not (math.isfinite(self.n_tokens) and self.n_tokens > 0):
            raise ValueError(f"n_tokens={self.n_tokens}: must be finite and above zero")
        for field in ("top_k", "n_listed", "n_compared"):
            if getattr(self, field) < 1:
                raise ValueError(f"{field}={getattr(self, field)}: must be at least 1")
        _require_seed(self.seed)
