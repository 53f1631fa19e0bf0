"""How well a fit predicts its rows and held-out ones, with intervals; metrics, and the quantities of the law."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ie_scaling.inference import scoring
from ie_scaling.inference.draws import Origin, interval, summarize
from ie_scaling.laws.bayes import quantities
from ie_scaling.laws.bayes.posterior import Posterior
from ie_scaling.laws.least_squares.solver import LeastSquaresFit
from ie_scaling.laws.observations import Observations


def predict_table(
    splits: Mapping[str, Observations], fitted: LeastSquaresFit | None, draws: Posterior | None
) -> pd.DataFrame:
    """run_id, loss, prediction, lo90, hi90, split and the least-squares prediction of every row.

    With draws of a posterior, the prediction is the median for one more run of that model and the interval its 90 %;
    with a bootstrap the prediction stays least squares'. Without draws the interval is blank.
    """
    tables = []
    for split, rows in splits.items():
        table = pd.DataFrame({"run_id": rows.run_ids, "loss": rows.loss_R, "prediction": np.nan, "lo90": np.nan})
        table = table.assign(hi90=np.nan, split=split)
        if fitted is not None:
            table["prediction"] = table["least_squares"] = np.exp(fitted.predict(rows.features))
        if draws is not None:
            names = [rows.model_ids[model] for model in rows.model_R]
            loss_WR = draws.losses(rows.features, level="new_run", seed=draws.seed, model_ids=names).all()
            low_R, middle_R, high_R = interval(loss_WR, axis=0)
            table = table.assign(lo90=low_R, hi90=high_R)
            if draws.method == Origin.BAYES:
                table["prediction"] = middle_R
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def score(table: pd.DataFrame, column: str) -> dict[str, Any]:
    """Metrics of the rows fitted, held out (None without any), and all, as [B25] (docs/laws.md) reports them."""
    result: dict[str, Any] = {}
    for name, rows in (
        ("fit", table[table["split"] == "fit"]),
        ("holdout", table[table["split"] == "holdout"]),
        ("all", table),
    ):
        if rows.empty:
            result[name] = None
            continue
        result[name] = dict(scoring.metrics(rows["loss"].to_numpy(), rows[column].to_numpy()))
        if rows["lo90"].notna().all():
            result[name]["coverage90"] = scoring.coverage(*(rows[key].to_numpy() for key in ("loss", "lo90", "hi90")))
    return result


def describe_quantities(
    question: quantities.Question, fitted: LeastSquaresFit | None, draws: Posterior | None
) -> dict[str, Any]:
    """Each quantity's least-squares estimate (None without one) and, of the draws, its mean, sd and interval."""
    described: dict[str, Any] = {}
    if fitted is not None and min(fitted.params.values()) > -np.inf:
        point = {name: np.array([value]) for name, value in fitted.params.items()}
        for name, value in quantities.compute(question, point).items():
            described[name] = {"estimate": float(value[0])}
    for name, values in (draws.quantities if draws is not None else {}).items():
        described[name] = {"estimate": None} | described.get(name, {}) | summarize(values)
    if question.problem.law.shape_parts and "optimal_aspect_ratio" not in described and described:
        low, high = quantities.ASPECT_RATIOS[[0, -1]]
        note = f"none from {low:g} to {high:g}: under this fit the loss is least at an end"
        described["optimal_aspect_ratio"] = {"estimate": None, "note": note}
    return described
