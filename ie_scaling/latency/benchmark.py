"""From a TimeDecodeConfig to latency.csv: compile every shape, measure the ceilings, time all side by side."""

import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ie_scaling import config as config_lib
from ie_scaling import files, records, workdir
from ie_scaling.architecture import Architecture
from ie_scaling.latency import timing, workload
from ie_scaling.latency.ceilings import Ceilings, measure_ceilings
from ie_scaling.latency.config import TimeDecodeConfig
from ie_scaling.latency.decode import Engine, compile_engine, random_weights
from ie_scaling.latency.workload import Workload
from ie_scaling.progress import Progress

USABLE_MEMORY = 0.8


def run(config: TimeDecodeConfig, directory: Path) -> list[str]:
    """Time every architecture and write latency.csv, samples.jsonl and diagnostics.json; returns failed diagnostics.

    Raises:
      ValueError: a broken rule or too little memory, before anything is made.
    """
    architectures = config.resolve_architectures()
    load = config.resolve_workload(auto_dtype="float32" if jax.default_backend() == "cpu" else "bfloat16")
    require_memory(architectures, load)
    stored = {"experiment": "time_decode"} | config_lib.to_plain(config)
    if not workdir.is_done(directory, stored):
        with workdir.opened(directory, stored):
            rows, lines, failures = time_architectures(architectures, load, config)
            records.write_table(directory / "latency.csv", rows)
            files.write_text(directory / "samples.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
            files.write_json(directory / "diagnostics.json", {"failures": failures})
    return files.read_json(directory / "diagnostics.json")["failures"]


def require_memory(architectures: Sequence[Architecture], load: Workload) -> None:
    """Refuse what will not fit: all shapes are timed in turns, so all are in memory together."""
    needed, available = sum(workload.memory_bytes(a, load) for a in architectures), available_bytes()
    if needed > USABLE_MEMORY * available:
        raise ValueError(
            f"architectures, batch={load.batch}: weights and caches need {needed / 2**30:.1f} GiB together, "
            f"more than {USABLE_MEMORY:.0%} of the {available / 2**30:.1f} GiB free; time fewer at once"
        )


def available_bytes() -> int:
    """Free memory of the first device, or of the host where the device does not say."""
    stats = jax.local_devices()[0].memory_stats() or {}
    if "bytes_limit" in stats:
        return stats["bytes_limit"] - stats.get("bytes_in_use", 0)
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def time_architectures(
    architectures: Sequence[Architecture], load: Workload, config: TimeDecodeConfig
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[str]]:
    """Rows of the latency table, one object per raw sample, and failed diagnostics."""
    engines = {}
    with Progress("compile decode", len(architectures), "shapes") as progress:
        for a in architectures:
            engines[a.name] = compile_engine(a, load, random_weights(a, config.seed, load.dtype))
            progress.advance(note=a.name)
    ceilings = measure_ceilings([workload.step_bytes(a, load) for a in architectures], load.dtype)
    rule = timing.StopRule(
        repeats=config.repeats,
        max_repeats=config.max_repeats,
        relative_error=config.relative_error,
        max_seconds=config.max_measure_s,
    )
    candidates = [make_candidate(engine, config.seed) for engine in engines.values()]
    with Progress("time decode", config.max_repeats, "rounds at most") as progress:
        samples = timing.measure(
            candidates, rule, seed=config.seed, warmup=config.warmup, on_round=lambda done: progress.advance()
        )
    rows, failures = [], []
    for engine in engines.values():
        mine = [sample for sample in samples if sample.name == engine.architecture.name]
        row = make_row(engine, mine, ceilings)
        rows.append(row)
        if row["e2e_s_relative_error"] > config.relative_error:
            failures.append(
                f"{row['architecture']}: median e2e_s known to {row['e2e_s_relative_error']:.1%} after {len(mine)} "
                f"samples, not to {config.relative_error:.1%}"
            )
    lines = [
        {
            "architecture": s.name,
            "round": s.round,
            "started_s": s.started_s,
            "ttft_s": s.ends_s[0],
            "e2e_s": s.ends_s[-1],
        }
        for s in samples
    ]
    return rows, lines, failures


def make_candidate(engine: Engine, seed: int) -> timing.Candidate:
    """A request in two stages: prefill to the first token, then all others; the cache goes round."""
    load = engine.workload
    shape = (load.batch, load.prompt_tokens)
    prompt = np.random.default_rng(seed).integers(0, engine.architecture.vocab_size, shape)
    prompt_BT = jnp.asarray(prompt, jnp.int32)

    def first(state: tuple[Any, Any]) -> tuple[Any, Any]:
        return engine.prefill(prompt_BT, state[1])

    def others(state: tuple[Any, Any]) -> tuple[Any, Any]:
        return engine.decode(*state)

    return timing.Candidate(engine.architecture.name, (first, others), (None, engine.new_cache()))


def make_row(engine: Engine, samples: Sequence[timing.Sample], ceilings: Ceilings) -> dict[str, Any]:
    """The latency table's row; tpot_s = (e2e_s − ttft_s)/(new_tokens − 1) for each sample, blank for one new token."""
    a, load = engine.architecture, engine.workload
    e2e_s = np.array([sample.ends_s[-1] for sample in samples])
    ttft_s = np.array([sample.ends_s[0] for sample in samples])
    series = {"ttft_s": ttft_s, "e2e_s": e2e_s, "tokens_per_s": load.batch * load.new_tokens / e2e_s}
    if load.new_tokens > 1:
        series["tpot_s"] = (e2e_s - ttft_s) / (load.new_tokens - 1)
    timed: dict[str, Any] = {f"{name}{tail}": None for name in records.TIMED for tail in ("", "_p10", "_p90", "_p99")}
    for name, values in series.items():
        summary = timing.summarize(values)
        timed |= {name: summary.median, f"{name}_p10": summary.p10, f"{name}_p90": summary.p90}
        timed[f"{name}_p99"] = summary.p99
    moved = workload.step_bytes(a, load)
    bandwidth = ceilings.bandwidth(moved)
    return records.latency_record(
        a,
        device_kind=jax.devices()[0].device_kind,
        n_devices=1,
        **dataclasses.asdict(load),
        compile_s=engine.compile_s,
        **timed,
        count=len(samples),
        floor_s=workload.floor_s(a, load, bandwidth, ceilings.flops_per_s),
        step_bytes=moved,
        step_flops=workload.step_flops(a, load),
        ceiling_bytes_per_s=bandwidth,
        ceiling_flops_per_s=ceilings.flops_per_s,
        e2e_s_relative_error=timing.median_relative_error(e2e_s),
    )
