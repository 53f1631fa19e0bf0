"""What a latency study may set."""

import dataclasses

from experiments import time_decode
from ie_scaling.errors import InputError, short
from ie_scaling.latency_law.config import LatencyLawConfig
from ie_scaling.running.config import between, one_of, positive, require, seeded, within

MOST = 1e18
MOST_TOKENS, MOST_CASES = 2**31 - 1, 10_000
SWEEPS = ("depth", "aspect_ratio", "batch", "query_group", "mlp_ratio")
SET_BY_STUDY = ("architectures", "workload", "batch", "prompt_tokens", "new_tokens", "cache_room")


def _require_positive(config: object, *fields: str) -> None:
    for field in fields:
        value = getattr(config, field)
        require(value != (), field, value, "must not be empty")
    positive(config, *fields)
    within(config, 0, MOST, *fields)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ProportionsConfig:
    """What the shapes share: heads of `d_head` that fill d_model, g = `query_group`, r = `mlp_attention_ratio`."""

    vocab_size: int = 16384
    tied_embeddings: bool = True
    d_head: int = 32
    query_group: int = 2
    mlp_attention_ratio: float = 3.0
    d_ff_multiple: int = 16

    def __post_init__(self) -> None:
        _require_positive(self, "vocab_size", "d_head", "query_group", "mlp_attention_ratio", "d_ff_multiple")

    @property
    def width_multiple(self) -> int:
        """Widths that whole groups of heads fill are multiples of this."""
        return self.d_head * self.query_group


@dataclasses.dataclass(frozen=True, kw_only=True)
class LongContextConfig:
    """The sweeps of g and r: one size, where the cache counts for something, at each of `batches`.

    Every divisor of the shape's n_heads is a g; heads are traded for d_ff to come near each of `mlp_ratios`.
    """

    d_model: int = 384
    n_layers: int = 4
    prompt_tokens: int = 256
    new_tokens: int = 64
    batches: tuple[int, ...] = (1, 4)
    mlp_ratios: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0, 8.0)

    def __post_init__(self) -> None:
        _require_positive(self, "d_model", "n_layers", "prompt_tokens", "batches", "mlp_ratios")
        within(self, 2, MOST_TOKENS, "new_tokens")
        require(len(self.mlp_ratios) >= 2, "mlp_ratios", self.mlp_ratios, "must be at least two")


@dataclasses.dataclass(frozen=True, kw_only=True)
class RandomConfig:
    """Shapes and workloads at random within the span of the sweeps, each request priced at `max_request_s` at most.

    All are timed side by side. `n_training` join the sweeps in fitting the law, `n_held_out` test it; with none held
    out no law is fitted. Token ranges are (least, most).
    """

    n_training: int = 32
    n_held_out: int = 24
    prompt_tokens: tuple[int, ...] = (16, 256)
    new_tokens: tuple[int, ...] = (16, 64)
    max_request_s: float = 1.0

    def __post_init__(self) -> None:
        within(self, 0, MOST_CASES, "n_training", "n_held_out")
        within(self, 1, MOST_TOKENS, "prompt_tokens", "new_tokens")
        for field, least in (("prompt_tokens", 1), ("new_tokens", 2)):
            span = getattr(self, field)
            rule = f"must be (least, most) with {least} <= least <= most"
            require(len(span) == 2 and least <= span[0] <= span[1], field, span, rule)
        _require_positive(self, "max_request_s")


@dataclasses.dataclass(frozen=True, kw_only=True)
class AssumedRatesConfig:
    """Rates of the device before it is measured: they price the study and bound the random requests.

    A case takes `compile_s` and `compile_s_per_layer` to compile, the law `law_s` to fit.
    """

    bytes_per_s: float = 12e9
    flops_per_s: float = 40e9
    compile_s: float = 2.0
    compile_s_per_layer: float = 0.1
    law_s: float = 60.0

    def __post_init__(self) -> None:
        _require_positive(self, "bytes_per_s", "flops_per_s", "compile_s", "compile_s_per_layer", "law_s")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Sweeps of decode latency → the law fitted to them and tested on shapes held out → report.

    Each of `sweeps` varies one thing: depth at each of `depth_widths`; d/n, between the two `aspect_ratios`, at each of
    `sizes` (N_non, kept within `size_tolerance`, with r within `ratio_tolerance`); batch for the widest and the deepest
    shape of the first size; g and r as `long_context` says. `decode` says how to time (repeats to seed, dtype, mode,
    temperature); shapes, batches and lengths are the study's. Intervals come from `n_resamples` bootstrap resamples of
    each case's samples.
    """

    sweeps: tuple[str, ...] = SWEEPS
    proportions: ProportionsConfig = ProportionsConfig()
    prompt_tokens: int = 16
    new_tokens: int = 32
    depth_widths: tuple[int, ...] = (256, 512)
    depths: tuple[int, ...] = (2, 4, 8, 12, 16, 24)
    sizes: tuple[int, ...] = (12_000_000, 40_000_000)
    size_tolerance: float = 0.03
    ratio_tolerance: float = 0.05
    n_aspect_ratios: int = 6
    aspect_ratios: tuple[float, ...] = (7.0, 700.0)
    batches: tuple[int, ...] = (1, 2, 4, 8, 16, 32)
    long_context: LongContextConfig = LongContextConfig()
    random: RandomConfig = RandomConfig()
    max_case_gib: float = 2.0
    assumed: AssumedRatesConfig = AssumedRatesConfig()
    decode: time_decode.Config = time_decode.Config(repeats=16, max_repeats=64, max_measure_s=6.0, warmup=1)
    law: LatencyLawConfig = dataclasses.field(default_factory=LatencyLawConfig)
    n_resamples: int = 2000
    seed: int = 0

    def __post_init__(self) -> None:
        require(bool(self.sweeps), "sweeps", self.sweeps, "must not be empty")
        one_of(self, "sweeps", SWEEPS)
        _require_positive(self, "prompt_tokens", "depth_widths", "depths", "sizes", "batches")
        _require_positive(self, "max_case_gib")
        for field in ("sweeps", "depth_widths", "depths", "sizes", "batches"):
            values = getattr(self, field)
            require(len(set(values)) == len(values), field, values, "must not repeat")
        require(len(self.depths) >= 3, "depths", self.depths, "must be at least three, to see a line")
        require(len(self.batches) >= 2, "batches", self.batches, "must be at least two")
        span = self.aspect_ratios
        require(len(span) == 2 and 0 < span[0] < span[1], "aspect_ratios", span, "must be (least, most), both positive")
        between(self, 0, 1, "size_tolerance", "ratio_tolerance")
        within(self, 2, MOST_TOKENS, "new_tokens")
        within(self, 2, MOST_CASES, "n_aspect_ratios")
        within(self, 100, 1_000_000, "n_resamples")
        seeded(self)
        whole = self.decode.tensor == 1 or not self.random.n_held_out
        require(whole, "decode.tensor", self.decode.tensor, "must be 1 where a law is fitted (random.n_held_out)")
        for field in dataclasses.fields(time_decode.Config):
            value = getattr(self.decode, field.name)
            if field.name in SET_BY_STUDY and value != field.default:
                raise InputError(f"decode.{field.name}={short(value)}: is the study's to set; leave it alone")
