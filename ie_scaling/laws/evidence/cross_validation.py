"""Which law predicts best: cross-validation by model and extrapolation by size, of any laws on any run table."""

import dataclasses
import enum
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import numpy as np
import pandas as pd

from ie_scaling.errors import InputError
from ie_scaling.laws import forms, reading
from ie_scaling.laws.law import Law
from ie_scaling.laws.least_squares import solver
from ie_scaling.laws.observations import Observations
from ie_scaling.laws.problem import Problem
from ie_scaling.running import markdown

MIN_MODELS = 4


class Score(enum.StrEnum):
    """A mean squared error of held-out rows: of models left out in folds, or of the largest models."""

    CROSS_VALIDATION = enum.auto()
    EXTRAPOLATION = enum.auto()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Splits:
    """Masks of the rows that are fitted, [W, R]: `n_repeats` × `n_folds` by model, then one by size."""

    n_repeats: int
    n_folds: int
    fitted_WR: np.ndarray


@dataclasses.dataclass(frozen=True, kw_only=True)
class Result:
    """One law on one table.

    `squared_error_R` holds nats² of each row by score, NaN where a row is not scored; `by_repeat` is the mean squared
    error of cross-validation under each assignment of models to folds.
    """

    law: Law
    squared_error_R: dict[Score, np.ndarray]
    by_repeat: np.ndarray
    objective: float
    status: str
    reasons: tuple[str, ...]


class SavedResult(TypedDict):
    """A `Result` as JSON, but for its law, which names the file; errors are null where a row is not scored."""

    squared_error_R: dict[str, list[float | None]]
    reasons: list[str]
    by_repeat: list[float]
    objective: float
    status: str


def name_of(law: Law) -> str:
    """NAME:TIE:COUNT."""
    return f"{law.name}:{law.tie}:{law.count}"


def laws_of(texts: Sequence[str], counts: Sequence[str], baseline: str) -> list[Law]:
    """The laws that `texts` name (NAME, NAME:TIE or NAME:TIE:COUNT), each once; without a count, under every count.

    Raises:
      InputError: an unknown law, tie or count, or a baseline that is not among them.
    """
    laws: dict[Law, None] = {}
    for text in texts:
        law = forms.parse(text)
        named = [law.count] if text.count(":") == 2 or law.needs_no_count else counts
        for count in named:
            laws[dataclasses.replace(law, count=count)] = None
    names = [name_of(law) for law in laws]
    if baseline not in names:
        raise InputError(f"baseline={baseline!r}: must be one of {', '.join(names)}")
    return list(laws)


def read_tables(
    paths: Sequence[str], wheres: Sequence[str], columns: str | Mapping[str, Any], laws: Sequence[Law], n_folds: int
) -> list[Observations]:
    """The rows of each table under its own filter, checked against every law and against the number of folds.

    Raises:
      InputError: a bad table, fewer models than folds, or a feature that a law needs and a table lacks.
    """
    tables = []
    for path, rows in zip(paths, reading.read_each(paths, wheres, columns), strict=True):
        if (n_models := len(rows.model_ids)) < max(n_folds, MIN_MODELS):
            raise InputError(f"{path}: has {n_models} models; {n_folds} folds need as many, and {MIN_MODELS}")
        for law in laws:
            rows.require(law.needs, law.name)
        tables.append(reading.warn_of_few_models(rows))
    return tables


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
            for score in Score:
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


def split(rows: Observations, *, n_folds: int, n_repeats: int, extrapolate: float, seed: int) -> Splits:
    """Random folds over models, and all but the largest share `extrapolate` of the models."""
    n_models = len(rows.model_ids)
    rng = np.random.default_rng(seed)
    fitted = []
    for _ in range(n_repeats):
        fold_M = np.arange(n_models) % n_folds
        fold_M = fold_M[rng.permutation(n_models)]
        fitted += [(fold_M != fold)[rows.model_R] for fold in range(n_folds)]
    fitted_WR = np.array([*fitted, ~largest_models(rows, extrapolate)])
    return Splits(n_repeats=n_repeats, n_folds=n_folds, fitted_WR=fitted_WR)


def largest_models(rows: Observations, share: float) -> np.ndarray:
    """Mask [R] of the rows of the largest share of the models in N_non (N_total where unknown), one model at least."""
    n_models, x = len(rows.model_ids), rows.features
    size_M = np.zeros(n_models)
    np.maximum.at(size_M, rows.model_R, x.n_known if np.isnan(x.n_non_embedding).any() else x.n_non_embedding)
    n_largest = max(1, int(np.floor(n_models * share)))
    largest_M = np.zeros(n_models, bool)
    largest_M[np.argsort(size_M, kind="stable")[-n_largest:]] = True
    return largest_M[rows.model_R]


