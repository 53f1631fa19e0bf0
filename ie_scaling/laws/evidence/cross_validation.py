"""Which law predicts best: cross-validation by model and extrapolation by size, of any laws on any run table."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ie_scaling.laws import forms, reading
from ie_scaling.laws.config import CompareLawsConfig
from ie_scaling.laws.law import Law
from ie_scaling.laws.least_squares import solver
from ie_scaling.laws.observations import Observations
from ie_scaling.laws.problem import pose
from ie_scaling.running import files, markdown
from ie_scaling.running.progress import Progress
from ie_scaling.tables import cells

SCORES = ("cross_validation", "extrapolation")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Splits:
    """Masks of the rows that are fitted, [W, R]: `n_repeats` × `n_folds` by model, then one by size."""

    kept_WR: np.ndarray


@dataclasses.dataclass(frozen=True, kw_only=True)
class Result:
    """One law on one table.

    `squared_error_R` holds nats² of each row by score, NaN where a row is not scored; `by_repeat` is the mean squared
    error of cross-validation under each assignment of models to folds.
    """

    law: Law
    squared_error_R: dict[str, np.ndarray]
    by_repeat: np.ndarray
    objective: float
    status: str
    reasons: tuple[str, ...]

    @property
    def name(self) -> str:
        """NAME:TIE:COUNT."""
        return _name(self.law)


def _name(law: Law) -> str:
    return f"{law.name}:{law.tie}:{law.count}"


def laws_of(config: CompareLawsConfig) -> list[Law]:
    """The laws of the configuration under each of its counts, each once.

    Raises:
      ValueError: an unknown law, tie or count, or a baseline that is not among them.
    """
    chosen: dict[Law, None] = {}
    for text in config.laws:
        law = forms.parse(text)
        counts = [law.count] if text.count(":") == 2 or law.needs_no_count else config.counts
        for count in counts:
            chosen[dataclasses.replace(law, count=count)] = None
    names = [_name(law) for law in chosen]
    if config.baseline not in names:
        raise ValueError(f"baseline={config.baseline!r}: must be one of {', '.join(names)}")
    return list(chosen)


def load(config: CompareLawsConfig) -> dict[str, Observations]:
    """The tables by path, checked against every law.

    Raises:
      ValueError: a bad table, fewer models than folds, or a feature that a law needs and a table lacks.
    """
    tables = {}
    every = reading.read_each(config.tables, [config.where] * len(config.tables), config.columns)
    for path, rows in zip(config.tables, every, strict=True):
        if len(rows.model_ids) < max(config.n_folds, 4):
            raise ValueError(f"{path}: has {len(rows.model_ids)} models; {config.n_folds} folds need as many, and 4")
        for law in laws_of(config):
            rows.require(law.needs, law.name)
        tables[path] = reading.warn_of_few_models(rows)
    return tables


def run(config: CompareLawsConfig, observed: dict[str, Observations], directory: Path) -> pd.DataFrame:
    """Every law on every table, and comparison.csv and .md; a contest already in `directory` is read, not rerun."""
    laws, tables = laws_of(config), []
    with Progress("contest", len(laws) * len(observed), "fits") as progress:
        for path, rows in observed.items():
            splits, results = split(rows, config), []
            for law in laws:
                part = directory / "parts" / Path(path).stem / f"{_name(law).replace(':', '-')}.json"
                if not part.exists():
                    _save(contest(law, rows, splits, config), part)
                results.append(_load(law, part))
                progress.advance(note=f"{Path(path).stem} {results[-1].name}")
            tables.append(tabulate(Path(path).stem, rows, results, config))
    table = pd.concat(tables, ignore_index=True)
    cells.write_table(directory / "comparison.csv", table)
    files.write_text(directory / "comparison.md", to_markdown(table))
    return table


def to_markdown(table: pd.DataFrame) -> str:
    """For each table its laws, best extrapolation first: mean squared errors in 1e-4 nats² with 90 % intervals."""
    text = (
        "Mean squared error in 1e-4 nats² on models (cross-validation) and sizes (extrapolation) left out, with 90 %\n"
    )
    text += "intervals over models. P(best) is the share of resamples of the models in which the law has the least.\n"
    header = ("law", "tie", "N", "parameters", "cross-validation", "P(best)", "extrapolation", "P(best)", "status")
    for name, group in table.groupby("table", sort=False):
        lines = []
        for row in group.sort_values("mse_extrapolation").to_dict("records"):
            cells = [row["law"] + "†" * row["sees_budget_minimum"], row["tie"], row["count"], row["n_parameters"]]
            for score in SCORES:
                low, middle, high = (1e4 * row[f"mse_{score}{tail}"] for tail in ("_lo90", "", "_hi90"))
                cells += [
                    f"{middle:.3g} ({low:.3g} to {high:.3g})",
                    "–" if row["sees_budget_minimum"] else f"{row[f'p_best_{score}']:.2f}",
                ]
            lines.append([*cells, row["status"]])
        counts = f"{group['n_rows'].iloc[0]} rows of {group['n_models'].iloc[0]} models"
        text += f"\n**{name}**, {counts}\n\n{markdown.table(header, lines)}"
    if table["sees_budget_minimum"].any():
        text += "\n† reads the smallest loss observed at the very budget that it predicts: out of the contest.\n"
    return text


def split(observations: Observations, config: CompareLawsConfig) -> Splits:
    """Folds over models, and the rows of all but the largest share of models in N_non (N_total where unknown)."""
    n_models = len(observations.model_ids)
    rng = np.random.default_rng(config.seed)
    kept = []
    for _ in range(config.n_repeats):
        fold_M = np.arange(n_models) % config.n_folds
        fold_M = fold_M[rng.permutation(n_models)]
        kept += [(fold_M != fold)[observations.model_R] for fold in range(config.n_folds)]
    x = observations.features
    size_M = np.zeros(n_models)
    np.maximum.at(size_M, observations.model_R, x.n_known if np.isnan(x.n_non_embedding).any() else x.n_non_embedding)
    n_held = max(1, int(np.floor(n_models * config.extrapolate)))
    largest_M = np.zeros(n_models, bool)
    largest_M[np.argsort(size_M, kind="stable")[-n_held:]] = True
    return Splits(kept_WR=np.array([*kept, ~largest_M[observations.model_R]]))


def contest(law: Law, observations: Observations, splits: Splits, config: CompareLawsConfig) -> Result:
    """Fit one law to all rows and to every split, and score the rows left out."""
    fitted = solver.fit(
        pose(law, observations), huber_delta=config.huber_delta, n_starts=config.n_starts, seed=config.seed
    )
    z_WP = solver.fit_subsets(fitted, splits.kept_WR, n_starts=config.n_fold_starts, seed=config.seed)
    log_loss_WR = solver.predict_many(law, z_WP, observations.features, fitted.reference)
    squared_WR = np.where(splits.kept_WR, np.nan, (np.exp(log_loss_WR) - observations.loss_R) ** 2)
    folds = squared_WR[:-1].reshape(config.n_repeats, config.n_folds, -1)
    return Result(
        law=law,
        squared_error_R={"cross_validation": np.nanmean(squared_WR[:-1], axis=0), "extrapolation": squared_WR[-1]},
        by_repeat=np.nanmean(folds, axis=(1, 2)),
        objective=fitted.objective,
        status=fitted.status,
        reasons=fitted.reasons,
    )


def tabulate(
    name: str, observations: Observations, results: Sequence[Result], config: CompareLawsConfig
) -> pd.DataFrame:
    """A row a law: its mean squared errors with 90 % intervals, and its paired difference from the baseline.

    Intervals are of a bootstrap over models of the errors as they stand (the laws are not refitted), the same models
    for every law, so that differences are paired. P(best) is among the laws that have not seen the smallest loss at
    the budget that they predict.
    """
    means = {score: _bootstrap_means(observations, results, score, config) for score in SCORES}
    sees = np.array(["loss_optimal" in result.law.needs for result in results])
    winners = {score: np.where(sees[:, None], np.inf, means[score]).argmin(axis=0) for score in SCORES}
    baseline = next(index for index, result in enumerate(results) if result.name == config.baseline)
    rows = []
    for index, result in enumerate(results):
        row: dict[str, Any] = {
            "table": name,
            "law": result.law.name,
            "tie": result.law.tie,
            "count": result.law.count,
            "n_parameters": len(result.law.names),
            "n_rows": len(observations),
            "n_models": len(observations.model_ids),
        }
        for score in SCORES:
            row[f"mse_{score}"] = float(np.nanmean(result.squared_error_R[score]))
            low, high = np.quantile(means[score][index], (0.05, 0.95))
            row |= {f"mse_{score}_lo90": low, f"mse_{score}_hi90": high}
            difference_W = means[score][index] - means[score][baseline]
            row[f"difference_{score}"] = row[f"mse_{score}"] - float(
                np.nanmean(results[baseline].squared_error_R[score])
            )
            low, high = np.quantile(difference_W, (0.05, 0.95))
            row |= {f"difference_{score}_lo90": low, f"difference_{score}_hi90": high}
            row[f"p_best_{score}"] = np.nan if sees[index] else float(np.mean(winners[score] == index))
        row["fold_sd_cross_validation"] = float(result.by_repeat.std(ddof=1)) if len(result.by_repeat) > 1 else np.nan
        row |= {"objective": result.objective, "status": result.status, "reasons": "; ".join(result.reasons)}
        row["sees_budget_minimum"] = bool(sees[index])
        rows.append(row)
    return pd.DataFrame(rows)


def _save(result: Result, path: Path) -> None:
    values = {score: [None if np.isnan(v) else v for v in row] for score, row in result.squared_error_R.items()}
    fields = {"by_repeat": result.by_repeat.tolist(), "objective": result.objective, "status": result.status}
    files.write_json(path, {"squared_error_R": values, "reasons": result.reasons} | fields)


def _load(law: Law, path: Path) -> Result:
    fields = files.read_json(path)
    errors = {score: np.array(values, np.float64) for score, values in fields["squared_error_R"].items()}
    return Result(
        law=law,
        squared_error_R=errors,
        by_repeat=np.array(fields["by_repeat"]),
        objective=fields["objective"],
        status=fields["status"],
        reasons=tuple(fields["reasons"]),
    )


def _bootstrap_means(
    observations: Observations, results: Sequence[Result], score: str, config: CompareLawsConfig
) -> np.ndarray:
    """Mean squared error [law, draw] over models drawn with replacement among those that the score scores."""
    scored_R = ~np.isnan(results[0].squared_error_R[score])
    model_R = np.unique(observations.model_R[scored_R], return_inverse=True)[1]
    n_models = int(model_R.max()) + 1
    rng = np.random.default_rng(config.seed)
    counts_WM = rng.multinomial(n_models, np.full(n_models, 1 / n_models), size=config.n_bootstrap)
    n_M = np.bincount(model_R, minlength=n_models)
    sums_KM = np.array([np.bincount(model_R, result.squared_error_R[score][scored_R], n_models) for result in results])
    return (sums_KM @ counts_WM.T) / (counts_WM @ n_M)
