"""A sweep: a list of runs over one recipe, into one run table."""

import concurrent.futures
import threading
from pathlib import Path
from typing import Any

import pandas as pd

from ie_scaling import accounting, records, workdir
from ie_scaling import config as config_lib
from ie_scaling.corpus import prepare
from ie_scaling.progress import Progress, say
from ie_scaling.train import loop
from ie_scaling.train.config import TrainConfig
from ie_scaling.train.sweep_config import SweepConfig


def run(config: SweepConfig, directory: Path) -> pd.DataFrame:
    """Every run of the sweep in runs/RUN_ID, those that are done read back; returns and writes runs.csv.

    Interrupted, or where a run fails, the runs under way save their state and none is begun.
    """
    resolved = {"experiment": "sweep"} | config_lib.to_plain(config)
    if not workdir.is_done(directory, resolved):
        prepare.prepare(config.recipe.corpus)
        with workdir.opened(directory, resolved):
            _run_all(config, directory)
    return records.read_runs(directory / "runs.csv")


def _run_all(config: SweepConfig, directory: Path) -> None:
    stop = threading.Event()

    def run_one(plan: TrainConfig) -> dict[str, Any]:
        if stop.is_set():
            raise loop.Stopped(plan.run_id)
        say(f"run {plan.run_id}")
        return loop.run(plan, directory / "runs" / plan.run_id, stop)

    with (
        Progress("sweep", len(config.plans), "runs") as progress,
        concurrent.futures.ThreadPoolExecutor(config.n_parallel) as pool,
    ):
        started = {pool.submit(run_one, plan): index for index, plan in enumerate(config.plans)}
        rows: dict[int, dict[str, Any]] = {}
        try:
            for finished in concurrent.futures.as_completed(started):
                rows[started[finished]] = finished.result()
                records.write_table(directory / "runs.csv", [rows[index] for index in sorted(rows)])
                progress.advance()
        except BaseException:
            stop.set()
            raise


def price(config: SweepConfig) -> pd.DataFrame:
    """What each run will cost before any is started: parameters, steps, FLOPs."""
    length = config.recipe.sequence_length
    return pd.DataFrame(
        [
            {
                "run_id": plan.run_id,
                "n_params_total": accounting.count_parameters(plan.architecture),
                "n_params_non_embedding": accounting.count_non_embedding_parameters(plan.architecture),
                "n_tokens": plan.n_tokens,
                "n_steps": plan.n_steps,
                "training_flops": accounting.training_flops(plan.architecture, plan.n_tokens, length),
            }
            for plan in config.plans
        ]
    )
