"""Contest laws on run tables: which of them predicts models, sizes, and token budgets, that it did not see?"""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import TYPE_CHECKING

from ie_scaling.laws.choices import COUNTS, MOST_RESAMPLES, MOST_STARTS, fix_columns, require_some
from ie_scaling.running import files, workdir
from ie_scaling.running.config import between, one_of, positive, seeded, within
from ie_scaling.running.diagnostic import Diagnostic, Kind
from ie_scaling.running.progress import Progress, say

if TYPE_CHECKING:
    import pandas as pd

    from ie_scaling.laws.evidence.cross_validation import Result
    from ie_scaling.laws.evidence.splits import Splits
    from ie_scaling.laws.law import Law
    from ie_scaling.laws.observations import Observations

SECONDS_A_FIT = 5


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Contest laws on run tables by how well they predict models, sizes, and token budgets, that they did not see.

    `tables` are run tables, `columns` a map from our column names to theirs (docs/run_table.md), `where` a row filter
    for all of them. `laws` are NAME, NAME:TIE or NAME:TIE:COUNT; a law without a count is contested under each of
    `counts`; one that a table lacks a column for is skipped there. Every number is in nats². `baseline` (one of the
    laws, in full) is what paired differences are taken from. By size the largest share `extrapolate` of the models is
    left out; by tokens the rows of most tokens, at most that share of them.
    """

    tables: tuple[str, ...] = ("data/bian2025.csv", "data/gemstones_cooldown.csv")
    columns: str | dict = ""
    where: str = ""
    laws: tuple[str, ...] = (
        "chinchilla",
        "aspect_ratio:alpha=beta=gamma",
        "aspect_ratio:alpha=beta",
        "aspect_ratio:free",
        "conditional",
        "width_depth",
        "effective",
        "effective_moving_N",
        "effective_moving_D",
        "effective_gqa",
        "coupled",
        "coupled_effective",
        "coupled_effective_moving_D",
        "conditional_published",
        "conditional_published_additive",
    )
    counts: tuple[str, ...] = COUNTS
    baseline: str = "aspect_ratio:free:total"
    n_folds: int = 5
    n_repeats: int = 10
    extrapolate: float = 0.25
    huber_delta: float = 1e-3
    n_starts: int = 64
    n_fold_starts: int = 8
    n_bootstrap: int = 4000
    allow_unfinished: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        fix_columns(self)
        require_some(self, "tables", "laws", "counts")
        one_of(self, "counts", COUNTS)
        within(self, 2, MOST_STARTS, "n_folds")
        between(self, 0, 1, "extrapolate")
        positive(self, "huber_delta")
        within(self, 1, MOST_STARTS, "n_repeats", "n_starts", "n_fold_starts")
        within(self, 1, MOST_RESAMPLES, "n_bootstrap")
        seeded(self)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tables:
    """The laws, and the rows of each table by path."""

    laws: list[Law]
    rows: dict[str, Observations]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Comparison:
    """A row for each law and table."""

    table: pd.DataFrame
    diagnostics: list[Diagnostic]


def inputs_of(config: Config) -> workdir.Inputs:
    """The run tables."""
    from ie_scaling.tables import run_source

    return run_source.inputs("tables", ",".join(config.tables))


def load(config: Config) -> Tables:
    """The laws and the tables, checked.

    Raises:
      InputError: a bad law or table, fewer models than folds, or a table that lacks what every law needs.
    """
    from ie_scaling.laws.evidence import cross_validation

    laws = cross_validation.laws_of(config.laws, config.counts, config.baseline)
    wheres = [config.where] * len(config.tables)
    tables = cross_validation.read_tables(config.tables, wheres, config.columns, laws, config.n_folds)
    return Tables(laws=laws, rows=dict(zip(config.tables, tables, strict=True)))


def resume(config: Config, loaded: Tables, directory: Path) -> Comparison:
    """Contest every law on every table that parts/ does not hold yet; comparison.csv and .md."""
    import pandas as pd

    from ie_scaling.laws import reading
    from ie_scaling.laws.evidence import law_table
    from ie_scaling.tables import cells

    tables = []
    with Progress("contest", len(loaded.laws) * len(loaded.rows), "fits") as progress:
        for path, rows in loaded.rows.items():
            name = Path(path).stem
            results = _contest(config, loaded.laws, name, rows, directory / "parts" / name, progress)
            tables.append(
                law_table.tabulate(
                    name, rows, results, baseline=config.baseline, n_bootstrap=config.n_bootstrap, seed=config.seed
                )
            )
    table = pd.concat(tables, ignore_index=True)
    cells.write_table(directory / "comparison.csv", table)
    files.write_text(directory / "comparison.md", law_table.to_markdown(table))
    diagnostics = [
        *reading.diagnose(loaded.rows.values()),
        *_not_by_tokens(config, loaded),
        *not_contested(table),
        *not_converged(table),
    ]
    return Comparison(table=table, diagnostics=diagnostics)


def _contest(
    config: Config, laws: list[Law], name: str, rows: Observations, folder: Path, progress: Progress
) -> list[Result]:
    """Every law on one table; those under `folder` are read."""
    from ie_scaling.laws.evidence import cross_validation
    from ie_scaling.laws.problem import pose

    splits = _split(config, rows)

    def evaluate(law: Law):
        result = cross_validation.evaluate(
            pose(law, rows),
            splits,
            huber_delta=config.huber_delta,
            n_starts=config.n_starts,
            n_fold_starts=config.n_fold_starts,
            seed=config.seed,
        )
        return cross_validation.to_plain(result)

    results = []
    for law in laws:
        text = cross_validation.name_of(law)
        if reason := cross_validation.lacks(law, rows):
            say(f"{name}: {text} is skipped: {reason}")
            results.append(cross_validation.skipped(law, rows, reason))
            progress.advance(note=f"{name} {text} skipped")
            continue
        path = folder / f"{text.replace(':', '-')}.json"
        plain = files.read_or_make(path, functools.partial(evaluate, law))
        results.append(cross_validation.from_plain(law, plain))
        progress.advance(note=f"{name} {text}")
    return results


def _split(config: Config, rows: Observations) -> Splits:
    from ie_scaling.laws.evidence import splits

    return splits.split(
        rows, n_folds=config.n_folds, n_repeats=config.n_repeats, extrapolate=config.extrapolate, seed=config.seed
    )


def _not_by_tokens(config: Config, loaded: Tables) -> list[Diagnostic]:
    """Each table on which there is no extrapolation by tokens, and why."""
    reasons = {Path(path).stem: _split(config, rows).without_tokens for path, rows in loaded.rows.items()}
    return [
        Diagnostic(Kind.TABLE, name, f"no extrapolation by tokens: {reason}")
        for name, reason in reasons.items()
        if reason
    ]


def not_contested(table: pd.DataFrame) -> list[Diagnostic]:
    """Each table with laws that it lacks columns for, by what it lacks."""
    from ie_scaling.laws.evidence import law_table
    from ie_scaling.laws.evidence.cross_validation import SKIPPED

    out = table[table["status"] == SKIPPED]
    lacking = out["reasons"].str.split(", law ").str[0].str.rsplit(": ", n=1).str[-1]
    return [
        Diagnostic(Kind.LAW, str(name), f"{reason}: not contested are {law_table.names(group)}")
        for (name, reason), group in out.groupby(["table", lacking], sort=False)
    ]


def not_converged(table: pd.DataFrame) -> list[Diagnostic]:
    """Each table whose best extrapolating fit did not converge."""
    fair = table[~table["sees_budget_minimum"] & table["mse_extrapolation"].notna()]
    best = fair.loc[fair.groupby("table")["mse_extrapolation"].idxmin()]
    return [
        Diagnostic(Kind.LEAST_SQUARES, str(row.table), f"the best extrapolating fit is {row.status} ({row.reasons})")
        for row in best.itertuples()
        if row.status != "converged"
    ]


def figures(result: Comparison, directory: Path) -> None:
    """Every law's errors with their intervals."""
    from ie_scaling.report import figures as draw
    from ie_scaling.report import law_figures

    draw.save(law_figures.law_contest(result.table), directory / "figures" / "contest.png")


def show(directory: Path) -> None:
    """The tables."""
    print(files.read_text(directory / "comparison.md"))


def estimate(config: Config, loaded: Tables) -> str:
    """Tables, laws and a rough time."""
    lines = [f"{path}: {len(rows)} rows of {len(rows.model_ids)} models" for path, rows in loaded.rows.items()]
    n_fits, n_laws = config.n_folds * config.n_repeats + 3, len(loaded.laws)
    lines.append(f"{n_laws} laws, {n_fits} fits each on each table")
    return "\n".join([*lines, f"about {SECONDS_A_FIT * n_laws * len(loaded.rows)} s on two CPU cores"])
