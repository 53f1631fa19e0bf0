"""From a posterior and a question (which of these shapes, at these tokens?) to ranking.csv and rank.json."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ie_scaling import config as config_lib
from ie_scaling import files, identity, workdir
from ie_scaling.architecture import Architecture
from ie_scaling.inference import reach
from ie_scaling.laws import posterior as posterior_lib
from ie_scaling.laws import ranking, stacking
from ie_scaling.laws.observations import Features, features_of
from ie_scaling.laws.posterior import LEVELS, Posterior
from ie_scaling.progress import Progress
from ie_scaling.search import space
from ie_scaling.search.config import RankConfig
from ie_scaling.shapes import lookup
from ie_scaling.tables import cells, run_table, shape_table

FAR = 3.0  # so many times beyond the fitted range a size or a budget is called far; aspect ratios by the half of it


@dataclasses.dataclass(frozen=True)
class Belief:
    """One posterior, or several of the same rows in their stacked mixture."""

    posteriors: tuple[Posterior, ...]
    stack: stacking.Stack | None

    @classmethod
    def load(cls, fits: str) -> "Belief":
        """From fit directories with commas between them.

        Raises:
          ValueError: one that is absent, or several that were not fitted to the same rows.
        """
        posteriors = tuple(posterior_lib.load_fit(name) for name in run_table.split_paths(fits))
        return cls(posteriors, stacking.stack(posteriors) if len(posteriors) > 1 else None)

    @property
    def n_draws(self) -> int:
        """Draws of the mixture: as many as the shortest posterior has."""
        return min(posterior.n_draws for posterior in self.posteriors)

    def losses_of(self, features: Features, level: str, seed: int, names: list[str]) -> Callable[..., np.ndarray]:
        """As `Posterior.losses_of`; each law gives draws in proportion to its weight."""
        parts = [posterior.losses_of(features, level, seed, names) for posterior in self.posteriors]
        if self.stack is None:
            return parts[0]
        count_K = stacking.apportion(self.stack.weight_K, self.n_draws)
        law_W = np.repeat(np.arange(len(parts)), count_K)
        draw_W = np.concatenate(
            [
                np.linspace(0, posterior.n_draws - 1, count).astype(int)
                for posterior, count in zip(self.posteriors, count_K, strict=True)
            ]
        )

        def losses(draws_w: np.ndarray, places: np.ndarray | None = None) -> np.ndarray:
            blocks = [parts[k](draw_W[draws_w[law_W[draws_w] == k]], places) for k in np.unique(law_W[draws_w])]
            order_w = np.argsort(law_W[draws_w], kind="stable")
            return np.concatenate(blocks)[np.argsort(order_w)]

        return losses

    def describe(self) -> dict[str, Any]:
        """Law, tie, count and method; `stacked` and the laws' names where there are several."""
        first = self.posteriors[0]
        if self.stack is None:
            return {"law": first.law.name, "tie": first.law.tie, "count": first.law.count, "method": first.method}
        names = " + ".join(posterior.law.name for posterior in self.posteriors)
        return {"law": f"stacked ({names})", "tie": "", "count": "of each law", "method": "stacked"}


def inputs_of(config: RankConfig) -> workdir.Inputs:
    """What it reads, by name."""
    fits = [Path(place) / name for place in run_table.split_paths(config.fit) for name in posterior_lib.FILES]
    return identity.named("fit", fits) | identity.named("candidates", lookup.files_of(config.candidates))


def run(config: RankConfig, directory: Path) -> list[str]:
    """Rank and write ranking.csv, rank.json and, of several laws, by_law.csv; returns warnings.

    Raises:
      ValueError: no such fit, or no candidates; before anything is written.
    """
    resolved = {"experiment": "rank"} | config_lib.to_plain(config)
    if not workdir.is_done(directory, resolved, inputs=inputs_of(config)):
        belief = Belief.load(config.fit)
        architectures = space.candidates(config.candidates, config.grid)
        for posterior in belief.posteriors:
            posterior.require(features_of(architectures[:1], config.n_tokens))
        with workdir.opened(directory, resolved, inputs=inputs_of(config)):
            table, answer = rank(config, belief, architectures)
            cells.write_table(directory / "ranking.csv", table)
            if belief.stack is not None:
                cells.write_table(directory / "by_law.csv", by_law(config, belief, architectures, answer["best"]))
            files.write_json(directory / "rank.json", answer)
    return files.read_json(directory / "rank.json")["warnings"]


