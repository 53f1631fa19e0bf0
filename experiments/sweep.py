"""Many training runs into one run table."""

from pathlib import Path

from ie_scaling.train import sweep
from ie_scaling.train.pricing import CPU_FLOPS_PER_S
from ie_scaling.train.sweep_config import SweepConfig as Config


def main(config: Config, directory: Path) -> list[str]:
    """Run what is not done yet, and print the table."""
    runs = sweep.run(config, directory)
    print(runs[["run_id", "n_params_total", "n_tokens", "loss"]].to_string(index=False))
    return []


def estimate(config: Config) -> str:
    """Each run's parameters, steps and FLOPs, and the sum."""
    table = sweep.price(config)
    total = table["training_flops"].sum()
    return f"{table.to_string(index=False)}\n{total:.3g} FLOPs, about {total / CPU_FLOPS_PER_S:.0f} s on two cores"
