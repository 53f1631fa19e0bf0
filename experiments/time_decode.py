"""Time decoding of a list of architectures: how long does each shape take, and how near its floor is it?"""

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

from ie_scaling import accounting, workload
from ie_scaling.architecture import Architecture
from ie_scaling.errors import InputError
from ie_scaling.latency.config import DEFAULT_ARCHITECTURES, TimingConfig
from ie_scaling.running import diagnostic, files, identity, workdir
from ie_scaling.running.config import one_of, require
from ie_scaling.running.diagnostic import Diagnostic, Kind
from ie_scaling.shapes import lookup
from ie_scaling.workload import LENGTHS, Case, Workload

if TYPE_CHECKING:
    from ie_scaling.latency.benchmark import Timed

HEADER = (
    f"{'architecture':44} {'size':>8} {'batch':>5} {'TTFT ms':>8} {'TPOT ms':>8} {'p10':>7} {'p90':>7} {'/floor':>6} "
    f"{'tok/s':>7} {'GiB':>5} {'count':>5}"
)
ASSUMED_BYTES_PER_S = 10e9
ASSUMED_FLOPS_PER_S = 3e10
ASSUMED_COMPILE_S_PER_LAYER = 0.25


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(TimingConfig):
    """Time decoding of a list of architectures, each at each batch size, side by side, with random weights.

    Each of `architectures` is a shape's name (d512-n8-h8-k2-c64-f1536-v50432), a public model's (llama-3.2-1b) or the
    path of a Hugging Face config.json. `workload` names the lengths; `prompt_tokens` and `new_tokens` override them.
    `temperature` 0 is greedy. `cache_room` 0 is as many as the request needs. `dtype` "auto" is float32 on a CPU
    and bfloat16 on accelerators. `tensor` devices share each request, heads and MLP split between them. Each case is
    timed `repeats` to `max_repeats` times, until the 95 % interval of the median of e2e_s is within `relative_error`,
    or until `max_measure_s` a case have passed in all.
    """

    architectures: tuple[str, ...] = DEFAULT_ARCHITECTURES
    workload: str = "short"
    batch: tuple[int, ...] = (1,)
    prompt_tokens: int | None = None
    new_tokens: int | None = None
    dtype: str = "auto"
    mode: str = "loop"
    temperature: float = 0.0
    cache_room: int = 0

    def __post_init__(self) -> None:
        require(bool(self.architectures), "architectures", self.architectures, "must name at least one architecture")
        require(bool(self.batch), "batch", self.batch, "must name at least one batch size")
        one_of(self, "workload", LENGTHS)
        super().__post_init__()
        self.resolve_workloads("float32")
        require(len(set(self.batch)) == len(self.batch), "batch", self.batch, "must not name one twice")
        names = [a.name for a in self.resolve_architectures()]
        for spec, name in zip(self.architectures, names, strict=True):
            require(names.count(name) == 1, "architectures", spec, "is listed twice")

    @property
    def shape_specs(self) -> tuple[str, ...]:
        """The shapes as they were named."""
        return self.architectures

    def resolve_architectures(self) -> tuple[Architecture, ...]:
        """The architectures, in the order given."""
        resolved = []
        for spec in self.architectures:
            try:
                resolved.append(lookup.resolve(spec))
            except InputError as error:
                raise InputError(f"architectures: {error}") from None
        return tuple(resolved)

    def resolve_workloads(self, auto_dtype: str) -> tuple[Workload, ...]:
        """The workload at each batch size, with `auto_dtype` where dtype is "auto"."""
        prompt_tokens, new_tokens = LENGTHS[self.workload]
        return tuple(
            Workload(
                batch=batch,
                prompt_tokens=prompt_tokens if self.prompt_tokens is None else self.prompt_tokens,
                new_tokens=new_tokens if self.new_tokens is None else self.new_tokens,
                dtype=auto_dtype if self.dtype == "auto" else self.dtype,
                mode=self.mode,
                temperature=self.temperature,
                cache_room=self.cache_room,
            )
            for batch in self.batch
        )

    def resolve_cases(self, auto_dtype: str) -> tuple[Case, ...]:
        """Every architecture under the workload at every batch size."""
        loads = self.resolve_workloads(auto_dtype)
        return tuple(Case(architecture=a, workload=load) for a in self.resolve_architectures() for load in loads)


@dataclasses.dataclass(frozen=True)
class TimedDecode:
    """Rows of the latency table with raw samples, and the diagnostics."""

    timed: "Timed"
    diagnostics: list[Diagnostic]


