"""Rows of the latency table and raw samples: compile every case, measure the ceilings, time all side by side."""

import dataclasses
import os
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from ie_scaling import workload
from ie_scaling.errors import InputError
from ie_scaling.latency import timing
from ie_scaling.latency.ceilings import Ceilings, Probe, probe_bytes, typical
from ie_scaling.latency.config import TimingConfig
from ie_scaling.model import sharding
from ie_scaling.model.decoding.engine import Engine, compile_engine
from ie_scaling.model.decoding.weights import random_weights
from ie_scaling.running import environment
from ie_scaling.running.progress import Progress
from ie_scaling.tables import latency_table
from ie_scaling.tables.latency_metric import LatencyMetric
from ie_scaling.workload import Case

USABLE_MEMORY = 0.8
TOLERATED_DRIFT = 0.05


@dataclasses.dataclass(frozen=True)
class Timed:
    """Rows of the latency table, raw samples (JSON objects), and failed diagnostics."""

    rows: list[dict[str, Any]]
    samples: list[dict[str, Any]]
    failures: list[str]


def require_devices(n_devices: int) -> None:
    """Raise unless there are as many devices."""
    if n_devices > jax.device_count():
        raise InputError(f"tensor={n_devices}: needs as many devices; this machine has {jax.device_count()}")


def default_dtype() -> str:
    """What dtype "auto" means on this backend."""
    return "float32" if jax.default_backend() == "cpu" else "bfloat16"


def time_cases(cases: Sequence[Case], config: TimingConfig) -> Timed:
    """Time these cases, in as few groups as fit memory; all of a group are interleaved.

    Raises:
      InputError: a case that does not fit, before anything is compiled.
    """
    groups, timed = groups_by_memory(cases, config.tensor), Timed([], [], [])
    for number, group in enumerate(groups):
        label = f" (group {number + 1} of {len(groups)})" if len(groups) > 1 else ""
        part = _time_group(group, config, label)
        for sample in part.samples:
            sample["group"] = number
        timed.rows.extend(part.rows)
        timed.samples.extend(part.samples)
        timed.failures.extend(part.failures)
    return timed


def groups_by_memory(cases: Sequence[Case], n_shards: int = 1) -> list[list[Case]]:
    """The cases, in their order, in groups whose weights and requests fit a device together.

    A shape's weights are shared by its cases, but for a single request and several, which have layouts of their own.

    Raises:
      InputError: a case that does not fit alone.
    """
    available = available_bytes()
    groups: list[list[Case]] = []
    for case in cases:
        if USABLE_MEMORY * available < group_bytes([case], n_shards):
            sizes = ", ".join(f"{name} {part / 2**30:.1f} GiB" for name, part in _parts([case], n_shards).items())
            raise InputError(
                f"batch={case.workload.batch}: {case.architecture.name} needs {sizes}: more than {USABLE_MEMORY:.0%} "
                f"of the {available / 2**30:.1f} GiB free"
            )
        if groups and group_bytes([*groups[-1], case], n_shards) <= USABLE_MEMORY * available:
            groups[-1].append(case)
        else:
            groups.append([case])
    return groups


def group_bytes(cases: Sequence[Case], n_shards: int = 1) -> float:
    """What these cases take of each of n_shards devices when they are timed in turns.

    That is all weights and caches, the largest activations, and what the ceilings are measured on.
    """
    return sum(_parts(cases, n_shards).values())


def _parts(cases: Sequence[Case], n_shards: int) -> dict[str, float]:
    """What `group_bytes` sums, by name."""
    weights = {_weights_of(case): workload.weight_bytes(case.architecture, case.workload) for case in cases}
    caches = sum(workload.cache_bytes(case.architecture, case.workload) for case in cases)
    most = max(workload.activation_bytes(case.architecture, case.workload) for case in cases)
    ceilings = probe_bytes(_working_sets(cases, n_shards), workload.DTYPE_BYTES[cases[0].workload.dtype])
    shared = {"weights": sum(weights.values()), "cache": caches, "activations": most}
    return {name: part / n_shards for name, part in shared.items()} | {"ceilings": ceilings}


def _working_sets(cases: Sequence[Case], n_shards: int) -> list[float]:
    """The bytes that a device reads in a decode step, of each case."""
    return [workload.step_bytes(case.architecture, case.workload) / n_shards for case in cases]


def _weights_of(case: Case) -> tuple[str, bool]:
    """What cases with the same weights have in common."""
    return case.architecture.name, case.workload.batch == 1


def available_bytes() -> int:
    """Free memory of the first device, or of the host where the device does not say."""
    stats = jax.local_devices()[0].memory_stats() or {}
    if "bytes_limit" in stats:
        return stats["bytes_limit"] - stats.get("bytes_in_use", 0)
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _time_group(cases: Sequence[Case], config: TimingConfig, label: str) -> Timed:
    engines = _compile(cases, config, label)
    probe = Probe(_working_sets(cases, config.tensor), cases[0].workload.dtype)
    by_round: list[Ceilings] = []
    rule = timing.StopRule(
        repeats=config.repeats,
        max_repeats=config.max_repeats,
        relative_error=config.relative_error,
        max_seconds=config.max_measure_s * len(cases),
    )
    candidates = [make_candidate(name, engine, config.seed) for name, engine in engines.items()]
    with Progress(f"time decode{label}", len(cases) * config.max_repeats, "requests at most") as progress:
        samples = timing.measure(
            candidates,
            rule,
            seed=config.seed,
            warmup=config.warmup,
            on_sample=lambda: progress.advance(),
            on_round=lambda: by_round.append(probe.measure()),
        )
    rows, lines = [], []
    by_case = {case.name: [sample for sample in samples if sample.name == case.name] for case in cases}
    for case in cases:
        rows.append(make_row(engines[case.name], by_case[case.name], by_round))
        lines += [sample_record(case, sample) for sample in by_case[case.name]]
    return Timed(rows, lines, _failures(rows, samples, config, label))


