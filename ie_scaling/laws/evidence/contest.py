"""The contest of ways to predict runs: Bayes, bootstrap, conformal, curve_fit, and plain orders, on equal terms.

Every entry is fitted to the same rows and predicts the same held-out rows: the largest models, the rows of most tokens,
each part of the models in turn. The score of every row, pair and scale is recorded, to be averaged and paired later.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from ie_scaling.inference import scoring
from ie_scaling.laws import bayes, forms
from ie_scaling.laws.bayes import stacking
from ie_scaling.laws.evidence import conformal, cross_validation, decisions, forecast, splits
from ie_scaling.laws.evidence.decisions import Curve, Decisions, Order
from ie_scaling.laws.evidence.entries import ORDERS, STACKS, Approach, Contest, Entry
from ie_scaling.laws.evidence.forecast import Forecast
from ie_scaling.laws.evidence.splits import Way
from ie_scaling.laws.least_squares import published, solver
from ie_scaling.laws.observations import Observations
from ie_scaling.laws.problem import pose
from ie_scaling.running.progress import Progress

LEVELS = (50, 90)
MIN_WEIGHT = 0.05  # a law of less in the stack does not flag it
N_CURVE_FIT_DRAWS = 2000
N_STARTS = 16  # of the least squares that a posterior starts from


@dataclasses.dataclass(frozen=True, kw_only=True)
class Split:
    """Which rows [R] are fitted, and which are held out."""

    name: str
    way: Way
    fitted_R: np.ndarray
    held_out_R: np.ndarray


@dataclasses.dataclass(frozen=True, kw_only=True)
class Table:
    """A run table with its splits. `lacking` says of laws that cannot be fitted to it what they lack."""

    name: str
    rows: Observations
    splits: list[Split]
    lacking: dict[str, str]
    without_tokens: str = ""  # why there is no split by tokens


Scores = dict[str, list[float]]  # by metric, of each row, pair or scale


class Part(TypedDict):
    """Every entry's scores on one split, JSON-ready; `loss` and `model` of each held-out row."""

    n_fitted: int
    n_models_fitted: int
    loss: list[float]
    model: list[str]
    pair_models: list[list[str]]
    scale_models: list[list[str]]
    random_regret: list[float]
    entries: dict[str, Scores]
    failures: dict[str, list[str]]


def read_tables(
    paths: Sequence[str],
    wheres: Sequence[str],
    columns: str | Mapping[str, Any],
    laws: Sequence[str],
    *,
    n_folds: int,
    extrapolate: float,
    seed: int,
) -> list[Table]:
    """The tables with their splits: one by size, one by tokens where they can be extrapolated, one for each fold.

    Raises:
      InputError: a bad table or law, fewer models than folds, or a table that lacks what every law needs.
    """
    tables = []
    parsed = {text: forms.parse(text) for text in laws}
    every = cross_validation.read_tables(paths, wheres, columns, list(parsed.values()), n_folds)
    for path, rows in zip(paths, every, strict=True):
        masks = splits.split(rows, n_folds=n_folds, n_repeats=1, extrapolate=extrapolate, seed=seed)
        ways = [(f"{Way.MODEL}{fold}", Way.MODEL) for fold in range(n_folds)] + [(Way.SIZE, Way.SIZE)]
        ways += [(Way.TOKENS, Way.TOKENS)] * (len(masks.extrapolations) - 1)
        drawn = [
            Split(name=str(name), way=way, fitted_R=fitted_R, held_out_R=scored_R)
            for (name, way), fitted_R, scored_R in zip(ways, masks.fitted_WR, masks.scored_WR, strict=True)
        ]
        lacking = {text: cross_validation.lacks(law, rows) for text, law in parsed.items()}
        tables.append(
            Table(
                name=Path(path).stem,
                rows=rows,
                splits=[*drawn[n_folds:], *drawn[:n_folds]],
                lacking={text: reason for text, reason in lacking.items() if reason},
                without_tokens=masks.without_tokens,
            )
        )
    return tables


Fitted = tuple[dict[Entry, Forecast], dict[Entry, list[str]]]  # forecasts and failures


def run(contest: Contest, fitted: Observations, held_out: Observations, way: Way = Way.SIZE) -> Part:
    """Fit every entry to some rows and score its predictions of the others, which `way` held out."""
    forecasts, failures, weight_K = bayes_forecasts(contest, fitted, held_out)
    for more, reasons in (
        _least_squares_forecasts(contest, fitted, held_out, way),
        _published_forecasts(contest, fitted, held_out),
    ):
        forecasts |= more
        failures |= reasons
    for approach, stack in STACKS.items():
        entries = [Entry(approach, law) for law in contest.laws]
        if len(entries) > 1 and approach is not Approach.BAYES:
            forecasts[Entry(stack)] = forecast.mix([forecasts[entry] for entry in entries], weight_K)
            failures[Entry(stack)] = _failures_of_stack([failures[entry] for entry in entries], weight_K)
    choices = Decisions.among(held_out.loss_R, held_out.model_R, held_out.scale_R)
    scores = {str(entry): score(forecasts[entry], held_out, choices) for entry in contest.entries if entry in forecasts}
    for entry in ORDERS:
        if entry.approach is Approach.SMALL_SCALE:
            order = decisions.order_at_one_small_scale(fitted, held_out, Curve(entry.law))
        else:
            order = decisions.order_by_parameters(fitted, held_out)
        scores[str(entry)] = score_order(order, held_out, choices)
    model_of = [held_out.model_ids[model] for model in held_out.model_R]
    return {
        "n_fitted": len(fitted),
        "n_models_fitted": len(fitted.model_ids),
        "loss": held_out.loss_R.tolist(),
        "model": model_of,
        "pair_models": [
            [model_of[row] for row in pair] for pair in zip(choices.first_P, choices.second_P, strict=True)
        ],
        "scale_models": [sorted({model_of[row] for row in rows}) for rows in choices.scales],
        "random_regret": [held_out.loss_R[rows].mean() - held_out.loss_R[rows].min() for rows in choices.scales],
        "entries": scores,
        "failures": {str(entry): reasons for entry, reasons in failures.items()},
    }


