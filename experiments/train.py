"""One training run."""

from pathlib import Path

from ie_scaling.corpus import prepare
from ie_scaling.running import stopping, workdir
from ie_scaling.running.progress import say
from ie_scaling.train import distributed, loop, preflight, pricing, run_identity
from ie_scaling.train.config import TrainConfig as Config

MAY_CHANGE = run_identity.MAY_CHANGE


def main(config: Config, directory: Path) -> list[str]:
    """Train, and print the row of the run table; returns what its corpora warn of."""
    if config.runtime.distributed.mode == "off" and not workdir.is_finished(directory):
        for warning in preflight.machine([config]):
            say(f"warning: {warning}")
        with stopping.broken_off():
            prepare.prepare(config.recipe.corpus)
    with stopping.on_signals() as stop:
        distributed.start(config.runtime.distributed)
        row = loop.run(config, directory, stop)
    if not distributed.is_primary():
        return []
    print(f"{row['run_id']}: {row['n_params_total']:,.0f} parameters, {row['n_tokens']:,.0f} tokens, ", end="")
    print(f"loss {row['loss']:.4f} nats/token on {row['loss_split']}")
    return run_identity.corpus_warnings([config.recipe])


def inputs_of(config: Config) -> dict[str, str | None]:
    """The content of the corpora, by name; None for one that is still to be prepared."""
    return run_identity.corpora(config.recipe)


def check(config: Config, _: Path) -> list[str]:
    """What training would warn of; raises what it would refuse."""
    return preflight.check([config])


def estimate(config: Config) -> str:
    """Parameters, steps, FLOPs, bytes on each device and a rough time."""
    return pricing.describe(pricing.price(config))
