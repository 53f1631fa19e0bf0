"""What a search for shapes is given: a grid, how candidates are compared, a latency bound; with rules (no JAX here)."""

import dataclasses
import math

from ie_scaling.latency_law.config import RequestConfig
from ie_scaling.laws.level import Level
from ie_scaling.running.config import between, one_of, positive, require, seeded, within
from ie_scaling.tables.latency_metric import TIMES, LatencyMetric

MOST_TOKENS = 1e18
MOST_RATIO = 1000
MOST_RANKS = 1000
MOST_LISTED, MOST_COMPARED = 10_000, 1_000
MOST_SHAPES = 500_000
MOST_WIDTH = 1_000_000


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
        is_range = len(ratios) == 2 and 0 < ratios[0] < ratios[1] < math.inf
        require(is_range, "aspect_ratios", ratios, "must be a lower and a higher one, above zero and finite")
        between(self, 0, 1, "tolerance")
        within(self, 1, MOST_WIDTH, "width_step", "max_width", "d_head", "d_ff_step", "vocab_size")
        wide_enough = self.max_width >= self.width_step
        require(wide_enough, "max_width", self.max_width, f"must be at least width_step={self.width_step}")
        require(self.d_head % 2 == 0, "d_head", self.d_head, "must be even (rotary embeddings turn pairs)")
        are_ratios = self.mlp_ratios and all(0 < ratio <= MOST_RATIO for ratio in self.mlp_ratios)
        require(bool(are_ratios), "mlp_ratios", self.mlp_ratios, f"must be one or more, above 0, at most {MOST_RATIO}")
        are_groups = self.query_groups and all(group >= 1 for group in self.query_groups)
        require(bool(are_groups), "query_groups", self.query_groups, "must be one or more, each at least 1")
        n_layers = self.max_width // self.width_step * len(self.mlp_ratios) * len(self.query_groups)
        if self.n_params is not None:
            rule = f"{n_layers:,} widths, MLP ratios and query groups, more than {MOST_SHAPES:,}"
            require(n_layers <= MOST_SHAPES, "width_step", self.width_step, f"{rule}; raise it or lower max_width")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ComparisonConfig:
    """How candidates are compared: losses at `n_tokens` tokens and this `level`, P(rank = k) for the first `top_k`."""

    n_tokens: float = 3e10
    level: str = Level.SHAPE.value
    top_k: int = 6
    seed: int = 0

    def __post_init__(self) -> None:
        one_of(self, "level", [*Level])
        rule = f"must be a number from 1 to {MOST_TOKENS:g}"
        require(1 <= self.n_tokens <= MOST_TOKENS, "n_tokens", self.n_tokens, rule)
        within(self, 1, MOST_RANKS, "top_k")
        seeded(self)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RankingConfig(ComparisonConfig):
    """A comparison whose table lists the `n_listed` best, and says more where there are at most `n_compared`."""

    n_listed: int = 1000
    n_compared: int = 50

    def __post_init__(self) -> None:
        super().__post_init__()
        within(self, 1, MOST_LISTED, "n_listed")
        within(self, 1, MOST_COMPARED, "n_compared")


@dataclasses.dataclass(frozen=True, kw_only=True)
class SelectionConfig(ComparisonConfig):
    """A comparison among the candidates that are fast enough, and what is to be known of their latencies.

    `candidates`, `where` and `grid` say which rows of a latency table, or which shapes under a latency law, are meant.
    """

    candidates: tuple[str, ...] = ()
    where: str = ""
    grid: GridConfig = GridConfig()
    request: RequestConfig = RequestConfig()
    max_params: float | None = None
    latency_metric: str = LatencyMetric.E2E.value
    max_latency_s: float | None = None
    max_latency_ratio: float | None = None
    min_p_feasible: float = 0.9
    top_k: int = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of(self, "latency_metric", TIMES)
        both = self.max_latency_s is not None and self.max_latency_ratio is not None
        require(not both, "max_latency_s", self.max_latency_s, "give it or max_latency_ratio, not both")
        positive(self, "max_params", "max_latency_s", "max_latency_ratio")
        between(self, 0, 1, "min_p_feasible")