def _compile(cases: Sequence[Case], config: TimingConfig, label: str) -> dict[str, Engine]:
    mesh = sharding.make_mesh(tensor=config.tensor, devices=jax.devices()[: config.tensor])
    engines, weights = {}, {}
    with Progress(f"compile decode{label}", len(cases), "cases") as progress:
        for case in cases:
            a, load = case.architecture, case.workload
            if _weights_of(case) not in weights:
                weights[_weights_of(case)] = random_weights(a, config.seed, load.dtype, load.batch, mesh)
            engines[case.name] = compile_engine(a, load, weights[_weights_of(case)], mesh)
            progress.advance(note=case.name)
    return engines


def _failures(
    rows: Sequence[dict[str, Any]], samples: Sequence[timing.Sample], config: TimingConfig, label: str
) -> list[str]:
    """Medians that are not known well enough, and drift."""
    failures = [
        f"{row['architecture']}, batch {row['batch']}: median e2e_s known to {row['e2e_s_relative_error']:.1%} after "
        f"{row['count']} samples, not to {config.relative_error:.1%}"
        for row in rows
        if row["e2e_s_relative_error"] > config.relative_error
    ]
    drift = timing.drift(samples)
    if drift.is_significant and abs(drift.change) > TOLERATED_DRIFT:
        failures.append(
            f"drift{label}: requests took {drift.change:+.1%} [{drift.low:+.1%}, {drift.high:+.1%}] longer at the end "
            f"than at the start; other work on the machine, or its clock?"
        )
    return failures


def make_candidate(name: str, engine: Engine, seed: int) -> timing.Candidate:
    """A request in two stages: prefill to the first token, then all others; the cache goes round."""
    load = engine.workload
    shape = (load.batch, load.prompt_tokens)
    prompt = np.random.default_rng(seed).integers(0, engine.architecture.vocab_size, shape, np.int32)
    prompt_BT, key = engine.place(prompt), engine.place(jax.random.key(seed))

    def first(state: tuple[Any, Any]) -> tuple[Any, Any]:
        return engine.prefill(prompt_BT, state[1], key)

    def others(state: tuple[Any, Any]) -> tuple[Any, Any]:
        return engine.decode(*state, key)

    return timing.Candidate(name, (first, others), (None, engine.new_cache()))


def sample_record(case: Case, sample: timing.Sample) -> dict[str, Any]:
    """One raw sample as samples.jsonl keeps it."""
    load = dataclasses.asdict(case.workload)
    times = {"ttft_s": sample.ends_s[0], "e2e_s": sample.ends_s[-1]}
    return (
        {"architecture": case.architecture.name} | load | {"round": sample.round, "started_s": sample.started_s} | times
    )


def make_row(engine: Engine, samples: Sequence[timing.Sample], by_round: Sequence[Ceilings]) -> dict[str, Any]:
    """The latency table's row; tpot_s = (e2e_s − ttft_s)/(new_tokens − 1) for each sample, blank for one new token.

    Its ceilings are the medians of those measured at the start of each round in which it was timed.
    """
    a, load, n_devices = engine.architecture, engine.workload, engine.mesh.size
    e2e_s = np.array([sample.ends_s[-1] for sample in samples])
    ttft_s = np.array([sample.ends_s[0] for sample in samples])
    series = {"ttft_s": ttft_s, "e2e_s": e2e_s, "tokens_per_s": load.batch * load.new_tokens / e2e_s}
    if load.new_tokens > 1:
        series["tpot_s"] = (e2e_s - ttft_s) / (load.new_tokens - 1)
    timed: dict[str, Any] = {f"{name}{tail}": None for name in LatencyMetric for tail in ("", "_p10", "_p90", "_p99")}
    for name, values in series.items():
        summary = timing.summarize(values)
        timed |= {name: summary.median, f"{name}_p10": summary.p10, f"{name}_p90": summary.p90}
        timed[f"{name}_p99"] = summary.p99
    moved, ceilings = workload.step_bytes(a, load), typical([by_round[sample.round] for sample in samples])
    bandwidth, rate = n_devices * ceilings.bandwidth(moved / n_devices), n_devices * ceilings.flops_per_s
    floor_s = workload.floor_s(a, load, bandwidth, rate)
    return latency_table.latency_record(
        a,
        device_kind=environment.device_kind(),
        n_devices=n_devices,
        **dataclasses.asdict(load),
        compile_s=engine.compile_s,
        **timed,
        count=len(samples),
        floor_s=floor_s,
        over_floor=None if timed["tpot_s"] is None else timed["tpot_s"] / floor_s,
        ttft_floor_s=workload.prefill_floor_s(a, load, bandwidth, rate),
        step_bytes=moved,
        step_flops=workload.step_flops(a, load),
        prefill_bytes=workload.prefill_bytes(a, load),
        prefill_flops=workload.prefill_flops(a, load),
        ceiling_bytes_per_s=bandwidth,
        ceiling_flops_per_s=rate,
        memory_bytes=engine.memory_bytes,
        predicted_memory_bytes=round(workload.memory_bytes(a, load) / n_devices),
        e2e_s_relative_error=timing.median_relative_error(e2e_s),
    )
