"""Rank candidate shapes under a latency bound and recommend one."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from ie_scaling.running import files, identity, workdir
from ie_scaling.running.config import require
from ie_scaling.search.config import SelectionConfig
from ie_scaling.shapes import lookup

if TYPE_CHECKING:
    from ie_scaling.laws.bayes.posterior import Posterior
    from ie_scaling.running.diagnostic import Diagnostic
    from ie_scaling.search.candidates import Candidates
    from ie_scaling.search.selection import Selection

SHOWN = ("architecture", "loss_mean", "loss_lo90", "loss_hi90", "p_best", "p_top_k", "expected_rank")
SHOWN += ("expected_regret", "expected_regret_se", "latency_mean", "p_feasible", "p_pareto", "recommended")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(SelectionConfig):
    """Rank candidate shapes by predicted loss among those that are fast enough, and recommend one.

    `fit` is a directory that `configs/fit.py` wrote. `latency` says how fast candidates are: a latency.csv, of which
    `where` chooses rows and `candidates` names architectures (all by default); or a directory that
    `configs/fit_latency.py` wrote, whose law predicts `request` for the `candidates` and those of `grid`, timed or not.
    The bound is `max_latency_s`, or `max_latency_ratio` times the fastest candidate's median (as predicted, in each
    draw). A candidate is feasible where it meets the bound with probability at least `min_p_feasible`: a request of it
    where it was timed, the median of a new benchmark where it was not. `level` is what is predicted: `law` the
    curve, `shape` the shape's own, `new_run` one more training run of it. Of candidates whose expected regrets lie
    within two Monte Carlo errors of the least, the fastest is recommended.
    """

    fit: str = "runs/quickstart/fit/effective"
    latency: str = "runs/quickstart/latency/latency.csv"
    n_tokens: float = 1e6
    allow_unfinished: bool = False

    def __post_init__(self) -> None:
        require(bool(self.latency), "latency", self.latency, "must name a latency.csv, or what fit_latency wrote")
        super().__post_init__()

    @property
    def shape_specs(self) -> tuple[str, ...]:
        """The shapes as they were named."""
        return self.candidates


def inputs_of(config: Config) -> workdir.Inputs:
    """What it reads, by name."""
    from ie_scaling.latency_law import posterior as latency_posterior
    from ie_scaling.laws.bayes import posterior

    fit, latency = identity.within("fit", config.fit, posterior.FILES), identity.named("latency", [config.latency])
    if Path(config.latency).is_dir():
        latency = identity.within("latency", config.latency, latency_posterior.FILES)
    return fit | latency | identity.named("candidates", lookup.files_of(config.candidates))


def load(config: Config) -> tuple[Posterior, Candidates]:
    """The posterior and the candidates.

    Raises:
      InputError: no such fit, table or law, no candidates, one that the table does not have, or too many.
    """
    from ie_scaling.laws.bayes import posterior
    from ie_scaling.search import candidates

    draws = posterior.load_fit(config.fit)
    return draws, candidates.read(config, draws.n_draws, config.latency)


def preview(config: Config, loaded: tuple[Posterior, Candidates]) -> list[Diagnostic]:
    """Failed diagnostics of the posterior, and of the latencies and features of the candidates.

    Raises:
      InputError: a bound that no candidate meets.
    """
    from ie_scaling.search import selection

    selection.require_feasible(config, loaded[1])
    return selection.diagnose(config, *loaded)


def compute(config: Config, loaded: tuple[Posterior, Candidates]) -> Selection:
    """Decide.

    Raises:
      InputError: a bound that no candidate meets.
    """
    from ie_scaling.search import selection

    return selection.select(config, *loaded)


def save(result: Selection, directory: Path) -> None:
    """candidates.csv and selection.json."""
    from ie_scaling.tables import cells

    cells.write_table(directory / "candidates.csv", result.table)
    files.write_json(directory / "selection.json", result.answer)


def show(directory: Path) -> None:
    """The table and the recommendation."""
    import pandas as pd

    from ie_scaling.search import selection

    table = pd.read_csv(directory / "candidates.csv").sort_values("loss_mean")
    print(table[list(SHOWN)].to_string(index=False, float_format=lambda value: f"{value:.4g}"))
    print(selection.describe(files.read_json(directory / "selection.json")))


def estimate(_: Config, loaded: tuple[Posterior, Candidates]) -> str:
    """How many candidates there are; ranking takes seconds."""
    candidates = loaded[1]
    return f"{len(candidates.architectures)} candidates, their latency {candidates.source}; a few seconds"
