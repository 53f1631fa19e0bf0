"""Rank candidate shapes under a latency bound and recommend one."""

from pathlib import Path

import pandas as pd

from ie_scaling.running import files
from ie_scaling.search import selection
from ie_scaling.search.config import SelectConfig as Config

inputs_of = selection.inputs_of

SHOWN = ("architecture", "loss_mean", "loss_lo90", "loss_hi90", "p_best", "p_top_k", "expected_rank")
SHOWN += ("expected_regret", "expected_regret_se", "latency_mean", "p_feasible", "p_pareto", "recommended")


def main(config: Config, directory: Path) -> list[str]:
    """Select, and print the table and the recommendation."""
    failures = selection.run(config, directory)
    table = pd.read_csv(directory / "candidates.csv").sort_values("loss_mean")
    print(table[list(SHOWN)].to_string(index=False, float_format=lambda value: f"{value:.4g}"))
    print(selection.describe(files.read_json(directory / "selection.json")))
    return failures


def check(config: Config, directory: Path) -> list[str]:
    """Decide, and write nothing: a bound that no candidate meets is found here too; what the answer is warned of."""
    _, found = selection.select(config, *selection.load(config))
    return found["failures"]


def estimate(config: Config) -> str:
    """How many candidates there are; ranking takes seconds."""
    candidates = selection.candidates_of(config, 1)
    return f"{len(candidates.architectures)} candidates, their latency {candidates.source}; a few seconds"
