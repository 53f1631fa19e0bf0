"""Train one decoder: its validation loss, as a row of the run table."""

from pathlib import Path

from ie_scaling.running import stopping, workdir
from ie_scaling.running.diagnostic import Diagnostic
from ie_scaling.running.progress import say
from ie_scaling.train import run_identity
from ie_scaling.train.config import TrainConfig
from ie_scaling.train.runtime_config import Mode

Config = TrainConfig
MAY_CHANGE = run_identity.MAY_CHANGE


def inputs_of(config: Config) -> workdir.Inputs:
    """The content of the corpora, by name; None for one that is still to be prepared."""
    return run_identity.corpora(config.recipe)


def run(config: Config, directory: Path) -> list[Diagnostic]:
    """Prepare the corpus where it is not there yet, then train, or go on.

    Each of several processes calls this (jax.distributed); the first locks the directory and writes.

    Raises:
      InputError: a bad configuration or corpus.
      FloatingPointError: the loss is not finite, or a spike.
      Stopped: by a signal; the state is saved.
    """
    from ie_scaling.corpus import prepare
    from ie_scaling.train import distributed, loop, preflight

    if config.runtime.distributed.mode == Mode.OFF and not workdir.is_finished(directory):
        for warning in preflight.machine([config]):
            say(f"warning: {warning}")
        with stopping.broken_off():
            prepare.prepare(config.recipe.corpus)
    with stopping.on_signals() as stop:
        distributed.start(config.runtime.distributed)
        loop.run(config, directory, stop)
    return run_identity.diagnostics(directory, [config.recipe]) if distributed.is_primary() else []


def load(config: Config) -> list[Diagnostic]:
    """What training would warn of; tokenizes no more than a sample.

    Raises:
      InputError: whatever training would refuse.
    """
    from ie_scaling.train import preflight

    return preflight.check([config])


def preview(_: Config, warnings: list[Diagnostic]) -> list[Diagnostic]:
    """What training would warn of."""
    return warnings


def estimate(config: Config, _: list[Diagnostic]) -> str:
    """Parameters, steps, FLOPs, bytes on each device and a rough time."""
    from ie_scaling.train import pricing

    return pricing.describe(pricing.price(config))


def show(directory: Path) -> None:
    """The row of the run table in a line, by the first of several processes."""
    from ie_scaling.tables import run_table
    from ie_scaling.train import distributed

    if not distributed.is_primary():
        return
    (row,) = run_table.read_runs(directory / "runs.csv").to_dict("records")
    print(f"{row['run_id']}: {row['n_params_total']:,.0f} parameters, {row['n_tokens']:,.0f} tokens, ", end="")
    print(f"loss {row['loss']:.4f} nats/token on {row['loss_split']}")
