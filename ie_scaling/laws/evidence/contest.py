"""The contest of ways to predict runs: Bayes, bootstrap, curve_fit, and the order at one small scale, on equal terms.

Every entry is fitted to the same rows and predicts the same held-out rows: the largest models, and each part of the
models in turn. The score of every row, pair and scale is recorded, so that scores can be averaged and paired later.
"""

import dataclasses
import enum
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from ie_scaling.inference import scoring
from ie_scaling.inference.config import NutsConfig
from ie_scaling.laws import bayes, forms
from ie_scaling.laws.bayes import stacking
from ie_scaling.laws.evidence import cross_validation, forecast
from ie_scaling.laws.evidence.decisions import Decisions, order_at_one_small_scale, regret
from ie_scaling.laws.evidence.forecast import Forecast
from ie_scaling.laws.law import Law
from ie_scaling.laws.least_squares import published, solver
from ie_scaling.laws.observations import Observations
from ie_scaling.laws.problem import pose
from ie_scaling.running.progress import Progress

LEVELS = (50, 90)
MIN_WEIGHT = 0.05  # a law of less in the stack does not flag it
N_CURVE_FIT_DRAWS = 2000
N_STARTS = 16  # of the least squares that a posterior starts from


class Approach(enum.StrEnum):
    """A way to predict runs."""

    BAYES = "bayes"
    STACKED = "bayes stacked"
    BOOTSTRAP = "bootstrap"
    CURVE_FIT = "curve_fit"
    SMALL_SCALE = "one small scale"
    AT_RANDOM = "at random"  # the yardstick of decisions; not fitted


@dataclasses.dataclass(frozen=True)
class Entry:
    """An approach, with its law where it fits one: NAME, NAME:TIE or NAME:TIE:COUNT."""

    approach: Approach
    law: str = ""

    def __str__(self) -> str:
        return f"{self.approach} {self.law}".strip()


class Way(enum.StrEnum):
    """What decides which models are held out."""

    SIZE = enum.auto()
    MODEL = enum.auto()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Split:
    """Which rows [R] are fitted; the others are held out."""

    name: str
    way: Way
    fitted_R: np.ndarray


@dataclasses.dataclass(frozen=True, kw_only=True)
class Table:
    """A run table with its splits."""

    name: str
    rows: Observations
    splits: list[Split]


Scores = dict[str, list[float]]  # by metric, of each row, pair or scale