def evaluate(
    problem: Problem,
    splits: Splits,
    *,
    huber_delta: float,
    n_starts: int,
    n_fold_starts: int,
    seed: int,
) -> Result:
    """Fit a law to all rows and to every split, and score the rows left out."""
    fitted = solver.fit(problem, huber_delta=huber_delta, n_starts=n_starts, seed=seed)
    z_WP = solver.fit_subsets(fitted, splits.fitted_WR, n_starts=n_fold_starts, seed=seed)
    log_loss_WR = solver.predict_many(problem, z_WP)
    squared_WR = np.where(splits.fitted_WR, np.nan, (np.exp(log_loss_WR) - problem.rows.loss_R) ** 2)
    folds = squared_WR[:-1].reshape(splits.n_repeats, splits.n_folds, -1)
    return Result(
        law=problem.law,
        squared_error_R={
            Score.CROSS_VALIDATION: np.nanmean(squared_WR[:-1], axis=0),
            Score.EXTRAPOLATION: squared_WR[-1],
        },
        by_repeat=np.nanmean(folds, axis=(1, 2)),
        objective=fitted.objective,
        status=fitted.status,
        reasons=fitted.reasons,
    )


def tabulate(
    name: str, table: Observations, results: Sequence[Result], *, baseline: str, n_bootstrap: int, seed: int
) -> pd.DataFrame:
    """A row for each law: its mean squared errors with 90 % intervals, and its paired difference from the baseline.

    Intervals are of a bootstrap over models of the errors as they stand (the laws are not refitted), the same models
    for every law, so that differences are paired. P(best) is among the laws that have not seen the smallest loss at
    the budget that they predict.
    """
    mean_KW = {score: _bootstrap_means(table, results, score, n_bootstrap, seed) for score in Score}
    sees_K = np.array(["loss_optimal" in result.law.needs for result in results])
    best_W = {score: np.where(sees_K[:, None], np.inf, mean_KW[score]).argmin(axis=0) for score in Score}
    reference = next(index for index, result in enumerate(results) if name_of(result.law) == baseline)
    rows = []
    for index, result in enumerate(results):
        row: dict[str, Any] = {
            "table": name,
            "law": result.law.name,
            "tie": result.law.tie,
            "count": result.law.count,
            "n_parameters": len(result.law.names),
            "n_rows": len(table),
            "n_models": len(table.model_ids),
        }
        for score in Score:
            mean_W = mean_KW[score]
            row |= _describe(score, result, mean_W[index], results[reference], mean_W[reference])
            row[f"p_best_{score}"] = np.nan if sees_K[index] else float(np.mean(best_W[score] == index))
        row["fold_sd_cross_validation"] = float(result.by_repeat.std(ddof=1)) if len(result.by_repeat) > 1 else np.nan
        row |= {"objective": result.objective, "status": result.status, "reasons": "; ".join(result.reasons)}
        row["sees_budget_minimum"] = bool(sees_K[index])
        rows.append(row)
    return pd.DataFrame(rows)


def _describe(
    score: Score, result: Result, mean_W: np.ndarray, baseline: Result, baseline_W: np.ndarray
) -> dict[str, float]:
    """A law's mean squared error and its difference from the baseline's, each with its 90 % interval."""
    mse, other = (float(np.nanmean(one.squared_error_R[score])) for one in (result, baseline))
    described = {}
    for name, value, draws_W in (("mse", mse, mean_W), ("difference", mse - other, mean_W - baseline_W)):
        low, high = np.quantile(draws_W, (0.05, 0.95))
        described |= {f"{name}_{score}": value, f"{name}_{score}_lo90": low, f"{name}_{score}_hi90": high}
    return described


def to_plain(result: Result) -> SavedResult:
    """A result, JSON-ready."""
    errors = result.squared_error_R.items()
    return {
        "squared_error_R": {str(score): [None if np.isnan(v) else v for v in row] for score, row in errors},
        "reasons": list(result.reasons),
        "by_repeat": result.by_repeat.tolist(),
        "objective": result.objective,
        "status": result.status,
    }


def from_plain(law: Law, fields: SavedResult) -> Result:
    """The result that `to_plain` made JSON of."""
    errors = {Score(score): np.array(values, np.float64) for score, values in fields["squared_error_R"].items()}
    return Result(
        law=law,
        squared_error_R=errors,
        by_repeat=np.array(fields["by_repeat"]),
        objective=fields["objective"],
        status=fields["status"],
        reasons=tuple(fields["reasons"]),
    )


def _bootstrap_means(
    table: Observations, results: Sequence[Result], score: Score, n_bootstrap: int, seed: int
) -> np.ndarray:
    """Mean squared errors [K, W] of K laws over W draws of models with replacement, of those that the score is of."""
    scored_R = ~np.isnan(results[0].squared_error_R[score])
    model_R = np.unique(table.model_R[scored_R], return_inverse=True)[1]
    n_models = int(model_R.max()) + 1
    rng = np.random.default_rng(seed)
    counts_WM = rng.multinomial(n_models, np.full(n_models, 1 / n_models), size=n_bootstrap)
    n_M = np.bincount(model_R, minlength=n_models)
    sums_KM = np.array([np.bincount(model_R, result.squared_error_R[score][scored_R], n_models) for result in results])
    return (sums_KM @ counts_WM.T) / (counts_WM @ n_M)
