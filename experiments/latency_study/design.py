"""What a latency study times: a config to named sweeps of cases, each with its x, checked and priced beforehand."""

import dataclasses
import math
import random
from collections.abc import Callable, Mapping, Sequence

from experiments.latency_study.config import AssumedRatesConfig, Config
from experiments.latency_study.shapes import Shapes
from ie_scaling import accounting, workload
from ie_scaling.architecture import Architecture
from ie_scaling.errors import InputError
from ie_scaling.workload import Case, Workload

RANDOM, TRAINING, HELD_OUT = "random", "training", "held_out"  # a sweep and its series
MOST_DRAWS = 100_000


@dataclasses.dataclass(frozen=True)
class Point:
    """One case of a sweep: its position on the sweep's axis, and the series it belongs to."""

    case: Case
    x: float
    series: str


@dataclasses.dataclass(frozen=True)
class Sweep:
    """Cases that are timed side by side."""

    name: str
    points: tuple[Point, ...]

    def __post_init__(self) -> None:
        names = [case.name for case in self.cases]
        if twice := [name for name in names if names.count(name) > 1]:
            raise InputError(f"{self.name}: {twice[0]} comes twice; take values further apart")

    @property
    def cases(self) -> list[Case]:
        """The cases in order."""
        return [point.case for point in self.points]


@dataclasses.dataclass(frozen=True)
class SweepPrice:
    """What a sweep costs at the assumed rates: bytes, and seconds at the fewest repeats and at the most."""

    largest_bytes: int
    total_bytes: int
    least_s: float
    most_s: float


def design(config: Config, dtype: str) -> list[Sweep]:
    """The requested sweeps, then the random shapes that train and test the law, in the order they are timed.

    Raises:
      InputError: a shape or size that cannot be had, or a case beyond `max_case_gib`.
    """
    makers = {
        "depth": _depth,
        "aspect_ratio": _aspect_ratio,
        "batch": _batch,
        "query_group": _query_group,
        "mlp_ratio": _mlp_ratio,
    }
    maker = _Maker(config, dtype)
    sweeps = [Sweep(name, tuple(makers[name](maker))) for name in config.sweeps]
    for sweep in sweeps:
        for case in sweep.cases:
            if _gib(case) > config.max_case_gib:
                raise InputError(
                    f"max_case_gib={config.max_case_gib}: {sweep.name} has {case.name}, which takes {_gib(case):.2f}"
                )
    return [*sweeps, _random(maker, sweeps)] if config.random.n_held_out else sweeps


def price(sweep: Sweep, config: Config) -> SweepPrice:
    """What a sweep costs."""
    sizes = [workload.memory_bytes(case.architecture, case.workload) for case in sweep.cases]
    request_s = sum(request_seconds(case, config.assumed) for case in sweep.cases)
    layers = [case.architecture.n_layers for case in sweep.cases]
    compile_s = config.assumed.compile_s * len(layers) + config.assumed.compile_s_per_layer * sum(layers)
    decode = config.decode
    least_s = compile_s + (decode.warmup + decode.repeats) * request_s
    more_s = min((decode.max_repeats - decode.repeats) * request_s, decode.max_measure_s * len(layers))
    return SweepPrice(max(sizes), sum(sizes), least_s, least_s + more_s)


def request_seconds(case: Case, assumed: AssumedRatesConfig) -> float:
    """Seconds that one request would take at the assumed rates, each step at its floor."""
    a, load = case.architecture, case.workload
    rates = assumed.bytes_per_s, assumed.flops_per_s
    return workload.prefill_floor_s(a, load, *rates) + (load.new_tokens - 1) * workload.floor_s(a, load, *rates)


@dataclasses.dataclass(frozen=True)
class _Maker(Shapes):
    """The study's shapes, under its workloads."""

    dtype: str

    def case(self, a: Architecture, batch: int, lengths: tuple[int, int]) -> Case:
        """`a` under (prompt, new) tokens."""
        prompt_tokens, new_tokens = lengths
        load = Workload(
            batch=batch,
            prompt_tokens=prompt_tokens,
            new_tokens=new_tokens,
            dtype=self.dtype,
            mode=self.config.decode.mode,
            temperature=self.config.decode.temperature,
        )
        return Case(architecture=a, workload=load)

    def short(self, a: Architecture, batch: int = 1) -> Case:
        """`a` under the study's own lengths."""
        return self.case(a, batch, (self.config.prompt_tokens, self.config.new_tokens))

    def long(self, shapes: Mapping[float, Architecture | None], field: str) -> list[Point]:
        """Shapes by their x at each batch of the long context."""
        long, points = self.config.long_context, []
        for batch in long.batches:
            for x, a in shapes.items():
                if a is None:
                    rule = f"no d_ff brings {x:g} to the size of the others within size_tolerance"
                    raise InputError(f"long_context.{field}={getattr(long, field)}: {rule}")
                points.append(Point(self.case(a, batch, (long.prompt_tokens, long.new_tokens)), x, f"batch {batch}"))
        return points


def _depth(maker: _Maker) -> list[Point]:
    """Depths at fixed width, g and r."""
    points = []
    for d_model in maker.config.depth_widths:
        for n_layers in maker.config.depths:
            case = maker.short(maker.of_width("depth_widths", d_model, n_layers))
            points.append(Point(case, n_layers, f"d={d_model}"))
    return points


