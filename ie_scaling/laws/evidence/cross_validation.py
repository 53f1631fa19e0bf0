"""Laws fitted to every split of a table by least squares, and their errors on the rows that are scored."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import numpy as np

from ie_scaling.errors import InputError
from ie_scaling.laws import forms, reading
from ie_scaling.laws.evidence.splits import Score, Splits
from ie_scaling.laws.law import Law
from ie_scaling.laws.least_squares import solver
from ie_scaling.laws.observations import Observations
from ie_scaling.laws.problem import Problem

MIN_MODELS = 4
SKIPPED = "skipped"  # the status of a law that a table has not the columns for


@dataclasses.dataclass(frozen=True, kw_only=True)
class Result:
    """One law on one table.

    `squared_error_R` holds nats² of each row by score, NaN where a row is not scored; `by_repeat` is the mean squared
    error of cross-validation under each assignment of models to folds. A law without the columns that it needs is
    `skipped`: no row is scored, and `reasons` names the column.
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
    """The rows of each table under its own filter, checked against the number of folds.

    Raises:
      InputError: a bad table, fewer models than folds, or one that lacks what every law needs.
    """
    tables = []
    for path, rows in zip(paths, reading.read_each(paths, wheres, columns), strict=True):
        if (n_models := len(rows.model_ids)) < max(n_folds, MIN_MODELS):
            raise InputError(f"{path}: has {n_models} models; {n_folds} folds need as many, and {MIN_MODELS}")
        lacking = [lacks(law, rows) for law in laws]
        if all(lacking):
            raise InputError(lacking[0])
        tables.append(reading.warn_of_few_models(rows))
    return tables


def lacks(law: Law, rows: Observations) -> str:
    """What a law needs and these rows lack, in one line; "" where they have it all."""
    try:
        rows.require(law.needs, law.name)
    except InputError as error:
        return str(error)
    return ""


def skipped(law: Law, rows: Observations, reason: str) -> Result:
    """The result of a law that is not fitted."""
    nothing_R = np.full(len(rows), np.nan)
    return Result(
        law=law,
        squared_error_R=dict.fromkeys(Score, nothing_R),
        by_repeat=np.array([]),
        objective=np.nan,
        status=SKIPPED,
        reasons=(reason,),
    )


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
    squared_WR = np.where(splits.scored_WR, (np.exp(log_loss_WR) - problem.rows.loss_R) ** 2, np.nan)
    n_folds = splits.n_repeats * splits.n_folds
    folds = squared_WR[:n_folds].reshape(splits.n_repeats, splits.n_folds, -1)
    squared_error_R = dict.fromkeys(Score, np.full(len(problem), np.nan))
    squared_error_R[Score.CROSS_VALIDATION] = np.nanmean(squared_WR[:n_folds], axis=0)
    squared_error_R |= dict(zip(splits.extrapolations, squared_WR[n_folds:], strict=True))
    return Result(
        law=problem.law,
        squared_error_R=squared_error_R,
        by_repeat=np.nanmean(folds, axis=(1, 2)),
        objective=fitted.objective,
        status=fitted.status,
        reasons=fitted.reasons,
    )


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
