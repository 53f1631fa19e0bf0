"""From draws of loss and of latency to a decision table: arrays in, a table out.

A candidate architectures, W posterior draws.
"""

import dataclasses

import numpy as np
import pandas as pd

from ie_scaling.search import ranking
from ie_scaling.search.candidate_latency import Bound, Latency
from ie_scaling.search.regret import Regret, extra_loss, twins_of


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
    bound: Bound,
    min_p_feasible: float,
    top_k: int,
    seed: int,
    mean_WA: np.ndarray | None = None,
    choice_WA: np.ndarray | None = None,
) -> pd.DataFrame:
    """One row a candidate; ranks and regret are among the feasible ones and blank for the rest.

    Of the feasible candidates whose regret is tied with the least, the fastest is recommended, but none that is
    dominated in every draw where another is not.

    Args:
      log_loss_WA: paired posterior draws of ln loss.
      min_p_feasible: a candidate is feasible where it meets the bound with at least this probability, as its latency
        has it: one request where that was measured, the median of a new benchmark where it is predicted.
      mean_WA: mean losses given each draw's parameters; the draws themselves where it is not given.
      choice_WA: the losses that ranks, regret and Pareto fronts are of (`Predictive.to_choose`); intervals are of the
        draws, which they are where it is not given.

    Raises:
      InputError: no candidate is feasible; says by how much the bound is missed.
    """
    p_feasible_A = bound.p_met(latency)
    feasible_A = bound.feasible(latency, min_p_feasible)
    loss_WA = np.exp(log_loss_WA)
    mean_WA = loss_WA if mean_WA is None else mean_WA
    log_choice_WA = log_loss_WA if choice_WA is None else np.log(choice_WA)
    latency_WA = latency.draw_medians(len(log_loss_WA), np.random.default_rng(seed))
    table = pd.DataFrame(
        {
            "loss_mean": mean_WA.mean(axis=0),
            "loss_lo90": np.quantile(loss_WA, 0.05, axis=0),
            "loss_hi90": np.quantile(loss_WA, 0.95, axis=0),
            "latency_mean": latency.median_A,
            "latency_lo90": np.quantile(latency_WA, 0.05, axis=0),
            "latency_hi90": np.quantile(latency_WA, 0.95, axis=0),
            "p_feasible": p_feasible_A,
            "p_pareto": p_pareto(log_choice_WA, latency_WA),
        }
    )
    of_feasible_WA = (loss_WA if choice_WA is None else choice_WA)[:, feasible_A]
    among = ranking.RankSummary.of(of_feasible_WA, top_k)
    regret = Regret.of(of_feasible_WA, mean_WA[:, feasible_A], of_feasible_WA.min(axis=1))
    columns = {
        "p_best": among.rank_probability_AK[:, 0],
        "p_top_k": among.rank_probability_AK.sum(axis=1),
        "expected_rank": among.expected_rank_A,
        "expected_regret": regret.mean_A,
        "expected_regret_se": regret.se_A,
    }
    for name, values in columns.items():
        table.loc[feasible_A, name] = values
    table["tied"] = False
    table.loc[feasible_A, "tied"] = regret.tied_A
    table["recommended"] = table.index == _recommended(table)
    return table


def _recommended(table: pd.DataFrame) -> int:
    """The fastest of those tied for the least regret, dominated ones last, then by regret and order."""
    tied = table[table["tied"]].assign(dominated=lambda rows: rows["p_pareto"] == 0)
    return int(tied.sort_values(["dominated", "latency_mean", "expected_regret"], kind="stable").index[0])


@dataclasses.dataclass(frozen=True)
class RunnerUp:
    """A candidate (`index`) and what it would cost: loss in nats per token and latency beside the recommended one's."""

    index: int
    extra_loss: dict[str, float]
    p_better_than_recommended: float
    latency_ratio: float

    @property
    def figures(self) -> dict[str, float]:
        """All but the index, by name."""
        ratio = {"latency_ratio": self.latency_ratio}
        return self.extra_loss | {"p_better_than_recommended": self.p_better_than_recommended} | ratio


def runner_up(
    table: pd.DataFrame,
    log_loss_WA: np.ndarray,
    mean_WA: np.ndarray | None = None,
    choice_WA: np.ndarray | None = None,
) -> RunnerUp | None:
    """The feasible candidate of least regret besides the recommended one; None where there is none.

    Twins of the recommended one, of the same mean loss in every draw, are passed over. Arrays as of `decide`.
    """
    best = int(table.index[table["recommended"]][0])
    twins_A = twins_of(np.exp(log_loss_WA) if mean_WA is None else mean_WA, best)
    others = table["expected_regret"][~twins_A].dropna()
    if others.empty:
        return None
    second = int(others.sort_values(kind="stable").index[0])
    extra_W = np.exp(log_loss_WA[:, second]) - np.exp(log_loss_WA[:, best])
    of_choice_W = extra_W if choice_WA is None else choice_WA[:, second] - choice_WA[:, best]
    return RunnerUp(
        index=second,
        extra_loss=extra_loss(extra_W),
        p_better_than_recommended=float((of_choice_W < 0).mean()),
        latency_ratio=float(table.at[second, "latency_mean"] / table.at[best, "latency_mean"]),
    )
