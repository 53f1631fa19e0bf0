"""Contest laws on run tables: which of them predicts models, and sizes, that it did not see?"""

import dataclasses
from pathlib import Path

import pandas as pd

from ie_scaling.laws import reading
from ie_scaling.laws.config import CompareLawsConfig as Config
from ie_scaling.laws.evidence import cross_validation
from ie_scaling.laws.observations import Observations
from ie_scaling.running import files, identity, workdir
from ie_scaling.running.diagnostic import Diagnostic, Kind
from ie_scaling.tables import run_table

SECONDS_A_FIT = 5


@dataclasses.dataclass(frozen=True, kw_only=True)
class Comparison:
    """A row a law and table."""

    table: pd.DataFrame
    diagnostics: list[Diagnostic]


def inputs_of(config: Config) -> workdir.Inputs:
    """What it reads, by name."""
    return identity.named("tables", [path for entry in config.tables for path in run_table.split_paths(entry)])


def load(config: Config) -> dict[str, Observations]:
    """The tables by path, checked against every law.

    Raises:
      InputError: a bad table, fewer models than folds, or a feature that a law needs and a table lacks.
    """
    return cross_validation.load(config)


def resume(config: Config, loaded: dict[str, Observations], directory: Path) -> Comparison:
    """Contest every law on every table that has not been; comparison.csv and .md, and parts/."""
    table = cross_validation.run(config, loaded, directory)
    return Comparison(table=table, diagnostics=reading.diagnose(loaded.values()) + not_converged(table))


def not_converged(table: pd.DataFrame) -> list[Diagnostic]:
    """Each table whose best extrapolating fit did not converge."""
    fair = table[~table["sees_budget_minimum"]]
    best = fair.loc[fair.groupby("table")["mse_extrapolation"].idxmin()]
    return [
        Diagnostic(Kind.LEAST_SQUARES, str(row.table), f"the best extrapolating fit is {row.status} ({row.reasons})")
        for row in best.itertuples()
        if row.status != "converged"
    ]


def figures(result: Comparison, directory: Path) -> None:
    """Every law's errors with their intervals."""
    from ie_scaling.report import figures as draw

    draw.save(draw.law_contest(result.table), directory / "figures" / "contest.png")


def show(directory: Path) -> None:
    """The tables."""
    print(files.read_text(directory / "comparison.md"))


def estimate(config: Config, loaded: dict[str, Observations]) -> str:
    """Tables, laws and a rough time."""
    laws = cross_validation.laws_of(config)
    lines = [f"{path}: {len(rows)} rows of {len(rows.model_ids)} models" for path, rows in loaded.items()]
    n_fits = config.n_folds * config.n_repeats + 2
    lines.append(f"{len(laws)} laws, {n_fits} fits each on each table")
    return "\n".join([*lines, f"about {SECONDS_A_FIT * len(laws) * len(loaded)} s on two CPU cores"])
