"""Time greedy decoding of a list of architectures: how long does each shape take, and how near its floor is it?"""

from pathlib import Path

from ie_scaling import accounting, records
from ie_scaling.latency import benchmark, workload
from ie_scaling.latency.config import TimeDecodeConfig as Config

HEADER = (
    f"{'architecture':44} {'size':>8} {'TTFT ms':>8} {'TPOT ms':>8} {'p10':>7} {'p90':>7} {'/floor':>6} {'tok/s':>7}"
)
ASSUMED_BYTES_PER_S = 10e9
ASSUMED_FLOPS_PER_S = 3e10
ASSUMED_COMPILE_S_PER_LAYER = 0.25


def main(config: Config, directory: Path) -> list[str]:
    """Time them and print the table."""
    failures = benchmark.run(config, directory)
    frame = records.read_latency(directory / "latency.csv")
    print(HEADER)
    for architecture, row in zip(records.architectures_of(frame), frame.to_dict("records"), strict=True):
        size = accounting.count_parameters(architecture)
        tpot = [row[f"tpot_s{tail}"] * 1e3 for tail in ("", "_p10", "_p90")]
        print(
            f"{row['architecture']:44} {size / 1e6:7.1f}M {row['ttft_s'] * 1e3:8.2f} {tpot[0]:8.2f} {tpot[1]:7.2f} "
            f"{tpot[2]:7.2f} {row['tpot_s'] / row['floor_s']:6.2f} {row['tokens_per_s']:7.1f}"
        )
    print(f"{directory / 'latency.csv'}: {len(frame)} shapes, {int(frame['count'].iloc[0])} samples each")
    return failures


def estimate(config: Config) -> str:
    """Parameters, bytes and a rough time, by shape and in all."""
    load = config.resolve_workload("float32")
    lines, total_s = [], 0.0
    for a in config.resolve_architectures():
        step_s = workload.floor_s(a, load, ASSUMED_BYTES_PER_S, ASSUMED_FLOPS_PER_S)
        request_s = workload.request_flops(a, load) / ASSUMED_FLOPS_PER_S * load.prompt_tokens / load.cache_positions
        request_s += (load.new_tokens - 1) * step_s
        total_s += (config.repeats + config.warmup) * request_s + ASSUMED_COMPILE_S_PER_LAYER * a.n_layers
        cache = load.batch * load.cache_positions * accounting.kv_cache_bytes_per_token(a, 4)
        lines.append(
            f"{a.name}: {accounting.count_parameters(a):,} parameters, "
            f"{accounting.weight_bytes(a, 4) / 2**20:.0f} MiB of weights, {cache / 2**20:.1f} MiB of KV cache, "
            f"{workload.step_flops(a, load):.3g} FLOPs and {workload.step_bytes(a, load):.3g} bytes a step"
        )
    most = min(total_s * config.max_repeats / config.repeats, total_s + config.max_measure_s)
    lines.append(
        f"float32 assumed; about {total_s:.0f} to {most:.0f} s at {ASSUMED_BYTES_PER_S / 1e9:.0f} GB/s and "
        f"{ASSUMED_FLOPS_PER_S / 1e9:.0f} GFLOP/s"
    )
    return "\n".join(lines)
