"""Contest ways of predicting: Bayes, bootstrap, conformal, curve_fit and plain orders on runs that are held out."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import TYPE_CHECKING

from ie_scaling.inference.config import NutsConfig
from ie_scaling.laws.choices import MOST_RESAMPLES, MOST_STARTS, fix_columns, require_some
from ie_scaling.running import files, workdir
from ie_scaling.running.config import between, require, seeded, within
from ie_scaling.running.diagnostic import Diagnostic, Kind
from ie_scaling.running.progress import say

if TYPE_CHECKING:
    import pandas as pd

    from ie_scaling.laws.evidence.contest import Table
    from ie_scaling.laws.evidence.contest_scores import Parts
    from ie_scaling.laws.evidence.entries import Contest

SECONDS_A_POSTERIOR = 45


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Contest ways of predicting, on the same runs left out: by size, by tokens, and by model.

    `wheres` holds a row filter for each of `tables`, "" for none. `laws` (NAME, NAME:TIE or NAME:TIE:COUNT) are each
    fitted as a posterior, by bootstrapped least squares and with conformal errors, and stacked; `published` are fitted
    as scipy's curve_fit does. A law that a table lacks a column for is skipped there. By size the largest share
    `extrapolate` of the models is left out, by tokens the rows of most tokens, by model each of `n_folds` parts.
    """

    tables: tuple[str, ...] = (
        "data/bian2025.csv",
        "data/gemstones_cooldown.csv",
        "data/chinchilla.csv",
        "data/gadre2024_models.csv",
    )
    wheres: tuple[str, ...] = (
        "",
        "",
        "fit_set == 'besiroglu240'",
        "loss_split == 'c4_val' and notes.str.contains('train=rpj')",
    )
    columns: str | dict = ""
    laws: tuple[str, ...] = ("chinchilla", "aspect_ratio:free", "effective", "effective_moving_D")
    published: tuple[str, ...] = ("chinchilla:alpha=beta", "aspect_ratio")
    n_folds: int = 3
    extrapolate: float = 0.25
    n_bootstrap: int = 1000
    allow_unfinished: bool = False
    seed: int = 0
    nuts: NutsConfig = NutsConfig(n_warmup=500, n_samples=500, max_samples=2000, target_accept=0.95)

    def __post_init__(self) -> None:
        fix_columns(self)
        require_some(self, "tables", "laws")
        rule = f"must hold a row filter for each of the {len(self.tables)} tables"
        require(len(self.wheres) == len(self.tables), "wheres", self.wheres, rule)
        within(self, 2, MOST_STARTS, "n_folds")
        between(self, 0, 1, "extrapolate")
        within(self, 20, MOST_RESAMPLES, "n_bootstrap")
        seeded(self)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ContestScores:
    """A row for each table, way of leaving out, and entry; and for each pair of entries that are compared."""

    scores: pd.DataFrame
    differences: pd.DataFrame
    diagnostics: list[Diagnostic]


def inputs_of(config: Config) -> workdir.Inputs:
    """The run tables."""
    from ie_scaling.tables import run_source

    return run_source.inputs("tables", ",".join(config.tables))


def load(config: Config) -> list[Table]:
    """The tables, checked against the laws, and their splits.

    Raises:
      InputError: a bad table or law, fewer models than folds, or a table that lacks what every law needs.
    """
    from ie_scaling.laws import forms
    from ie_scaling.laws.evidence import contest
    from ie_scaling.laws.least_squares import published

    for text in config.published:
        published.check(forms.parse(text))
    return contest.read_tables(
        config.tables,
        config.wheres,
        config.columns,
        [*config.laws, *config.published],
        n_folds=config.n_folds,
        extrapolate=config.extrapolate,
        seed=config.seed,
    )


def resume(config: Config, loaded: list[Table], directory: Path) -> ContestScores:
    """Contest on every split that parts/ does not hold yet; contest.csv, differences.csv and contest.md."""
    from ie_scaling.laws import reading
    from ie_scaling.laws.evidence import contest_report, contest_scores
    from ie_scaling.tables import cells

    entrants = _contest(config)
    parts = _contest_all(entrants, loaded, directory / "parts")
    scores = contest_scores.tabulate(parts, entrants.entries)
    differences = contest_scores.compare(parts, entrants.entries)
    cells.write_table(directory / "contest.csv", scores)
    cells.write_table(directory / "differences.csv", differences)
    text = contest_report.to_markdown(scores, differences, entrants.entries)
    files.write_text(directory / "contest.md", text)
    diagnostics = [
        *reading.diagnose(table.rows for table in loaded),
        *not_contested(loaded),
        *undecided(scores),
        *failed_gates(scores),
    ]
    return ContestScores(scores=scores, differences=differences, diagnostics=diagnostics)


def _contest(config: Config) -> Contest:
    from ie_scaling.laws.evidence.entries import Contest

    return Contest(
        laws=tuple(dict.fromkeys(config.laws)),
        published=tuple(dict.fromkeys(config.published)),
        n_bootstrap=config.n_bootstrap,
        nuts=config.nuts,
        seed=config.seed,
        extrapolate=config.extrapolate,
    )


def _contest_all(entrants: Contest, tables: list[Table], folder: Path) -> Parts:
    """Every entry's scores on every split, by table and way of leaving out; splits under `folder` are read."""
    from ie_scaling.laws.evidence import contest
    from ie_scaling.laws.evidence.splits import Way

    parts = {table.name: {way: [] for way in Way} for table in tables}
    for table in tables:
        own = entrants.without(table.lacking)
        for split in table.splits:
            path = folder / table.name / f"{split.name}.json"
            fitted, held_out = table.rows.take(split.fitted_R), table.rows.take(split.held_out_R)
            if not path.exists():
                say(f"{table.name}, by {split.name}: {len(fitted)} rows fitted, {len(held_out)} held out")
            part = files.read_or_make(path, functools.partial(contest.run, own, fitted, held_out, split.way))
            parts[table.name][split.way].append(part)
    return parts


def not_contested(tables: list[Table]) -> list[Diagnostic]:
    """Laws that a table lacks a column for, and tables without extrapolation by tokens."""
    lacking = [
        Diagnostic(Kind.LAW, table.name, f"{law} not contested: {reason}")
        for table in tables
        for law, reason in table.lacking.items()
    ]
    return lacking + [
        Diagnostic(Kind.TABLE, table.name, f"no extrapolation by tokens: {table.without_tokens}")
        for table in tables
        if table.without_tokens
    ]


def undecided(scores: pd.DataFrame) -> list[Diagnostic]:
    """The tables and ways of leaving out that hold no two runs of one size and budget."""
    counts = scores.groupby(["table", "left_out"], sort=False)["n_pairs"].max()
    return [
        Diagnostic(Kind.TABLE, f"{table} by {way}", "no two models of one size and budget (or D/N): no decisions")
        for (table, way), n_pairs in counts.items()
        if not n_pairs
    ]


def failed_gates(scores: pd.DataFrame) -> list[Diagnostic]:
    """The tables and ways of leaving out of which a stacked posterior failed its gate."""
    from ie_scaling.laws.evidence.entries import Approach

    flagged = scores[(scores["entry"] == Approach.STACKED) & (scores["splits_flagged"] > 0)]
    return [
        Diagnostic(Kind.CONVERGENCE, f"{row.table} by {row.left_out}", "a stacked posterior failed its gate")
        for row in flagged.itertuples()
    ]


def figures(result: ContestScores, directory: Path) -> None:
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
