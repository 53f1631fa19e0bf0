"""The contest of ways to predict runs: Bayes, bootstrap, curve_fit, and the order at one small scale, on equal terms.

Every entry is fitted to the same rows and asked about the same rows left out: the largest models, and each part of the
models. What it said of each row, pair and scale is kept, so that the scores can be averaged and paired later.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ie_scaling.inference import scoring
from ie_scaling.laws import bayes, forms, reading
from ie_scaling.laws.bayes import assemble, stacking
from ie_scaling.laws.config import CompareConfig, CompareLawsConfig
from ie_scaling.laws.evidence import cross_validation, forecast
from ie_scaling.laws.evidence.decisions import Decisions, order_at_one_small_scale, regret
from ie_scaling.laws.evidence.forecast import Forecast
from ie_scaling.laws.law import Law
from ie_scaling.laws.least_squares import published, solver
from ie_scaling.laws.observations import Observations
from ie_scaling.laws.problem import pose
from ie_scaling.running import files
from ie_scaling.running.progress import Progress, say

STACKED = "bayes stacked"
SMALL_SCALE = "one small scale"
LEVELS = (50, 90)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Table:
    """A run table with its splits: masks of the rows that are fitted, by name."""

    name: str
    rows: Observations
    kept_R: dict[str, np.ndarray]


def laws_of(texts: Sequence[str]) -> dict[str, Law]:
    """The laws by the text that names them.

    Raises:
      ValueError: an unknown law, tie or count.
    """
    return {text: forms.parse(text) for text in texts}


def load(config: CompareConfig) -> list[Table]:
    """The tables, checked against every law, and their splits.

    Raises:
      ValueError: a bad table or law, fewer models than folds, or a feature that a law needs and a table lacks.
    """
    laws = laws_of(config.laws) | laws_of(config.published)
    for text in config.published:
        published.check(laws[text])
    tables = []
    every = reading.read_each(config.tables, config.wheres, config.columns)
    for path, rows in zip(config.tables, every, strict=True):
        if len(rows.model_ids) < max(config.n_folds, 4):
            raise ValueError(f"{path}: has {len(rows.model_ids)} models; {config.n_folds} folds need as many, and 4")
        for law in laws.values():
            rows.require(law.needs, law.name)
        rows = reading.warn_of_few_models(rows)
        plan = CompareLawsConfig(n_repeats=1, n_folds=config.n_folds, extrapolate=config.extrapolate, seed=config.seed)
        *folds, by_size = cross_validation.split(rows, plan).kept_WR
        kept_R = {"size": by_size} | {f"model{fold}": kept for fold, kept in enumerate(folds)}
        tables.append(Table(name=Path(path).stem, rows=rows, kept_R=kept_R))
    return tables


def run(config: CompareConfig, tables: Sequence[Table], directory: Path) -> dict[str, dict[str, Any]]:
    """What every entry said on every split, by table and split; splits already under `directory` are read."""
    found: dict[str, dict[str, Any]] = {}
    for table in tables:
        for split, kept_R in table.kept_R.items():
            path = directory / "parts" / table.name / f"{split}.json"
            if not path.exists():
                say(f"{table.name}, by {split}: {int(kept_R.sum())} rows fitted, {int((~kept_R).sum())} asked")
                files.write_json(path, contest(config, table.rows.take(kept_R), table.rows.take(~kept_R)))
            found.setdefault(table.name, {})[split] = files.read_json(path)
    return found


def contest(config: CompareConfig, fitted: Observations, asked: Observations) -> dict[str, Any]:
    """What every entry said of the rows asked, JSON-ready."""
    forecasts, failures = bayes_forecasts(config, fitted, asked)
    for text, law in laws_of(config.laws).items():
        point = solver.fit(pose(law, fitted), seed=config.seed)
        draws = assemble.from_bootstrap(point, config.n_bootstrap, config.seed)
        forecasts[f"bootstrap {text}"] = forecast.of_posterior(draws, asked, config.seed)
        failures[f"bootstrap {text}"] = list(draws.failures)
    for text, law in laws_of(config.published).items():
        point = published.fit(pose(law, fitted))
        forecasts[f"curve_fit {text}"] = forecast.of_curve_fit(point, asked, 2000, config.seed)
        failures[f"curve_fit {text}"] = list(point.reasons)
    decisions = Decisions.among(asked.loss_R, asked.model_R, asked.scale_R)
    said = {name: score(each, asked, decisions) for name, each in forecasts.items()}
    said[SMALL_SCALE] = score_order(order_at_one_small_scale(fitted, asked), asked, decisions)
    return {
        "n_fitted": len(fitted),
        "n_models_fitted": len(fitted.model_ids),
        "loss": asked.loss_R.tolist(),
        "model": [asked.model_ids[model] for model in asked.model_R],
        "pair_models": [
            [asked.model_ids[asked.model_R[row]] for row in pair]
            for pair in zip(decisions.first_P, decisions.second_P, strict=True)
        ],
        "random_regret": [asked.loss_R[rows].mean() - asked.loss_R[rows].min() for rows in decisions.scales],
        "entries": said,
        "failures": failures,
    }


def bayes_forecasts(
    config: CompareConfig, fitted: Observations, asked: Observations
) -> tuple[dict[str, Forecast], dict[str, list[str]]]:
    """Of each law's posterior and of their stacked mixture, with what the convergence gate found."""
    forecasts, failures, posteriors = {}, {}, []
    for text, law in laws_of(config.laws).items():
        with Progress(f"sampling {text}", config.nuts.n_warmup + config.nuts.n_samples, "draws") as progress:
            posterior = bayes.fit(pose(law, fitted), config.nuts, config.seed, progress.advance, n_starts=16)
        posteriors.append(posterior)
        forecasts[f"bayes {text}"] = forecast.of_posterior(posterior, asked, config.seed)
        failures[f"bayes {text}"] = list(posterior.failures)
    if len(posteriors) > 1:
        weight_K = stacking.stack(posteriors, config.seed).weight_K
        forecasts[STACKED] = forecast.mix(list(forecasts.values()), weight_K)
        failures[STACKED] = [
            failure
            for (name, found), weight in zip(list(failures.items()), weight_K, strict=True)
            for failure in found
            if weight > 0.05
        ]
    return forecasts, failures


