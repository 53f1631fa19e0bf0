"""Choices among shapes of one size and budget: which pairs, which was better, and what a choice cost.

A scale is a set of runs of one size and one token budget or D/N (`Observations.scale_R`); decisions are made within it,
as a researcher makes them. The baselines that nobody may skip rank shapes by the losses at one small scale [DD], and by
non-embedding parameters. Letters: R rows, P pairs, S scales.
"""

import dataclasses
import enum
from collections.abc import Callable

import numpy as np

from ie_scaling.laws.observations import Observations


@dataclasses.dataclass(frozen=True, kw_only=True)
class Decisions:
    """Pairs of rows of one scale and of different models, indices of rows [P]; and the rows of each scale.

    `first_won_P` is 1 where the first of a pair came out better, ½ where they tied.
    """

    first_P: np.ndarray
    second_P: np.ndarray
    first_won_P: np.ndarray
    scales: tuple[np.ndarray, ...]

    @classmethod
    def among(cls, loss_R: np.ndarray, model_R: np.ndarray, scale_R: np.ndarray) -> "Decisions":
        """All pairs within scales of at least two models."""
        pairs: list[tuple[int, int]] = []
        scales = []
        for scale in np.unique(scale_R):
            rows = np.flatnonzero(scale_R == scale)
            if len(np.unique(model_R[rows])) < 2:
                continue
            scales.append(rows)
            pairs += [(i, j) for k, i in enumerate(rows) for j in rows[k + 1 :] if model_R[i] != model_R[j]]
        first_P, second_P = np.array(pairs, int).reshape(-1, 2).T
        won_P = 0.5 * (1 + np.sign(loss_R[second_P] - loss_R[first_P]))
        return cls(first_P=first_P, second_P=second_P, first_won_P=won_P, scales=tuple(scales))

    def probabilities(self, loss_WR: np.ndarray) -> np.ndarray:
        """P(the first of each pair is better), [P], from paired draws; a tie counts half."""
        first_WP, second_WP = loss_WR[:, self.first_P], loss_WR[:, self.second_P]
        return (first_WP < second_WP).mean(axis=0) + 0.5 * (first_WP == second_WP).mean(axis=0)


def regret(scales: tuple[np.ndarray, ...], predicted_R: np.ndarray, loss_R: np.ndarray) -> np.ndarray:
    """What choosing the row predicted best cost at each scale, [S], in nats; ties are chosen among at random."""
    regrets = []
    for rows in scales:
        chosen = predicted_R[rows] == predicted_R[rows].min()
        regrets.append(loss_R[rows][chosen].mean() - loss_R[rows].min())
    return np.array(regrets)


class Curve(enum.StrEnum):
    """What is drawn through the losses of one scale, over ln(d/n)."""

    INTERPOLATED = enum.auto()  # straight lines between its runs, level beyond them
    PARABOLA = enum.auto()  # of ln loss; a straight line where there are two ratios


@dataclasses.dataclass(frozen=True, kw_only=True)
class Order:
    """Stand-in losses of rows [R], of which the order alone means anything, and how often it is right.

    `p_right` is the share of pairs of the fitted rows that the same rule calls right by Laplace's rule of
    succession (½ for none): what the Brier score takes for its probability.
    """

    stand_in_R: np.ndarray
    p_right: float


def order_at_one_small_scale(fitted: Observations, held_out: Observations, curve: Curve) -> Order | None:
    """The order along a curve through the losses of the fitted scale that spans most of ln(d/n); None without one.

    Of equals the one of most shapes, then the cheapest (N·D): a small scale. No loss decides which it is.
    """
    scale_R, log_ratio_R = fitted.scale_R, np.log(fitted.features.aspect_ratio)
    known_R = ~np.isnan(log_ratio_R)
    if not known_R.any() or np.isnan(held_out.features.aspect_ratio).any():
        return None
    best = max(np.unique(scale_R[known_R]), key=lambda scale: _extent(fitted, known_R & (scale_R == scale)))
    own_R = known_R & (scale_R == best)
    if np.ptp(log_ratio_R[own_R]) == 0:
        return None
    draw = {Curve.INTERPOLATED: _interpolate, Curve.PARABOLA: _parabola}[curve]
    at = draw(log_ratio_R[own_R], fitted.log_loss_R[own_R])
    others = fitted.take(known_R & ~own_R)
    p_right = _share_right(others, at(np.log(others.features.aspect_ratio))) if len(others) else 0.5
    return Order(stand_in_R=at(np.log(held_out.features.aspect_ratio)), p_right=p_right)


def order_by_parameters(fitted: Observations, held_out: Observations) -> Order:
    """The order of "the one with more non-embedding parameters wins" (of N_total where they are unknown)."""
    return Order(stand_in_R=-_parameters(held_out), p_right=_share_right(fitted, -_parameters(fitted)))


def _parameters(rows: Observations) -> np.ndarray:
    n_non_embedding = rows.features.n_non_embedding
    return rows.features.n_known if np.isnan(n_non_embedding).any() else n_non_embedding


def _extent(rows: Observations, mask_R: np.ndarray) -> tuple[float, ...]:
    """How wide a scale is, and of equals how cheap: its range of ln(d/n), its ratios, its cost."""
    x, log_ratio = rows.features.take(mask_R), np.log(rows.features.aspect_ratio[mask_R])
    return round(np.ptp(log_ratio), 9), len(np.unique(log_ratio)), -(x.n_known * x.n_tokens).mean()


def _interpolate(x_R: np.ndarray, y_R: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Straight lines between the points, means where several share an x."""
    nodes, index_R = np.unique(x_R, return_inverse=True)
    values = np.bincount(index_R, y_R) / np.bincount(index_R)
    return lambda at: np.interp(at, nodes, values)


def _parabola(x_R: np.ndarray, y_R: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    return np.polynomial.Polynomial.fit(x_R, y_R, min(2, len(np.unique(x_R)) - 1))


def _share_right(rows: Observations, stand_in_R: np.ndarray) -> float:
    decisions = Decisions.among(rows.loss_R, rows.model_R, rows.scale_R)
    right_P = right(decisions.probabilities(stand_in_R[None, :]), decisions)
    return max(0.5, float(right_P.sum() + 1) / (len(right_P) + 2))


def right(p_first_P: np.ndarray, decisions: Decisions) -> np.ndarray:
    """Whether each pair was decided right; a coin toss counts half."""
    return 0.5 + 0.5 * np.sign(p_first_P - 0.5) * np.sign(decisions.first_won_P - 0.5)