def inputs_of(config: Config) -> workdir.Inputs:
    """What it reads, by name."""
    return identity.named("architectures", lookup.files_of(config.architectures))


def load(config: Config) -> list[Case]:
    """What is timed, once it is known that this machine can.

    Raises:
      InputError: too few devices, heads that they cannot share, or too little memory.
    """
    from ie_scaling.latency import benchmark

    cases = list(config.resolve_cases(benchmark.default_dtype()))
    benchmark.require_devices(config.tensor)
    benchmark.groups_by_memory(cases, config.tensor)
    return cases


def compute(config: Config, cases: list[Case]) -> TimedDecode:
    """Compile every case, measure the ceilings, and time all side by side."""
    import pandas as pd

    from ie_scaling.latency import benchmark
    from ie_scaling.tables import latency_checks
    from ie_scaling.tables.latency_metric import LatencyMetric

    timed = benchmark.time_cases(cases, config)
    frame = pd.DataFrame(timed.rows).astype(dict.fromkeys(LatencyMetric, float))  # None where there is no time
    remarks = diagnostic.each(Kind.TABLE, latency_checks.remarks(frame, "latency.csv"))
    return TimedDecode(timed, diagnostic.each(Kind.TIMING, timed.failures) + remarks)


def save(result: TimedDecode, directory: Path) -> None:
    """latency.csv and samples.jsonl."""
    from ie_scaling.tables import cells

    cells.write_table(directory / "latency.csv", result.timed.rows)
    lines = "".join(json.dumps(sample) + "\n" for sample in result.timed.samples)
    files.write_text(directory / "samples.jsonl", lines)


def show(directory: Path) -> None:
    """A line for each shape and batch size."""
    from ie_scaling.tables import latency_table, shape_table

    frame = latency_table.read_latency(directory / "latency.csv")
    print(HEADER)
    for architecture, row in zip(shape_table.architectures_of(frame), frame.to_dict("records"), strict=True):
        size = accounting.count_parameters(architecture)
        tpot = [row[f"tpot_s{tail}"] * 1e3 for tail in ("", "_p10", "_p90")]
        print(
            f"{row['architecture']:44} {size / 1e6:7.1f}M {int(row['batch']):5d} {row['ttft_s'] * 1e3:8.2f} "
            f"{tpot[0]:8.2f} {tpot[1]:7.2f} {tpot[2]:7.2f} {row['tpot_s'] / row['floor_s']:6.2f} "
            f"{row['tokens_per_s']:7.1f} {row['memory_bytes'] / 2**30:5.2f} {int(row['count']):5d}"
        )
    print(f"{directory / 'latency.csv'}: {len(frame)} rows; every raw sample in samples.jsonl")


def estimate(config: Config, _: list[Case]) -> str:
    """Parameters, bytes and a rough time, by case and in all."""
    cases, least_s, most_s = config.resolve_cases("float32"), 0.0, 0.0
    for case in cases:
        request_s, compile_s = _request_s(case), ASSUMED_COMPILE_S_PER_LAYER * case.architecture.n_layers
        least_s += (config.repeats + config.warmup) * request_s + compile_s
        most_s += (config.max_repeats + config.warmup) * request_s + compile_s
    most_s = min(most_s, least_s + config.max_measure_s * len(cases))
    rates = f"{ASSUMED_BYTES_PER_S / 1e9:.0f} GB/s and {ASSUMED_FLOPS_PER_S / 1e9:.0f} GFLOP/s"
    total = f"float32 assumed; about {least_s:.0f} to {most_s:.0f} s at {rates}"
    return "\n".join([*map(_describe, cases), total])


def _request_s(case: Case) -> float:
    """The prefill and every step at their floors, in seconds."""
    rates = ASSUMED_BYTES_PER_S, ASSUMED_FLOPS_PER_S
    step_s = workload.floor_s(case.architecture, case.workload, *rates)
    prefill_s = workload.prefill_floor_s(case.architecture, case.workload, *rates)
    return prefill_s + (case.workload.new_tokens - 1) * step_s


def _describe(case: Case) -> str:
    a, load = case.architecture, case.workload
    parts = (workload.weight_bytes, workload.cache_bytes, workload.memory_bytes)
    weights, cache, memory = (part(a, load) / 2**20 for part in parts)
    return (
        f"{a.name}, batch {load.batch}: {accounting.count_parameters(a):,} parameters, "
        f"{weights:.0f} MiB of weights, {cache:.1f} MiB of KV cache, {memory:.0f} MiB in all, "
        f"{workload.step_flops(a, load):.3g} FLOPs and {workload.step_bytes(a, load):.3g} bytes a step"
    )
