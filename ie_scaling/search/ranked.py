"""Ranks and regrets of candidates under a posterior: which of these shapes, at these tokens?"""

import dataclasses
from collections.abc import Callable
from typing import NotRequired

import numpy as np
import pandas as pd

from ie_scaling import accounting
from ie_scaling.laws.bayes.predictive import Identity, Predictive
from ie_scaling.laws.level import Level
from ie_scaling.laws.observations import Features
from ie_scaling.running import diagnostic
from ie_scaling.running.diagnostic import Diagnostic, Kind
from ie_scaling.search import blind_spots, by_law, ranking
from ie_scaling.search.belief import Belief, Description, Mixture
from ie_scaling.search.config import RankingConfig
from ie_scaling.search.regret import Regret, describe_ties, extra_loss, twins_of
from ie_scaling.search.space import Space
from ie_scaling.tables import shape_table


class RankingAnswer(Description):
    """rank.json: the first candidate, and what the answer rests on; losses in nats per token.

    `rank_probability` has P(rank = k) of the first candidates by name; there is no `runner_up` where the law cannot
    tell any candidate from the first.
    """

    best: str
    n_candidates: int
    n_tokens: float
    level: str
    expected_regret_se: float
    ties: list[str]
    sizes: str
    warnings: list[str]
    rank_probability: dict[str, list[float]]
    runner_up: NotRequired[dict[str, str | float]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ranking:
    """A row a candidate listed, the answer about the first, of several laws a row a law, and failed diagnostics."""

    table: pd.DataFrame
    answer: RankingAnswer
    laws: pd.DataFrame | None
    diagnostics: list[Diagnostic]


@dataclasses.dataclass(frozen=True)
class _Listed:
    """The candidates of the table, in its order: their positions among all, paired draws [W, A] and regret.

    `choice_WA` are the draws that the choice is made by (`Predictive.to_choose`).
    """

    index_A: np.ndarray
    space: Space
    loss_WA: np.ndarray
    choice_WA: np.ndarray
    mean_WA: np.ndarray
    regret: Regret

    @property
    def names(self) -> list[str]:
        """Of their shapes."""
        return [architecture.name for architecture in self.space.architectures]


def rank(
    config: RankingConfig, belief: Belief, space: Space, on_progress: Callable[[int], None] = lambda done: None
) -> Ranking:
    """The `n_listed` candidates of least expected regret, the chosen one first; of several laws, also by each alone.

    Args:
      on_progress: gets the number of draws done since the last call.

    Raises:
      InputError: a draw that predicts no finite loss.
    """
    features, identities = space.features(config.n_tokens), belief.identify(space.architectures)
    losses_of = belief.losses(features, config.level, config.seed, identities)
    summary = ranking.stream(losses_of.to_choose, belief.n_draws, len(space), config.top_k, on_progress)
    listed = _list(summary, losses_of, space, config.n_listed)
    probability_AK, best = summary.rank_probability_AK[listed.index_A], listed.names[0]
    failed, laws = diagnose(belief, space, features), None
    if belief.stack is not None:
        laws = by_law.compare(config, belief, space, best)
        failed += by_law.at_odds(laws, best)
    answer: RankingAnswer = {
        "best": best,
        "n_candidates": len(space),
        "n_tokens": config.n_tokens,
        **belief.describe(),
        "level": config.level,
        "expected_regret_se": float(np.nan_to_num(listed.regret.se_A[0])),
        "ties": describe_ties(listed.names, 0, listed.regret.tied_A, listed.mean_WA, "smallest"),
        "sizes": space.describe_grid(),
        "warnings": diagnostic.lines(failed),
        "rank_probability": dict(zip(listed.names[: config.n_compared], probability_AK.tolist(), strict=False)),
    }
    if second := _runner_up(listed):
        answer["runner_up"] = second
    own = [identities[index] for index in listed.index_A]
    of_few = _at_every_level(config, belief, listed.space, own) if len(space) <= config.n_compared else {}
    return Ranking(table=_tabulate(config, summary, listed, own, of_few), answer=answer, laws=laws, diagnostics=failed)


def _list(summary: ranking.RankSummary, losses_of: Predictive | Mixture, space: Space, n_listed: int) -> _Listed:
    """The candidates of least expected regret, the one to be chosen first."""
    every_W = np.arange(summary.n_draws)
    index_A = np.argsort(summary.expected_regret_A, kind="stable")[:n_listed]
    loss_WA, mean_WA = losses_of(every_W, index_A), losses_of.means(every_W, index_A)
    choice_WA = losses_of.to_choose(every_W, index_A) if losses_of.is_chosen_by_means else loss_WA
    regret = Regret.of(choice_WA, mean_WA, summary.best_W)
    order = _order(space.take(index_A), regret)
    index_A, draws = index_A[order], (loss_WA[:, order], choice_WA[:, order], mean_WA[:, order])
    return _Listed(index_A, space.take(index_A), *draws, regret.take(order))


def _tabulate(
    config: RankingConfig,
    summary: ranking.RankSummary,
    listed: _Listed,
    identities: list[Identity],
    of_few: dict[str, np.ndarray],
) -> pd.DataFrame:
    """The columns of ranking.csv, those `of_few` candidates among them."""
    probability_AK, loss_WA, regret = summary.rank_probability_AK[listed.index_A], listed.loss_WA, listed.regret
    return shape_table.architecture_table(listed.space.architectures, config.n_tokens).assign(
        loss_mean=listed.mean_WA.mean(axis=0),
        loss_lo90=np.quantile(loss_WA, 0.05, axis=0),
        loss_hi90=np.quantile(loss_WA, 0.95, axis=0),
        p_best=probability_AK[:, 0],
        p_top_k=probability_AK.sum(axis=1),
        expected_rank=summary.expected_rank_A[listed.index_A],
        expected_regret=regret.mean_A,
        expected_regret_percent=regret.percent_A,
        **of_few,
        expected_regret_se=regret.se_A,
        tied=regret.tied_A,
        size_difference=listed.space.size_difference_A,
        fitted_models=list(map(join_models, identities)),
    )


def join_models(identity: Identity) -> str:
    """The fitted models that a candidate is, with blanks between them; "" for a new shape."""
    return "" if isinstance(identity, str) else " ".join(identity)


def diagnose(belief: Belief, space: Space, features: Features) -> list[Diagnostic]:
    """Failed diagnostics of the posteriors in use, and features of the candidates that their laws do not cover."""
    blind = blind_spots.find(belief.used, space.architectures, features)
    return belief.diagnostics() + diagnostic.each(Kind.EXTRAPOLATION, blind)


def _order(space: Space, regret: Regret) -> np.ndarray:
    """By regret, but for the first: of those tied with the least the smallest, then by name."""
    tied_A = np.flatnonzero(regret.tied_A)
    tied = [(accounting.count_parameters(space.architectures[a]), space.architectures[a].name, a) for a in tied_A]
    first = min(tied)[2]
    order = np.argsort(regret.mean_A, kind="stable")
    return np.concatenate([[first], order[order != first]])


def _runner_up(listed: _Listed) -> dict[str, str | float]:
    """The next in order that the law can tell from the first, and its loss over the first's; empty without one."""
    others = np.flatnonzero(~twins_of(listed.mean_WA, 0))
    if not len(others):
        return {}
    gap_W, choice_gap_W = (draws_WA[:, others[0]] - draws_WA[:, 0] for draws_WA in (listed.loss_WA, listed.choice_WA))
    better = {"p_better_than_best": float((choice_gap_W < 0).mean())}
    return {"architecture": listed.names[others[0]], **extra_loss(gap_W), **better}


def _at_every_level(
    config: RankingConfig, belief: Belief, space: Space, identities: list[Identity]
) -> dict[str, np.ndarray]:
    """P(best) at each level, the odds against the best, and the tokens that would buy each regret back."""
    columns, features = {}, space.features(config.n_tokens)
    for level in Level:
        loss_WA = belief.losses(features, level, config.seed, identities).to_choose(np.arange(belief.n_draws))
        columns[f"p_best_{level}"] = ranking.p_best(loss_WA)
        if level == config.level:
            columns["p_beats_best"] = ranking.pairwise(loss_WA)[:, 0]
            if belief.stack is None:
                factor_WA = belief.posteriors[0].token_equivalent(features, np.log(loss_WA))
                columns["token_factor_median"] = np.median(factor_WA, axis=0)
    return columns


def describe(answer: RankingAnswer, table: pd.DataFrame) -> str:
    """The answer in a sentence or two."""
    best = table.iloc[0]
    text = (
        f"At {answer['n_tokens']:.3g} tokens, {answer['best']} of {answer['n_candidates']}: loss "
        f"{best['loss_mean']:.4f} (90 % {best['loss_lo90']:.4f} to {best['loss_hi90']:.4f}), P(best) "
        f"{best['p_best']:.2f}, expected regret {best['expected_regret']:.4f} ± {answer['expected_regret_se']:.1g} "
        f"nats (Monte Carlo error), under law {answer['law']} (N {answer['count']}) at level {answer['level']}."
    )
    text = " ".join([text, *answer["ties"]])
    if second := answer.get("runner_up"):
        text += (
            f" The next, {second['architecture']}, costs {second['extra_loss_mean']:+.4f} nats "
            f"({second['extra_loss_lo90']:+.4f} to {second['extra_loss_hi90']:+.4f}) and is the better one with "
            f"probability {second['p_better_than_best']:.2f}."
        )
    return f"{text} {answer['sizes']}".rstrip()
