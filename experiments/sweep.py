"""Train a list of decoders over one recipe into one run table; what fails is tried again and stops no other."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ie_scaling.errors import InputError
from ie_scaling.running import diagnostic, identity, stopping, workdir
from ie_scaling.running.config import to_plain
from ie_scaling.running.diagnostic import Diagnostic
from ie_scaling.running.progress import Progress, say
from ie_scaling.shapes import lookup
from ie_scaling.train import executors, run_identity
from ie_scaling.train.executors import EXECUTORS, Outcome
from ie_scaling.train.sweep_config import SweepConfig

Config = SweepConfig
MAY_CHANGE = ("runtime", "executor", "n_parallel", "retries", "ray")
SHOWN = ["run_id", "n_params_total", "n_tokens", "loss"]


class FailedRuns(InputError):
    """Some runs of a sweep failed; the others are in its table, and the same call tries the failed ones again."""


def inputs_of(config: Config) -> workdir.Inputs:
    """What a sweep reads, by name: corpora (None for one that is still to be prepared) and config.json files."""
    return {**run_identity.corpora(config.recipe), **identity.named("runs", lookup.files_of(config.shape_specs))}


def run(config: Config, directory: Path) -> list[Diagnostic]:
    """Every run in runs/RUN_ID, those that are done read back, and their rows in runs.csv.

    Interrupted, the runs under way save their state and none is begun.

    Raises:
      FailedRuns: after all others are done.
      Stopped: by a signal.
    """
    recipes, resolved = [plan.recipe for plan in config.plans], {"experiment": "sweep"} | to_plain(config)
    if not workdir.is_done(directory, resolved, MAY_CHANGE, inputs_of(config)):
        _prepare(config)
        with workdir.opened(directory, resolved, MAY_CHANGE, inputs_of(config)), stopping.on_signals() as stop:
            collect(config, directory, executors.run(config, directory, stop))
            diagnostic.write(directory, run_identity.corpus_diagnostics(recipes))
    return run_identity.diagnostics(directory, recipes)


def _prepare(config: Config) -> None:
    """The corpus, where it is not there yet, after warnings about this machine."""
    from ie_scaling.corpus import prepare
    from ie_scaling.train import preflight

    for warning in preflight.machine(config.plans, config.n_parallel, EXECUTORS[config.executor].is_here):
        say(f"warning: {warning}")
    with stopping.broken_off():
        prepare.prepare(config.recipe.corpus)


def collect(config: Config, directory: Path, outcomes: Iterable[Outcome]) -> None:
    """Rows into runs.csv as they come, in the order of the plan, each once.

    Raises:
      FailedRuns: some have no row.
    """
    from ie_scaling.tables import cells
    from ie_scaling.train import states

    rows: dict[int, dict[str, Any]] = {}
    failed = []
    with Progress("sweep", len(config.plans), "runs") as progress:
        for index, row in outcomes:
            progress.advance()
            if row is None:
                failed.append(config.plans[index])
                continue
            rows[index] = row
            cells.write_table(directory / "runs.csv", [rows[done] for done in sorted(rows)])
    if failed:
        first = f"{failed[0].run_id}: {states.failure(directory, failed[0])}"
        raise FailedRuns(f"{len(failed)} of {len(config.plans)} runs failed; the first, {first}")


def load(config: Config) -> list[Diagnostic]:
    """What the runs would warn of; tokenizes no more than a sample.

    Raises:
      InputError: whatever they would refuse.
    """
    from ie_scaling.train import preflight

    return preflight.check_sweep(config)


def preview(_: Config, warnings: list[Diagnostic]) -> list[Diagnostic]:
    """What the runs would warn of."""
    return warnings


def estimate(config: Config, _: list[Diagnostic]) -> str:
    """Each run's parameters, steps, FLOPs and bytes on a device, and the sum."""
    from ie_scaling.train import pricing

    return pricing.describe_runs(pricing.price_runs(config.plans))


def show(directory: Path) -> None:
    """The run table."""
    from ie_scaling.tables import run_table

    print(run_table.read_runs(directory / "runs.csv")[SHOWN].to_string(index=False))
