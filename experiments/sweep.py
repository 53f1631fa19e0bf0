"""Many training runs into one run table."""

from pathlib import Path

from ie_scaling.running import workdir
from ie_scaling.running.progress import say
from ie_scaling.train import preflight, pricing, run_identity, sweep
from ie_scaling.train.sweep_config import SweepConfig as Config

MAY_CHANGE = sweep.MAY_CHANGE
inputs_of = sweep.inputs_of


def main(config: Config, directory: Path) -> list[str]:
    """Run what is not done yet, and print the table; returns what its corpora warn of."""
    if not workdir.is_finished(directory):
        for warning in preflight.machine(config.plans, config.n_parallel, config.executor == "local"):
            say(f"warning: {warning}")
    runs = sweep.run(config, directory)
    print(runs[["run_id", "n_params_total", "n_tokens", "loss"]].to_string(index=False))
    return run_identity.corpus_warnings(plan.recipe for plan in config.plans)


def check(config: Config, _: Path) -> list[str]:
    """What the runs would warn of; raises what they would refuse."""
    return preflight.check_sweep(config)


def estimate(config: Config) -> str:
    """Each run's parameters, steps, FLOPs and bytes on a device, and the sum."""
    return pricing.describe_runs(pricing.price_runs(config.plans))