class Part(TypedDict):
    """Every entry's scores on one split, JSON-ready; `loss` and `model` of each held-out row."""

    n_fitted: int
    n_models_fitted: int
    loss: list[float]
    model: list[str]
    pair_models: list[list[str]]
    random_regret: list[float]
    entries: dict[str, Scores]
    failures: dict[str, list[str]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Contest:
    """Who enters: a posterior and a bootstrap of each law, their stack, and laws fitted as published."""

    laws: tuple[str, ...]
    published: tuple[str, ...]
    n_bootstrap: int
    nuts: NutsConfig
    seed: int

    @property
    def entries(self) -> list[Entry]:
        """All of them, in the order of the tables of scores."""
        stacked = [Entry(Approach.STACKED)] if len(self.laws) > 1 else []
        return [
            *(Entry(Approach.BAYES, law) for law in self.laws),
            *stacked,
            *(Entry(Approach.BOOTSTRAP, law) for law in self.laws),
            *(Entry(Approach.CURVE_FIT, law) for law in self.published),
            Entry(Approach.SMALL_SCALE),
        ]


def read_tables(
    paths: Sequence[str],
    wheres: Sequence[str],
    columns: str | Mapping[str, Any],
    laws: Sequence[Law],
    *,
    n_folds: int,
    extrapolate: float,
    seed: int,
) -> list[Table]:
    """The tables, checked against every law, with their splits: one by size, one for each fold of the models.

    Raises:
      InputError: a bad table, fewer models than folds, or a feature that a law needs and a table lacks.
    """
    tables = []
    every = cross_validation.read_tables(paths, wheres, columns, laws, n_folds)
    for path, rows in zip(paths, every, strict=True):
        masks = cross_validation.split(rows, n_folds=n_folds, n_repeats=1, extrapolate=extrapolate, seed=seed)
        *folds, by_size = masks.fitted_WR
        splits = [Split(name=f"{Way.MODEL}{fold}", way=Way.MODEL, fitted_R=mask_R) for fold, mask_R in enumerate(folds)]
        by_size = Split(name=Way.SIZE, way=Way.SIZE, fitted_R=by_size)
        tables.append(Table(name=Path(path).stem, rows=rows, splits=[by_size, *splits]))
    return tables


def run(contest: Contest, fitted: Observations, held_out: Observations) -> Part:
    """Fit every entry to some rows and score its predictions of the others."""
    forecasts, failures = bayes_forecasts(contest, fitted, held_out)
    for law in contest.laws:
        entry = Entry(Approach.BOOTSTRAP, law)
        point = solver.fit(pose(forms.parse(law), fitted), seed=contest.seed)
        draws = bayes.bootstrap(point, contest.n_bootstrap, contest.seed)
        forecasts[entry] = forecast.of_posterior(draws, held_out, contest.seed)
        failures[entry] = list(draws.failures)
    for law in contest.published:
        entry = Entry(Approach.CURVE_FIT, law)
        point = published.fit(pose(forms.parse(law), fitted))
        forecasts[entry] = forecast.of_curve_fit(point, held_out, N_CURVE_FIT_DRAWS, contest.seed)
        failures[entry] = list(point.reasons)
    decisions = Decisions.among(held_out.loss_R, held_out.model_R, held_out.scale_R)
    scores = {str(entry): score(forecasts[entry], held_out, decisions) for entry in forecasts}
    order_R = order_at_one_small_scale(fitted, held_out)
    scores[Approach.SMALL_SCALE] = score_order(order_R, held_out, decisions)
    return {
        "n_fitted": len(fitted),
        "n_models_fitted": len(fitted.model_ids),
        "loss": held_out.loss_R.tolist(),
        "model": [held_out.model_ids[model] for model in held_out.model_R],
        "pair_models": [
            [held_out.model_ids[held_out.model_R[row]] for row in pair]
            for pair in zip(decisions.first_P, decisions.second_P, strict=True)
        ],
        "random_regret": [held_out.loss_R[rows].mean() - held_out.loss_R[rows].min() for rows in decisions.scales],
        "entries": scores,
        "failures": {str(entry): reasons for entry, reasons in failures.items()},
    }


def bayes_forecasts(
    contest: Contest, fitted: Observations, held_out: Observations
) -> tuple[dict[Entry, Forecast], dict[Entry, list[str]]]:
    """Forecasts of each law's posterior and of their stacked mixture, and the failures of their convergence gates."""
    nuts, seed = contest.nuts, contest.seed
    posteriors = {}
    for law in contest.laws:
        with Progress(f"sampling {law}", nuts.n_warmup + nuts.n_samples, "draws") as progress:
            problem = pose(forms.parse(law), fitted)
            posterior = bayes.fit(problem, nuts, seed, progress.advance, n_starts=N_STARTS)
        posteriors[Entry(Approach.BAYES, law)] = posterior
    forecasts = {entry: forecast.of_posterior(one, held_out, seed) for entry, one in posteriors.items()}
    failures = {entry: list(one.failures) for entry, one in posteriors.items()}
    if len(posteriors) > 1:
        weight_K = stacking.stack(list(posteriors.values()), seed).weight_K
        reasons_K = list(failures.values())
        stacked = Entry(Approach.STACKED)
        forecasts[stacked] = forecast.mix(list(forecasts.values()), weight_K)
        failures[stacked] = [
            reason
            for reasons, weight in zip(reasons_K, weight_K, strict=True)
            for reason in reasons
            if weight > MIN_WEIGHT
        ]
    return forecasts, failures


def score(predicted: Forecast, held_out: Observations, decisions: Decisions) -> Scores:
    """Log density, CRPS, squared error and coverage of each row; scores of the decisions by pair and scale."""
    loss_R, loss_WR = held_out.loss_R, predicted.loss_WR
    values = {"log_score": predicted.log_density_R, "crps": scoring.crps(loss_R, loss_WR)}
    values["prediction"] = np.median(loss_WR, axis=0)
    values["squared_error"] = (values["prediction"] - loss_R) ** 2
    for level in LEVELS:
        low_R, high_R = np.quantile(loss_WR, (0.5 - level / 200, 0.5 + level / 200), axis=0)
        values |= {f"coverage{level}": (low_R <= loss_R) & (loss_R <= high_R)}
        values |= {f"lo{level}": low_R, f"hi{level}": high_R}
    values |= _score_pairs(decisions.probabilities(loss_WR), decisions)
    values["regret"] = regret(decisions.scales, loss_WR.mean(axis=0), loss_R)
    return {name: np.asarray(array, float).tolist() for name, array in values.items()}


def score_order(stand_in_R: np.ndarray | None, held_out: Observations, decisions: Decisions) -> Scores:
    """The scores of decisions that follow an order alone; nothing where there is none."""
    if stand_in_R is None:
        return {}
    values = _score_pairs(decisions.probabilities(stand_in_R[None, :]), decisions)
    values["regret"] = regret(decisions.scales, stand_in_R, held_out.loss_R)
    return {name: array.tolist() for name, array in values.items()}


def _score_pairs(p_first_P: np.ndarray, decisions: Decisions) -> dict[str, np.ndarray]:
    """Whether each pair was decided right (a coin toss counts half), and the Brier score of the probability."""
    right_P = 0.5 + 0.5 * np.sign(p_first_P - 0.5) * np.sign(decisions.first_won_P - 0.5)
    return {"decision": right_P, "brier": (p_first_P - decisions.first_won_P) ** 2}
