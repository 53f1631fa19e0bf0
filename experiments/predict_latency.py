"""Predict the latency of architectures that were not timed: how fast would they be here, and how sure is that?"""

from pathlib import Path

import pandas as pd

from ie_scaling import workload
from ie_scaling.latency_law import predict
from ie_scaling.latency_law.config import PredictLatencyConfig as Config

inputs_of = predict.inputs_of

SHOWN = {"ttft_s": ("TTFT ms", 1e3), "tpot_s": ("TPOT ms", 1e3), "e2e_s": ("E2E ms", 1e3), "tokens_per_s": ("tok/s", 1)}


def main(config: Config, directory: Path) -> list[str]:
    """Predict and print the table."""
    warnings = predict.run(config, directory)
    table = pd.read_csv(directory / "predicted_latency.csv")
    first = table.iloc[0]
    print(
        f"{first['device_kind']} {first['dtype']} {first['mode']}, batch {first['batch']}, prompt "
        f"{first['prompt_tokens']}, new {first['new_tokens']}: median and 90 % of a new measurement"
    )
    print(f"{'architecture':44} {'size':>8}" + "".join(f" {label:>26}" for label, _ in SHOWN.values()))
    for row in table.to_dict("records"):
        cells = [_cell(row, metric, scale) for metric, (_, scale) in SHOWN.items()]
        print(
            f"{row['architecture']:44} {row['n_params_total'] / 1e6:7.1f}M" + "".join(f" {cell:>26}" for cell in cells)
        )
    print(f"{directory / 'predicted_latency.csv'}: {len(table)} shapes")
    return warnings


def check(config: Config, _: Path) -> list[str]:
    """Read all that predicting reads; what the answer would be warned of."""
    posterior, device_kind, cases = predict.load(config)
    return predict.warnings_of(posterior, cases, device_kind)


def estimate(config: Config) -> str:
    """Bytes and FLOPs of a step, by shape."""
    load = config.resolve_workload(config.dtype or "float32", config.mode or "loop")
    lines = [
        f"{a.name}: {workload.step_bytes(a, load):.3g} bytes and {workload.step_flops(a, load):.3g} FLOPs a step"
        for a in config.resolve_architectures()
    ]
    return "\n".join([*lines, "a few seconds"])


def _cell(row: dict, metric: str, scale: float) -> str:
    """Median (low to high), blank where there is none."""
    if pd.isna(row[metric]):
        return ""
    middle, low, high = (row[name] * scale for name in (metric, f"{metric}_lo90", f"{metric}_hi90"))
    return f"{middle:.4g} ({low:.4g} to {high:.4g})"
