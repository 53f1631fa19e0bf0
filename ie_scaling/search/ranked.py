"""From a posterior and a question (which of these shapes, at these tokens?) to ranking.csv and rank.json."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ie_scaling import config as config_lib
from ie_scaling import files, records, workdir
from ie_scaling.architecture import Architecture
from ie_scaling.laws import posterior as posterior_lib
from ie_scaling.laws import ranking
from ie_scaling.laws.observations import Features, features_of
from ie_scaling.laws.posterior import LEVELS, Posterior
from ie_scaling.progress import Progress
from ie_scaling.search import space
from ie_scaling.search.config import RankConfig

FAR = 3.0  # so many times beyond the fitted range a size or a budget is called far; aspect ratios by the half of it


def run(config: RankConfig, directory: Path) -> list[str]:
    """Rank and write ranking.csv, rank.json and ranks.npz; returns warnings.

    Raises:
      ValueError: no such fit, or no candidates; before anything is written.
    """
    resolved = {"experiment": "rank"} | config_lib.to_plain(config)
    if not workdir.is_done(directory, resolved):
        posterior = posterior_lib.load_fit(config.fit)
        architectures = space.candidates(config.candidates, config.grid)
        posterior.require(features_of(architectures[:1], config.n_tokens))
        with workdir.opened(directory, resolved):
            table, answer = rank(config, posterior, architectures)
            records.write_table(directory / "ranking.csv", table)
            files.write_json(directory / "rank.json", answer)
    return files.read_json(directory / "rank.json")["warnings"]


def rank(
    config: RankConfig, posterior: Posterior, architectures: list[Architecture]
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The `n_listed` candidates of least expected regret, best first, and what there is to say about them."""
    features = features_of(architectures, config.n_tokens)
    names = [a.name for a in architectures]
    losses_of = posterior.losses_of(features, config.level, config.seed, names)
    with Progress("rank", posterior.n_draws, "draws") as progress:
        summary = ranking.stream(losses_of, posterior.n_draws, len(names), config.top_k, progress.advance)
    listed = np.argsort(summary.expected_regret_A, kind="stable")[: config.n_listed]
    shown = [architectures[index] for index in listed]
    loss_WA = losses_of(np.arange(posterior.n_draws), listed)
    probability_AK = summary.rank_probability_AK[listed]
    table = records.architecture_table(shown, config.n_tokens).assign(
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
        table = table.assign(**_at_every_level(config, posterior, features.take(listed), shown))
    warnings = [f"law {posterior.law.name}: {failure}" for failure in posterior.failures]
    answer = {
        "best": shown[0].name,
        "n_candidates": len(names),
        "n_tokens": config.n_tokens,
        "law": posterior.law.name,
        "tie": posterior.law.tie,
        "count": posterior.law.count,
        "method": posterior.method,
        "level": config.level,
        "warnings": warnings + far_outside(posterior, features),
        "rank_probability": {
            shown[place].name: probability_AK[place].tolist() for place in range(min(len(shown), config.n_compared))
        },
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


def _at_every_level(
    config: RankConfig, posterior: Posterior, features: Features, shown: list[Architecture]
) -> dict[str, np.ndarray]:
    """P(best) at each level, the pairwise odds against the best, and the tokens that would buy each regret back."""
    names = [a.name for a in shown]
    columns = {}
    for level in LEVELS:
        log_loss_WA = posterior.predict(features, level, config.seed, model_ids=names)
        columns[f"p_best_{level}"] = ranking.p_best(np.exp(log_loss_WA))
        if level == config.level:
            columns["p_beats_best"] = ranking.pairwise(np.exp(log_loss_WA))[:, 0]
            factor_WA = posterior.token_equivalent(features, log_loss_WA)
            columns["token_factor_median"] = np.median(factor_WA, axis=0)
    return columns


def far_outside(posterior: Posterior, features: Features) -> list[str]:
    """Warnings that say how far the candidates lie beyond the rows that were fitted."""
    data = posterior.groups.get("constant_data")
    if data is None:
        return []
    warnings = []
    for name, far in (("n_total", FAR), ("n_tokens", FAR), ("aspect_ratio", FAR / 2)):
        fitted, asked = data[name].to_numpy(), getattr(features, name)
        if np.isnan(fitted).any():
            continue
        above, below = asked.max() / fitted.max(), fitted.min() / asked.min()
        if above > far:
            warnings.append(f"{name} reaches {asked.max():.3g}, {above:.3g} times beyond the largest fitted")
        if below > far:
            warnings.append(f"{name} falls to {asked.min():.3g}, {below:.3g} times below the smallest fitted")
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
