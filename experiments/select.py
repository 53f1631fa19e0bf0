"""Rank candidate shapes under a latency bound and recommend one."""

import dataclasses
from pathlib import Path
from typing import Any

import pandas as pd

from ie_scaling.latency_law import posterior as latency_law
from ie_scaling.laws.bayes import posterior as posterior_lib
from ie_scaling.laws.bayes.posterior import Posterior
from ie_scaling.running import files, identity, workdir
from ie_scaling.running.diagnostic import Diagnostic
from ie_scaling.search import selection
from ie_scaling.search.config import SelectConfig as Config
from ie_scaling.search.selection import Candidates
from ie_scaling.shapes import lookup
from ie_scaling.tables import cells

SHOWN = ("architecture", "loss_mean", "loss_lo90", "loss_hi90", "p_best", "p_top_k", "expected_rank")
SHOWN += ("expected_regret", "expected_regret_se", "latency_mean", "p_feasible", "p_pareto", "recommended")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Selection:
    """A row a candidate, and what there is to say about the one recommended."""

    table: pd.DataFrame
    answer: dict[str, Any]
    diagnostics: list[Diagnostic]


def inputs_of(config: Config) -> workdir.Inputs:
    """What it reads, by name."""
    fit, latency = identity.within("fit", config.fit, posterior_lib.FILES), identity.named("latency", [config.latency])
    if Path(config.latency).is_dir():
        latency = identity.within("latency", config.latency, latency_law.FILES)
    return fit | latency | identity.named("candidates", lookup.files_of(config.candidates))


def load(config: Config) -> tuple[Posterior, Candidates]:
    """The posterior and the candidates.

    Raises:
      InputError: no such fit, table or law, no candidates, one that the table does not have, or too many.
    """
    posterior = posterior_lib.load_fit(config.fit)
    return posterior, selection.candidates_of(config, posterior.n_draws)


def preview(config: Config, loaded: tuple[Posterior, Candidates]) -> list[Diagnostic]:
    """What the answer is warned of; a bound that no candidate meets is raised of here too."""
    return compute(config, loaded).diagnostics


def compute(config: Config, loaded: tuple[Posterior, Candidates]) -> Selection:
    """Decide.

    Raises:
      InputError: a bound that no candidate meets.
    """
    table, answer, found = selection.select(config, *loaded)
    return Selection(table=table, answer=answer, diagnostics=found)


def save(result: Selection, directory: Path) -> None:
    """candidates.csv and selection.json."""
    cells.write_table(directory / "candidates.csv", result.table)
    files.write_json(directory / "selection.json", result.answer)


def show(directory: Path) -> None:
    """The table and the recommendation."""
    table = pd.read_csv(directory / "candidates.csv").sort_values("loss_mean")
    print(table[list(SHOWN)].to_string(index=False, float_format=lambda value: f"{value:.4g}"))
    print(selection.describe(files.read_json(directory / "selection.json")))


def estimate(_: Config, loaded: tuple[Posterior, Candidates]) -> str:
    """How many candidates there are; ranking takes seconds."""
    candidates = loaded[1]
    return f"{len(candidates.architectures)} candidates, their latency {candidates.source}; a few seconds"
