"""A sweep: a list of runs over one recipe, run one after another into one run table."""

from pathlib import Path

import pandas as pd

from ie_scaling import accounting, records, workdir
from ie_scaling import config as config_lib
from ie_scaling.progress import say
from ie_scaling.train import corpus, loop
from ie_scaling.train.config import SweepConfig


def run(config: SweepConfig, directory: Path) -> pd.DataFrame:
    """Every run of the sweep in runs/RUN_ID, those that are done read back; returns and writes runs.csv."""
    resolved = {"experiment": "sweep"} | config_lib.to_plain(config)
    if not workdir.is_done(directory, resolved):
        corpus.prepare(config.recipe.corpus)
        with workdir.opened(directory, resolved):
            for index, plan in enumerate(config.plans, start=1):
                say(f"run {index}/{len(config.plans)}: {plan.run_id}")
                row = loop.run(plan, directory / "runs" / plan.run_id)
                records.append_run(directory / "runs.csv", row)
    return records.read_runs(directory / "runs.csv")


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
