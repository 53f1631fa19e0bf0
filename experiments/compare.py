"""Contest ways of predicting: which of Bayes, bootstrap, curve_fit and one small scale is right of runs left out?"""

from pathlib import Path

import pandas as pd

from ie_scaling.laws import reading
from ie_scaling.laws.config import CompareConfig
from ie_scaling.laws.evidence import contest, contest_scores
from ie_scaling.report import figures, law_figures
from ie_scaling.running import config as config_lib
from ie_scaling.running import files, identity, workdir
from ie_scaling.tables import cells, run_table

Config = CompareConfig
SECONDS_A_POSTERIOR = 45


def inputs_of(config: CompareConfig) -> workdir.Inputs:
    """What it reads, by name."""
    return identity.named("tables", [path for entry in config.tables for path in run_table.split_paths(entry)])


def main(config: CompareConfig, directory: Path) -> list[str]:
    """Contest, tabulate, draw, and print the paragraph and the tables; what failed of the stacked posteriors."""
    resolved = {"experiment": "compare"} | config_lib.to_plain(config)
    if not workdir.is_done(directory, resolved, inputs=inputs_of(config)):
        tables = contest.load(config)
        with workdir.opened(directory, resolved, inputs=inputs_of(config)):
            reading.write_diagnostics(directory, [table.rows for table in tables])
            scores = contest_scores.tabulate(contest.run(config, tables, directory), config.n_resamples, config.seed)
            cells.write_table(directory / "contest.csv", scores)
            files.write_text(directory / "contest.md", contest_scores.to_markdown(scores))
            figures.save(law_figures.contest(scores), directory / "figures" / "contest.png")
    print(files.read_text(directory / "contest.md"))
    scores = pd.read_csv(directory / "contest.csv")
    flagged = scores[(scores["entry"] == contest.STACKED) & (scores["splits_flagged"] > 0)]
    gate = [f"{row.table} by {row.left_out}: a stacked posterior failed its gate" for row in flagged.itertuples()]
    return reading.read_warnings(directory) + gate


def estimate(config: CompareConfig) -> str:
    """Tables, splits, laws and a rough time."""
    tables = contest.load(config)
    lines = [f"{table.name}: {len(table.rows)} rows of {len(table.rows.model_ids)} models" for table in tables]
    n_posteriors = len(config.laws) * (config.n_folds + 1) * len(tables)
    lines.append(f"{len(config.laws)} laws, {config.n_folds + 1} splits of each table: {n_posteriors} posteriors")
    return "\n".join([*lines, f"about {SECONDS_A_POSTERIOR * n_posteriors // 60} min on two CPU cores"])