def bayes_forecasts(
    contest: Contest, fitted: Observations, held_out: Observations
) -> tuple[dict[Entry, Forecast], dict[Entry, list[str]], np.ndarray]:
    """Forecasts of each law's posterior and of their stacked mixture, failures of their gates, and the weights."""
    nuts, seed = contest.nuts, contest.seed
    posteriors = {}
    for law in contest.laws:
        with Progress(f"sampling {law}", nuts.n_warmup + nuts.n_samples, "draws") as progress:
            problem = pose(forms.parse(law), fitted)
            posterior = bayes.fit(problem, nuts, seed, progress.advance, n_starts=N_STARTS)
        posteriors[Entry(Approach.BAYES, law)] = posterior
    forecasts = {entry: forecast.of_posterior(one, held_out, seed) for entry, one in posteriors.items()}
    failures = {entry: list(one.failures) for entry, one in posteriors.items()}
    weight_K = np.ones(len(posteriors))
    if len(posteriors) > 1:
        weight_K = stacking.stack(list(posteriors.values()), seed).weight_K
        stacked = Entry(Approach.STACKED)
        failures[stacked] = _failures_of_stack(list(failures.values()), weight_K)
        forecasts[stacked] = forecast.mix(list(forecasts.values()), weight_K)
    return forecasts, failures, weight_K


def _failures_of_stack(reasons_K: Sequence[list[str]], weight_K: np.ndarray) -> list[str]:
    """The failures of the entries that weigh in a stack."""
    weighty = zip(reasons_K, weight_K, strict=True)
    return [reason for reasons, weight in weighty for reason in reasons if weight > MIN_WEIGHT]


def _least_squares_forecasts(contest: Contest, fitted: Observations, held_out: Observations, way: Way) -> Fitted:
    """Each law by least squares, with a bootstrap over models, and with conformal errors."""
    forecasts, failures = {}, {}
    for law in contest.laws:
        point = solver.fit(pose(forms.parse(law), fitted), seed=contest.seed)
        draws = bayes.bootstrap(point, contest.n_bootstrap, contest.seed)
        entry = Entry(Approach.BOOTSTRAP, law)
        forecasts[entry] = forecast.of_posterior(draws, held_out, contest.seed)
        failures[entry] = list(draws.failures)
        entry = Entry(Approach.CONFORMAL, law)
        error_C = conformal.errors(point, way, contest.extrapolate, contest.seed)
        forecasts[entry] = conformal.forecast(point, error_C, held_out, LEVELS, contest.n_bootstrap, contest.seed)
        few = [f"{len(error_C)} errors are too few for a 90 % interval"]
        failures[entry] = [] if conformal.is_enough(error_C, max(LEVELS)) else few
    return forecasts, failures


def _published_forecasts(contest: Contest, fitted: Observations, held_out: Observations) -> Fitted:
    """Laws as scipy's curve_fit fits them."""
    forecasts, failures = {}, {}
    for law in contest.published:
        entry = Entry(Approach.CURVE_FIT, law)
        point = published.fit(pose(forms.parse(law), fitted))
        forecasts[entry] = forecast.of_curve_fit(point, held_out, N_CURVE_FIT_DRAWS, contest.seed)
        failures[entry] = list(point.reasons)
    return forecasts, failures


def score(predicted: Forecast, held_out: Observations, choices: Decisions) -> Scores:
    """Log density, CRPS, interval score, squared error and coverage of each row; scores of decisions by pair, scale."""
    loss_R, loss_WR = held_out.loss_R, predicted.loss_WR
    values = {"crps": scoring.crps(loss_R, loss_WR)}
    if predicted.log_density_R is not None:
        values["log_score"] = predicted.log_density_R
    values["prediction"] = np.median(loss_WR, axis=0)
    values["squared_error"] = (values["prediction"] - loss_R) ** 2
    for level in LEVELS:
        low_R, high_R = predicted.interval(level)
        values |= {f"coverage{level}": (low_R <= loss_R) & (loss_R <= high_R)}
        values |= {f"lo{level}": low_R, f"hi{level}": high_R}
    values["interval_score"] = scoring.interval_score(loss_R, values["lo90"], values["hi90"])
    p_first_P = choices.probabilities(loss_WR)
    values |= {"decision": decisions.right(p_first_P, choices), "brier": (p_first_P - choices.first_won_P) ** 2}
    values["regret"] = decisions.regret(choices.scales, loss_WR.mean(axis=0), loss_R)
    return {name: np.asarray(array, float).tolist() for name, array in values.items()}


def score_order(order: Order | None, held_out: Observations, choices: Decisions) -> Scores:
    """The scores of decisions that follow an order alone; nothing where there is none."""
    if order is None:
        return {}
    first_P = choices.probabilities(order.stand_in_R[None, :])
    sure_P = 0.5 + (first_P - 0.5) * 2 * (order.p_right - 0.5)
    values = {"decision": decisions.right(first_P, choices), "brier": (sure_P - choices.first_won_P) ** 2}
    values["regret"] = decisions.regret(choices.scales, order.stand_in_R, held_out.loss_R)
    return {name: array.tolist() for name, array in values.items()}
