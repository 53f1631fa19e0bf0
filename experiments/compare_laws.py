"""Contest laws on run tables: which of them predicts models, and sizes, that it did not see?"""

from pathlib import Path

import pandas as pd

from ie_scaling.laws import reading
from ie_scaling.laws.config import CompareLawsConfig
from ie_scaling.laws.evidence import cross_validation
from ie_scaling.report import figures
from ie_scaling.running import config as config_lib
from ie_scaling.running import files, identity, workdir
from ie_scaling.tables import run_table

Config = CompareLawsConfig
SECONDS_A_FIT = 5


def inputs_of(config: CompareLawsConfig) -> workdir.Inputs:
    """What it reads, by name."""
    return identity.named("tables", [path for entry in config.tables for path in run_table.split_paths(entry)])


def main(config: CompareLawsConfig, directory: Path) -> list[str]:
    """Contest, tabulate, draw, and print the table."""
    resolved = {"experiment": "compare_laws"} | config_lib.to_plain(config)
    if not workdir.is_done(directory, resolved, inputs=inputs_of(config)):
        observed = cross_validation.load(config)
        with workdir.opened(directory, resolved, inputs=inputs_of(config)):
            reading.write_diagnostics(directory, list(observed.values()))
            table = cross_validation.run(config, observed, directory)
            figures.save(figures.law_contest(table), directory / "figures" / "contest.png")
    print(files.read_text(directory / "comparison.md"))
    table = pd.read_csv(directory / "comparison.csv")
    fair = table[~table["sees_budget_minimum"]]
    best = fair.loc[fair.groupby("table")["mse_extrapolation"].idxmin()]
    return reading.read_warnings(directory) + [
        f"{row.table}: the best extrapolating fit is {row.status} ({row.reasons})"
        for row in best.itertuples()
        if row.status != "converged"
    ]


def estimate(config: CompareLawsConfig) -> str:
    """Tables, laws and a rough time."""
    laws, tables = cross_validation.laws_of(config), cross_validation.load(config)
    lines = [f"{path}: {len(rows)} rows of {len(rows.model_ids)} models" for path, rows in tables.items()]
    n_fits = config.n_folds * config.n_repeats + 2
    lines.append(f"{len(laws)} laws, {n_fits} fits each on each table")
    return "\n".join([*lines, f"about {SECONDS_A_FIT * len(laws) * len(tables)} s on two CPU cores"])