def _aspect_ratio(maker: _Maker) -> list[Point]:
    """Aspect ratios at fixed N_non, g and r."""
    return [
        Point(maker.short(a), a.aspect_ratio, f"{size / 1e6:g}M parameters")
        for size in maker.config.sizes
        for a in maker.of_aspect_ratios(size)
    ]


def _batch(maker: _Maker) -> list[Point]:
    """Batches, for the widest and the deepest shape of the first size."""
    shapes = maker.of_aspect_ratios(maker.config.sizes[0])
    return [
        Point(maker.short(a, batch), batch, f"{a.d_model}×{a.n_layers}")
        for a in (shapes[-1], shapes[0])
        for batch in maker.config.batches
    ]


def _query_group(maker: _Maker) -> list[Point]:
    """Every g = n_heads / n_kv_heads at fixed N_non and heads, the MLP taking what keys and values give up."""
    long = maker.config.long_context
    base = maker.of_width("long_context.d_model", long.d_model, long.n_layers)
    size, n_heads = accounting.count_non_embedding_parameters(base), base.n_heads
    shapes: dict[float, Architecture | None] = {}
    for group in (g for g in range(1, n_heads + 1) if n_heads % g == 0):
        shapes[group] = maker.of_size(size, long.d_model, long.n_layers, n_heads, n_heads // group)
    return maker.long(shapes, "d_model")


def _mlp_ratio(maker: _Maker) -> list[Point]:
    """Ratios r = MLP / attention parameters at fixed N_non, width, depth and g, heads traded for d_ff."""
    long, p = maker.config.long_context, maker.config.proportions
    base = maker.of_width("long_context.d_model", long.d_model, long.n_layers)
    size = accounting.count_non_embedding_parameters(base)
    layer = accounting.count_matrix_parameters(base)
    group = dataclasses.replace(base.attention, n_heads=p.query_group, n_kv_heads=1)
    shapes = {}
    for ratio in sorted(long.mlp_ratios):
        groups = max(1, round(layer / (1 + ratio) / group.parameters))
        a = maker.of_size(size, long.d_model, long.n_layers, groups * p.query_group, groups)
        reached = accounting.mlp_attention_ratio(a) if a else ratio
        if reached in shapes:
            raise InputError(f"long_context.mlp_ratios={long.mlp_ratios}: two of them need as many heads")
        shapes[reached] = a
    return maker.long(shapes, "mlp_ratios")


def _random(maker: _Maker, sweeps: Sequence[Sweep]) -> Sweep:
    """Training and held-out cases, log-uniform within the span of the sweeps, every shape a new one.

    They are timed side by side, so that machine load is the same for both. A draw outside
    the span of sizes, dearer than `max_request_s` or larger than `max_case_gib` is drawn again.
    """
    config = maker.config
    swept = [case for sweep in sweeps for case in sweep.cases]
    seen = {case.architecture for case in swept}
    sizes = [accounting.count_parameters(a) for a in seen]
    draw, generator = _drawer(maker, swept), random.Random(config.seed)
    points: list[Point] = []
    wanted = config.random.n_training + config.random.n_held_out
    for _ in range(MOST_DRAWS):
        case = draw(generator)
        size = accounting.count_parameters(case.architecture)
        affordable = request_seconds(case, config.assumed) <= config.random.max_request_s
        if affordable and _gib(case) <= config.max_case_gib and min(sizes) <= size <= max(sizes):
            if case.architecture not in seen:
                points.append(Point(case, size, TRAINING if len(points) < config.random.n_training else HELD_OUT))
            seen.add(case.architecture)
        if len(points) == wanted:
            return Sweep(RANDOM, tuple(points))
    limits = f"random.max_request_s={config.random.max_request_s} and max_case_gib={config.max_case_gib}"
    raise InputError(f"random.n_held_out={config.random.n_held_out}: too few distinct shapes within {limits}")


def _drawer(maker: _Maker, swept: Sequence[Case]) -> Callable[[random.Random], Case]:
    """A function that draws one case: heads fill half to twice the width, any g that divides them, d_ff of 1 to 6 d."""
    config, d_head = maker.config, maker.config.proportions.d_head
    depths, widths = ([getattr(case.architecture, field) for case in swept] for field in ("n_layers", "d_model"))
    batches = [case.workload.batch for case in swept]

    def draw(generator: random.Random) -> Case:
        def between(low: float, high: float) -> float:
            return math.exp(generator.uniform(math.log(low), math.log(high)))

        n_layers = round(between(min(depths), max(depths)))
        d_model = max(1, round(between(min(widths), max(widths)) / d_head)) * d_head
        n_heads = max(1, round(between(0.5, 2) * d_model / d_head))
        n_kv_heads = generator.choice([k for k in range(1, n_heads + 1) if n_heads % k == 0])
        a = maker.make(d_model, n_layers, n_heads, n_kv_heads, between(1, 6) * d_model)
        batch = round(between(min(batches), max(batches)))
        lengths = round(between(*config.random.prompt_tokens)), round(between(*config.random.new_tokens))
        return maker.case(a, batch, lengths)

    return draw


def _gib(case: Case) -> float:
    return workload.memory_bytes(case.architecture, case.workload) / 2**30
