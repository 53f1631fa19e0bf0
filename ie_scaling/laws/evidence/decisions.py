"""Choices among shapes of one size and budget: which pairs, which was better, and what a choice cost.

A scale is a set of runs of one size and one token budget (`Observations.scale_R`); decisions are made within it, as a
researcher makes them. The baseline that nobody may skip ranks shapes by their order at one small scale [DD]. Letters:
R rows, P pairs, S scales.
"""

import dataclasses

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


def order_at_one_small_scale(fitted: Observations, held_out: Observations) -> np.ndarray | None:
    """A stand-in loss for each held-out row, [R]: of the run nearest in d/n at the fitted scale with the most shapes.

    None where no scale holds two shapes. Only the order of the values means anything.
    """
    scale_R, ratio_R = fitted.scale_R, fitted.features.aspect_ratio
    sizes = {
        int(scale): (len(np.unique(ratio_R[scale_R == scale])), fitted.features.n_total[scale_R == scale].mean())
        for scale in np.unique(scale_R)
    }
    scale = max(sizes, key=sizes.__getitem__)  # the larger of equals
    if sizes[scale][0] < 2:
        return None
    rows = np.flatnonzero(scale_R == scale)
    distance_RS = np.abs(np.log(held_out.features.aspect_ratio)[:, None] - np.log(ratio_R[rows])[None, :])
    return fitted.loss_R[rows][distance_RS.argmin(axis=1)]
