"""Contest ways of predicting: which of Bayes, bootstrap, curve_fit and one small scale is right of runs left out?"""

import dataclasses
from pathlib import Path

import pandas as pd

from ie_scaling.laws import reading
from ie_scaling.laws.config import CompareConfig as Config
from ie_scaling.laws.evidence import contest, contest_scores
from ie_scaling.laws.evidence.contest import Table
from ie_scaling.running import files, identity, workdir
from ie_scaling.running.diagnostic import Diagnostic, Kind
from ie_scaling.tables import cells, run_table

SECONDS_A_POSTERIOR = 45


@dataclasses.dataclass(frozen=True, kw_only=True)
class Comparison:
    """A row a table, way of leaving out, and entry."""

    scores: pd.DataFrame
    diagnostics: list[Diagnostic]


def inputs_of(config: Config) -> workdir.Inputs:
    """What it reads, by name."""
    return identity.named("tables", [path for entry in config.tables for path in run_table.split_paths(entry)])


def load(config: Config) -> list[Table]:
    """The tables, checked against every law, and their splits.

    Raises:
      InputError: a bad table or law, fewer models than folds, or a feature that a law needs and a table lacks.
    """
    return contest.load(config)


def resume(config: Config, loaded: list[Table], directory: Path) -> Comparison:
    """Contest on every split that has not been; contest.csv and .md, and parts/."""
    scores = contest_scores.tabulate(contest.run(config, loaded, directory), config.n_resamples, config.seed)
    cells.write_table(directory / "contest.csv", scores)
    files.write_text(directory / "contest.md", contest_scores.to_markdown(scores))
    found = reading.diagnose(table.rows for table in loaded) + failed_gates(scores)
    return Comparison(scores=scores, diagnostics=found)


def failed_gates(scores: pd.DataFrame) -> list[Diagnostic]:
    """The tables and ways of leaving out of which a stacked posterior failed its gate."""
    flagged = scores[(scores["entry"] == contest.STACKED) & (scores["splits_flagged"] > 0)]
    return [
        Diagnostic(Kind.CONVERGENCE, f"{row.table} by {row.left_out}", "a stacked posterior failed its gate")
        for row in flagged.itertuples()
    ]


def figures(result: Comparison, directory: Path) -> None:
    """Every entry's scores."""
    from ie_scaling.report import figures as draw
    from ie_scaling.report import law_figures

    draw.save(law_figures.contest(result.scores), directory / "figures" / "contest.png")


def show(directory: Path) -> None:
    """The paragraph and the tables."""
    print(files.read_text(directory / "contest.md"))


def estimate(config: Config, loaded: list[Table]) -> str:
    """Tables, splits, laws and a rough time."""
    lines = [f"{table.name}: {len(table.rows)} rows of {len(table.rows.model_ids)} models" for table in loaded]
    n_posteriors = len(config.laws) * (config.n_folds + 1) * len(loaded)
    lines.append(f"{len(config.laws)} laws, {config.n_folds + 1} splits of each table: {n_posteriors} posteriors")
    return "\n".join([*lines, f"about {SECONDS_A_POSTERIOR * n_posteriors // 60} min on two CPU cores"])
