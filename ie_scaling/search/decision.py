"""From draws of loss and of latency to a decision table: arrays in, a table out.

A candidate architectures, W posterior draws.
"""

import dataclasses

import numpy as np
import pandas as pd
from scipy import special, stats

from ie_scaling.laws import ranking

P10_TO_P90 = 2 * float(stats.norm.ppf(0.9))


@dataclasses.dataclass(frozen=True)
class Latency:
    """Measured request latency of each candidate, log-normal about its median.

    Attributes:
      median_A: seconds.
      spread_A: standard deviation of the log of one request's latency.
      count_A: samples behind the median.
    """

    median_A: np.ndarray
    spread_A: np.ndarray
    count_A: np.ndarray

    @classmethod
    def from_table(cls, table: pd.DataFrame, metric: str) -> "Latency":
        """From the rows of a latency table, the spread from its 10th and 90th percentiles."""
        p10, p90 = table[f"{metric}_p10"].to_numpy(float), table[f"{metric}_p90"].to_numpy(float)
        spread_A = np.log(p90 / p10) / P10_TO_P90
        return cls(table[metric].to_numpy(float), np.nan_to_num(spread_A), table["count"].to_numpy(float))

    def p_within(self, bound_s: float) -> np.ndarray:
        """(A,): probability that one request takes at most bound_s."""
        margin_A = np.log(bound_s / self.median_A)
        certain_A = np.where(margin_A >= 0, 1.0, 0.0)
        spread_A = np.maximum(self.spread_A, 1e-12)
        return np.where(self.spread_A > 0, special.ndtr(margin_A / spread_A), certain_A)

    def quantile(self, share: float) -> np.ndarray:
        """(A,): seconds within which this share of the requests ends."""
        return self.median_A * np.exp(self.spread_A * special.ndtri(share))

    def draw_medians(self, n_draws: int, rng: np.random.Generator) -> np.ndarray:
        """(W,A): draws of the median itself, whose standard error is √(π/2)·spread/√count."""
        error_A = np.sqrt(np.pi / 2) * self.spread_A / np.sqrt(self.count_A)
        return self.median_A * np.exp(error_A * rng.standard_normal((n_draws, len(self.median_A))))


def p_pareto(log_loss_WA: np.ndarray, latency_WA: np.ndarray) -> np.ndarray:
    """(A,): share of joint draws in which no other candidate is at least as fast and has a lower loss."""
    order_WA = np.lexsort((log_loss_WA, latency_WA), axis=1)
    sorted_WA = np.take_along_axis(log_loss_WA, order_WA, axis=1)
    best_so_far_WA = np.minimum.accumulate(sorted_WA, axis=1)
    on_front_WA = np.empty(sorted_WA.shape, bool)
    on_front_WA[:, 0] = True
    on_front_WA[:, 1:] = sorted_WA[:, 1:] < best_so_far_WA[:, :-1]
    result_WA = np.empty_like(on_front_WA)
    np.put_along_axis(result_WA, order_WA, on_front_WA, axis=1)
    return result_WA.mean(axis=0)


def decide(
    log_loss_WA: np.ndarray,
    latency: Latency,
    *,
    bound_s: float,
    min_p_feasible: float,
    top_k: int,
    seed: int,
) -> pd.DataFrame:
    """One row a candidate; ranks and regret are among the feasible ones and blank for the rest.

    Args:
      log_loss_WA: paired posterior draws of ln loss.
      bound_s: the latency bound, inf for none.
      min_p_feasible: a candidate is feasible where P(one request ≤ bound_s) is at least this.

    Raises:
      ValueError: no candidate is feasible; says by how much the bound is missed.
    """
    p_feasible_A = latency.p_within(bound_s)
    feasible_A = p_feasible_A >= min_p_feasible
    if not feasible_A.any():
        needed_s = float(latency.quantile(min_p_feasible).min())
        raise ValueError(
            f"latency bound {bound_s:.4g} s: no candidate meets it with probability {min_p_feasible:g}; "
            f"the fastest needs {needed_s:.4g} s, {needed_s / bound_s:.4g} times the bound"
        )
    loss_WA = np.exp(log_loss_WA)
    latency_WA = latency.draw_medians(len(log_loss_WA), np.random.default_rng(seed))
    table = pd.DataFrame(
        {
            "loss_mean": loss_WA.mean(axis=0),
            "loss_lo90": np.quantile(loss_WA, 0.05, axis=0),
            "loss_hi90": np.quantile(loss_WA, 0.95, axis=0),
            "latency_mean": latency.median_A,
            "p_feasible": p_feasible_A,
            "p_pareto": p_pareto(log_loss_WA, latency_WA),
        }
    )
    among = loss_WA[:, feasible_A]
    rank_P = ranking.rank_probabilities(among)
    columns = {
        "p_best": rank_P[:, 0],
        "p_top_k": rank_P[:, :top_k].sum(axis=1),
        "expected_rank": ranking.expected_rank(among),
        "expected_regret": ranking.expected_regret(among),
    }
    for name, values in columns.items():
        table.loc[feasible_A, name] = values
    table["recommended"] = table["expected_regret"] == table["expected_regret"].min()
    return table


def runner_up(table: pd.DataFrame, log_loss_WA: np.ndarray) -> dict[str, float | int] | None:
    """What the feasible candidate of second least regret would cost; None where there is only one."""
    order = table["expected_regret"].dropna().sort_values().index
    if len(order) < 2:
        return None
    best, second = int(order[0]), int(order[1])
    difference_W = np.exp(log_loss_WA[:, second]) - np.exp(log_loss_WA[:, best])
    return {
        "index": second,
        "extra_loss_mean": float(difference_W.mean()),
        "extra_loss_lo90": float(np.quantile(difference_W, 0.05)),
        "extra_loss_hi90": float(np.quantile(difference_W, 0.95)),
        "p_better_than_recommended": float((difference_W < 0).mean()),
        "latency_ratio": float(table.at[second, "latency_mean"] / table.at[best, "latency_mean"]),
    }
