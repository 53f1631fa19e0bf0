"""Time decoding of a list of architectures: how long does each shape take, and how near its floor is it?"""

from pathlib import Path

from ie_scaling import accounting, workload
from ie_scaling.latency import benchmark
from ie_scaling.latency.config import TimeDecodeConfig as Config
from ie_scaling.tables import latency_checks, latency_table, shape_table

inputs_of = benchmark.inputs_of

HEADER = (
    f"{'architecture':44} {'size':>8} {'batch':>5} {'TTFT ms':>8} {'TPOT ms':>8} {'p10':>7} {'p90':>7} {'/floor':>6} "
    f"{'tok/s':>7} {'GiB':>5} {'count':>5}"
)
ASSUMED_BYTES_PER_S = 10e9
ASSUMED_FLOPS_PER_S = 3e10
ASSUMED_COMPILE_S_PER_LAYER = 0.25


def main(config: Config, directory: Path) -> list[str]:
    """Time them and print the table."""
    failures = benchmark.run(config, directory)
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
    return failures + latency_checks.remarks(frame, str(directory / "latency.csv"))


def check(config: Config, _: Path) -> list[str]:
    """Raise what timing would refuse: too few devices, too little memory."""
    benchmark.checked_cases(config)
    return []


def estimate(config: Config) -> str:
    """Parameters, bytes and a rough time, by case and in all."""
    lines, least_s, most_s = [], 0.0, 0.0
    for case in config.resolve_cases("float32"):
        a, load = case.architecture, case.workload
        step_s = workload.floor_s(a, load, ASSUMED_BYTES_PER_S, ASSUMED_FLOPS_PER_S)
        request_s = workload.prefill_floor_s(a, load, ASSUMED_BYTES_PER_S, ASSUMED_FLOPS_PER_S)
        request_s += (load.new_tokens - 1) * step_s
        compile_s = ASSUMED_COMPILE_S_PER_LAYER * a.n_layers
        least_s += (config.repeats + config.warmup) * request_s + compile_s
        most_s += (config.max_repeats + config.warmup) * request_s + compile_s
        parts = (workload.weight_bytes, workload.cache_bytes, workload.memory_bytes)
        weights, cache, memory = (part(a, load) / 2**20 for part in parts)
        lines.append(
            f"{a.name}, batch {load.batch}: {accounting.count_parameters(a):,} parameters, "
            f"{weights:.0f} MiB of weights, {cache:.1f} MiB of KV cache, {memory:.0f} MiB in all, "
            f"{workload.step_flops(a, load):.3g} FLOPs and {workload.step_bytes(a, load):.3g} bytes a step"
        )
    most_s = min(most_s, least_s + config.max_measure_s * len(lines))
    lines.append(
        f"float32 assumed; about {least_s:.0f} to {most_s:.0f} s at {ASSUMED_BYTES_PER_S / 1e9:.0f} GB/s and "
        f"{ASSUMED_FLOPS_PER_S / 1e9:.0f} GFLOP/s"
    )
    return "\n".join(lines)
