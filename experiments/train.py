"""One training run."""

from pathlib import Path

from ie_scaling import accounting, stopping
from ie_scaling.train import distributed, loop
from ie_scaling.train.config import TrainConfig as Config
from ie_scaling.train.pricing import CPU_FLOPS_PER_S


def main(config: Config, directory: Path) -> list[str]:
    """Train, and print the row of the run table."""
    with stopping.on_signals() as stop:
        distributed.start(config.runtime.distributed)
        row = loop.run(config, directory, stop)
    if not distributed.is_primary():
        return []
    print(f"{row['run_id']}: {row['n_params_total']:,.0f} parameters, {row['n_tokens']:,.0f} tokens, ", end="")
    print(f"loss {row['loss']:.4f} nats/token on {row['loss_split']}")
    return []


def estimate(config: Config) -> str:
    """Parameters, steps, FLOPs, bytes and a rough time."""
    a, recipe = config.architecture, config.recipe
    flops = accounting.training_flops(a, config.n_trained_tokens, recipe.sequence_length)
    state = 4 * accounting.weight_bytes(a, 4)  # parameters, gradient, two moments
    return (
        f"{accounting.count_parameters(a):,} parameters ({accounting.count_non_embedding_parameters(a):,} "
        f"non-embedding), {config.n_steps:,} steps, {flops:.3g} FLOPs, {state / 2**20:.0f} MiB of training state; "
        f"about {flops / CPU_FLOPS_PER_S:.0f} s at {CPU_FLOPS_PER_S / 1e9:.0f} GFLOP/s"
    )
