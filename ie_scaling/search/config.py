"""What `configs/select.py` and `configs/rank.py` may set, with their rules (no JAX here)."""

import dataclasses
import math

from ie_scaling.errors import InputError, short
from ie_scaling.latency_law.config import RequestConfig
from ie_scaling.laws.level import Level
from ie_scaling.running.config import between, one_of, positive, require, seeded
from ie_scaling.tables.latency_metric import TIMES

MOST_TOKENS = 1e18
MOST_RATIO = 1000
MOST_RANKS = 1000
MOST_SHAPES = 500_000
MOST_WIDTH = 1_000_000


def _require_tokens(n_tokens: float) -> None:
    if not (math.isfinite(n_tokens) and 1 <= n_tokens <= MOST_TOKENS):
        raise InputError(f"n_tokens={n_tokens}: must be a number from 1 to {MOST_TOKENS:g}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class GridConfig:
    """Every shape of `n_params` parameters (embeddings included); None for no grid.

    Widths are the multiples of `width_step` up to `max_width`, d_ff is `mlp_ratios` × width to the nearest `d_ff_step`,
    query heads are width / d_head, and depth is whatever brings the size within `tolerance` and d/n within
    `aspect_ratios`. With `equal_size`, d_ff is then moved by steps of `d_ff_step` until the size is as near n_params as
    it can be, and losses are those at n_params exactly, so that no shape wins by being the largest; without it, sizes
    differ within the tolerance and each loss is that of its own size.
    """

    n_params: float | None = None
    tolerance: float = 0.05
    equal_size: bool = True
    width_step: int = 128
    max_width: int = 16384
    aspect_ratios: tuple[float, ...] = (8.0, 512.0)
    d_head: int = 128
    mlp_ratios: tuple[float, ...] = (8 / 3,)
    d_ff_step: int = 64
    query_groups: tuple[int, ...] = (1,)
    vocab_size: int = 50432
    tied_embeddings: bool = False

    def __post_init__(self) -> None:
        positive(self, "n_params")
        ratios = self.aspect_ratios
        if len(ratios) != 2 or not 0 < ratios[0] < ratios[1] < math.inf:
            raise InputError(f"aspect_ratios={short(ratios)}: must be a lower and a higher one, above zero and finite")
        between(self, 0, 1, "tolerance")
        for field in ("width_step", "max_width", "d_head", "d_ff_step", "vocab_size"):
            if not 1 <= getattr(self, field) <= MOST_WIDTH:
                raise InputError(f"{field}={short(getattr(self, field))}: must be from 1 to {MOST_WIDTH:,}")
        if self.max_width < self.width_step:
            raise InputError(f"max_width={self.max_width}: must be at least width_step={self.width_step}")
        if self.d_head % 2:
            raise InputError(f"d_head={self.d_head}: must be even (rotary embeddings turn pairs)")
        if not self.mlp_ratios or any(not 0 < ratio <= MOST_RATIO for ratio in self.mlp_ratios):
            raise InputError(f"mlp_ratios={short(self.mlp_ratios)}: must be one or more, above 0, at most {MOST_RATIO}")
        if not self.query_groups or any(group < 1 for group in self.query_groups):
            raise InputError(f"query_groups={short(self.query_groups)}: must be one or more, each at least 1")
        n_layers = self.max_width // self.width_step * len(self.mlp_ratios) * len(self.query_groups)
        if self.n_params is not None and n_layers > MOST_SHAPES:
            raise InputError(
                f"width_step={self.width_step}: {n_layers:,} widths, MLP ratios and query groups, more than "
                f"{MOST_SHAPES:,}; raise it or lower max_width"
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class SelectConfig:
    """Rank candidate shapes by predicted loss among those that are fast enough, and recommend one.

    `fit` is a directory that `configs/fit.py` wrote. `latency` says how fast candidates are: a latency.csv, of which
    `where` chooses rows and `candidates` names architectures (all by default); or a directory that
    `configs/fit_latency.py` wrote, whose law predicts `request` for the `candidates` and those of `grid`, timed or not.
    The bound is `max_latency_s`, or `max_latency_ratio` times the fastest candidate's median (as predicted, in each
    draw). A candidate is feasible where it meets the bound with probability at least `min_p_feasible`: a request of it
    where it was timed, the median of a new benchmark where it was not. `level` is what is predicted: `law` the
    curve, `shape` the shape's own, `new_run` one more training run of it. Of candidates whose expected regrets lie
    within two Monte Carlo errors of the least, the fastest is recommended.
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
        require(bool(self.latency), "latency", self.latency, "must name a latency.csv, or what fit_latency wrote")
        one_of(self, "latency_metric", TIMES)
        one_of(self, "level", [*Level])
        if self.max_latency_s is not None and self.max_latency_ratio is not None:
            raise InputError(f"max_latency_s={self.max_latency_s}: give it or max_latency_ratio, not both")
        _require_tokens(self.n_tokens)
        positive(self, "max_params", "max_latency_s", "max_latency_ratio")
        between(self, 0, 1, "min_p_feasible")
        if not 1 <= self.top_k <= MOST_RANKS:
            raise InputError(f"top_k={short(self.top_k)}: must be from 1 to {MOST_RANKS:,}")
        seeded(self)

    @property
    def shape_specs(self) -> tuple[str, ...]:
        """The shapes as they were named."""
        return self.candidates


@dataclasses.dataclass(frozen=True, kw_only=True)
class RankConfig:
    """Rank candidate shapes by predicted loss at `n_tokens` tokens.

    `fit` is a directory that `configs/fit.py` wrote, or several of the same rows with commas between them: their laws
    are then stacked, and by_law.csv says how the answer depends on the law. `level` is what is predicted: `law` the
    curve, `shape` the shape's own, `new_run` one more training run of it. Of candidates whose expected regrets lie
    within two Monte Carlo errors of the least, the smallest comes first. The table lists the `n_listed` shapes of least
    expected regret; up to `n_compared` candidates are compared at every level too. P(rank = k) is told apart for the
    first `top_k` ranks.
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
        one_of(self, "level", [*Level])
        _require_tokens(self.n_tokens)
        for field, most in (("top_k", MOST_RANKS), ("n_listed", 10_000), ("n_compared", 1_000)):
            if not 1 <= getattr(self, field) <= most:
                raise InputError(f"{field}={short(getattr(self, field))}: must be from 1 to {most:,}")
        seeded(self)

    @property
    def shape_specs(self) -> tuple[str, ...]:
        """The shapes as they were named."""
        return self.candidates