def score(said: Forecast, asked: Observations, decisions: Decisions) -> dict[str, list[float]]:
    """Of each row the log density, CRPS, squared error and whether intervals held; of pairs and scales the rest."""
    found = {"log_score": said.log_density_R, "crps": scoring.crps(asked.loss_R, said.loss_WR)}
    found["prediction"] = np.median(said.loss_WR, axis=0)
    found["squared_error"] = (found["prediction"] - asked.loss_R) ** 2
    for level in LEVELS:
        low_R, high_R = np.quantile(said.loss_WR, (0.5 - level / 200, 0.5 + level / 200), axis=0)
        found |= {f"coverage{level}": (low_R <= asked.loss_R) & (asked.loss_R <= high_R)}
        found |= {f"lo{level}": low_R, f"hi{level}": high_R}
    found |= _score_pairs(decisions.probabilities(said.loss_WR), decisions)
    found["regret"] = regret(decisions.scales, said.loss_WR.mean(axis=0), asked.loss_R)
    return {name: np.asarray(values, float).tolist() for name, values in found.items()}


def score_order(stand_in_R: np.ndarray | None, asked: Observations, decisions: Decisions) -> dict[str, list[float]]:
    """The decisions of an order alone; nothing where there is none."""
    if stand_in_R is None:
        return {}
    found = _score_pairs(decisions.probabilities(stand_in_R[None, :]), decisions)
    found["regret"] = regret(decisions.scales, stand_in_R, asked.loss_R)
    return {name: values.tolist() for name, values in found.items()}


def _score_pairs(p_first_P: np.ndarray, decisions: Decisions) -> dict[str, np.ndarray]:
    """Whether each pair was called right (a coin toss counts half), and the Brier score of the probability."""
    right_P = 0.5 + 0.5 * np.sign(p_first_P - 0.5) * np.sign(decisions.first_won_P - 0.5)
    return {"decision": right_P, "brier": (p_first_P - decisions.first_won_P) ** 2}