def rank(config: RankConfig, belief: Belief, architectures: list[Architecture]) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The `n_listed` candidates of least expected regret, best first, and what there is to say about them."""
    features = features_of(architectures, config.n_tokens)
    names = [a.name for a in architectures]
    losses_of = belief.losses_of(features, config.level, config.seed, names)
    with Progress("rank", belief.n_draws, "draws") as progress:
        summary = ranking.stream(losses_of, belief.n_draws, len(names), config.top_k, progress.advance)
    listed = np.argsort(summary.expected_regret_A, kind="stable")[: config.n_listed]
    shown = [architectures[index] for index in listed]
    loss_WA = losses_of(np.arange(belief.n_draws), listed)
    probability_AK = summary.rank_probability_AK[listed]
    table = shape_table.architecture_table(shown, config.n_tokens).assign(
        loss_mean=summary.loss_mean_A[listed],
        loss_lo90=np.quantile(loss_WA, 0.05, axis=0),
        loss_hi90=np.quantile(loss_WA, 0.95, axis=0),
        p_best=probability_AK[:, 0],
        p_top_k=probability_AK.sum(axis=1),
        expected_rank=summary.expected_rank_A[listed],
        expected_regret=summary.expected_regret_A[listed],
        expected_regret_percent=summary.expected_regret_percent_A[listed],
    )
    if len(names) <= config.n_compared:
        table = table.assign(**_at_every_level(config, belief, features.take(listed), [a.name for a in shown]))
    answer: dict[str, Any] = {"best": shown[0].name, "n_candidates": len(names), "n_tokens": config.n_tokens}
    answer |= belief.describe() | {"level": config.level}
    answer["warnings"] = [f"law {p.law.name}: {failure}" for p in belief.posteriors for failure in p.failures]
    answer["warnings"] += far_outside(belief.posteriors[0], features)
    answer["rank_probability"] = {
        a.name: row.tolist() for a, row in zip(shown[: config.n_compared], probability_AK, strict=False)
    }
    if len(shown) > 1:
        gap_W = loss_WA[:, 1] - loss_WA[:, 0]
        low, high = np.quantile(gap_W, (0.05, 0.95))
        answer["runner_up"] = {
            "architecture": shown[1].name,
            "extra_loss_mean": float(gap_W.mean()),
            "extra_loss_lo90": float(low),
            "extra_loss_hi90": float(high),
            "p_better_than_best": float((gap_W < 0).mean()),
        }
    return table, answer


def _at_every_level(config: RankConfig, belief: Belief, features: Features, names: list[str]) -> dict[str, np.ndarray]:
    """P(best) at each level, the odds against the best, and the tokens that would buy each regret back."""
    columns = {}
    for level in LEVELS:
        loss_WA = belief.losses_of(features, level, config.seed, names)(np.arange(belief.n_draws))
        columns[f"p_best_{level}"] = ranking.p_best(loss_WA)
        if level == config.level:
            columns["p_beats_best"] = ranking.pairwise(loss_WA)[:, 0]
            if belief.stack is None:
                factor_WA = belief.posteriors[0].token_equivalent(features, np.log(loss_WA))
                columns["token_factor_median"] = np.median(factor_WA, axis=0)
    return columns


def by_law(config: RankConfig, belief: Belief, architectures: list[Architecture], best: str) -> pd.DataFrame:
    """A row a law: its weight and log score, its own best shape, and what it says of the mixture's best."""
    stack, names = belief.stack, [a.name for a in architectures]
    assert stack is not None
    features, rows = features_of(architectures, config.n_tokens), []
    for k, posterior in enumerate(belief.posteriors):
        losses_of = posterior.losses_of(features, config.level, config.seed, names)
        summary = ranking.stream(losses_of, posterior.n_draws, len(names), 1)
        own, chosen = int(summary.expected_regret_A.argmin()), names.index(best)
        rows.append(
            {
                "law": posterior.law.name,
                "tie": posterior.law.tie,
                "count": posterior.law.count,
                "weight": stack.weight_K[k],
                "weight_lo90": stack.weight_lo90_K[k],
                "weight_hi90": stack.weight_hi90_K[k],
                "log_score": stack.log_score_K[k],
                "log_score_difference": stack.difference_K[k],
                "log_score_difference_se": stack.difference_se_K[k],
                "models_with_high_pareto_k": stack.n_unreliable_K[k],
                "best": names[own],
                "p_best_of_its_best": summary.rank_probability_AK[own, 0],
                "p_best_of_chosen": summary.rank_probability_AK[chosen, 0],
                "expected_regret_of_chosen": summary.expected_regret_A[chosen],
                "loss_of_chosen": summary.loss_mean_A[chosen],
            }
        )
    return pd.DataFrame(rows)


def far_outside(posterior: Posterior, features: Features) -> list[str]:
    """Warnings that say how far the candidates lie beyond the rows that were fitted."""
    data = posterior.groups.get("constant_data")
    if data is None:
        return []
    warnings = []
    for name, far in (("n_total", FAR), ("n_tokens", FAR), ("aspect_ratio", FAR / 2)):
        fitted = data[name].to_numpy()
        if not np.isnan(fitted).any():
            warnings += reach.beyond(name, fitted, getattr(features, name), far)
    return warnings


def describe(answer: dict[str, Any], table: pd.DataFrame) -> str:
    """The answer in a sentence or two."""
    best = table.iloc[0]
    text = (
        f"At {answer['n_tokens']:.3g} tokens, {answer['best']} of {answer['n_candidates']}: loss "
        f"{best['loss_mean']:.4f} (90 % {best['loss_lo90']:.4f} to {best['loss_hi90']:.4f}), P(best) "
        f"{best['p_best']:.2f}, expected regret {best['expected_regret']:.4f} nats, under law {answer['law']} "
        f"(N {answer['count']}) at level {answer['level']}."
    )
    if second := answer.get("runner_up"):
        text += (
            f" The next, {second['architecture']}, costs {second['extra_loss_mean']:+.4f} nats "
            f"({second['extra_loss_lo90']:+.4f} to {second['extra_loss_hi90']:+.4f}) and is the better one with "
            f"probability {second['p_better_than_best']:.2f}."
        )
    return text
