"""How good predictions are: error, order, coverage, interval score, CRPS; losses in nats, arrays in."""

from collections.abc import Mapping

import numpy as np
from scipy import stats

COVERAGE_90 = (0.80, 0.97)  # what 90 % intervals of held-out rows should cover


def mse(loss_R: np.ndarray, prediction_R: np.ndarray) -> float:
    """Mean squared error in nats²."""
    return float(np.mean((loss_R - prediction_R) ** 2))


def r2(loss_R: np.ndarray, prediction_R: np.ndarray) -> float:
    """1 − SS_res/SS_tot; NaN where the losses do not vary."""
    total = float(np.sum((loss_R - loss_R.mean()) ** 2))
    return 1 - float(np.sum((loss_R - prediction_R) ** 2)) / total if total else float("nan")


def spearman(loss_R: np.ndarray, prediction_R: np.ndarray) -> float:
    """Rank correlation; NaN where either side does not vary."""
    ranks = stats.rankdata(loss_R), stats.rankdata(prediction_R)
    if min(np.ptp(ranks[0]), np.ptp(ranks[1])) == 0:
        return float("nan")
    return float(np.corrcoef(*ranks)[0, 1])


def coverage(loss_R: np.ndarray, low_R: np.ndarray, high_R: np.ndarray) -> float:
    """Share of losses within their intervals."""
    return float(np.mean((low_R <= loss_R) & (loss_R <= high_R)))


def crps(loss_R: np.ndarray, draws_WR: np.ndarray) -> np.ndarray:
    """Continuous ranked probability score of each row from its draws, in nats: E|X − y| − ½ E|X − X'|, [R]."""
    n_draws = len(draws_WR)
    weight_W = 2 * np.arange(1, n_draws + 1) - n_draws - 1
    spread_R = weight_W @ np.sort(draws_WR, axis=0) / n_draws**2
    return np.abs(draws_WR - loss_R).mean(axis=0) - spread_R


def interval_score(loss_R: np.ndarray, low_R: np.ndarray, high_R: np.ndarray, level: float = 0.9) -> np.ndarray:
    """Each interval's width plus 2/(1 − level) times what the loss lies outside it [GR], in nats, [R]."""
    outside_R = np.maximum(low_R - loss_R, 0) + np.maximum(loss_R - high_R, 0)
    return high_R - low_R + 2 / (1 - level) * outside_R


def metrics(loss_R: np.ndarray, prediction_R: np.ndarray) -> Mapping[str, float | int | None]:
    """n, mse, r2 and spearman, None where undefined, JSON-ready."""
    values = {
        "mse": mse(loss_R, prediction_R),
        "r2": r2(loss_R, prediction_R),
        "spearman": spearman(loss_R, prediction_R),
    }
    return {"n": len(loss_R)} | {name: value if np.isfinite(value) else None for name, value in values.items()}
