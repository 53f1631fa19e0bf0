"""Selection: the candidate to train under a latency bound, the candidate table, and the answer in words."""

import dataclasses
from typing import TypedDict

import numpy as np
import pandas as pd

from ie_scaling.laws.bayes.posterior import Posterior
from ie_scaling.running import diagnostic
from ie_scaling.running.diagnostic import Diagnostic
from ie_scaling.search import decision, ranked
from ie_scaling.search.belief import Belief
from ie_scaling.search.candidate_latency import Bound
from ie_scaling.search.candidates import Candidates
from ie_scaling.search.config import SelectionConfig
from ie_scaling.search.regret import describe_ties
from ie_scaling.tables import shape_table

OF_BEST = ("loss_mean", "loss_lo90", "loss_hi90", "p_best", "expected_regret", "expected_regret_se")


class SelectionAnswer(TypedDict):
    """selection.json: the recommended candidate, losses in nats per token, and what the answer rests on.

    `failures` are the lines of the failed diagnostics; `latency_bound_s` is None without a bound, `runner_up` without
    another feasible candidate that the law can tell apart.
    """

    recommended: str
    loss_mean: float
    loss_lo90: float
    loss_hi90: float
    p_best: float
    expected_regret: float
    expected_regret_se: float
    n_feasible: int
    n_candidates: int
    law: str
    level: str
    latency_metric: str
    latency_source: str
    latency_bound_s: float | None
    runner_up: dict[str, str | float] | None
    ties: list[str]
    sizes: str
    failures: list[str]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Selection:
    """A table with a row a candidate, the answer, and failed diagnostics."""

    table: pd.DataFrame
    answer: SelectionAnswer
    diagnostics: list[Diagnostic]


def bound_of(config: SelectionConfig) -> Bound:
    """The latency bound that a configuration sets."""
    return Bound(config.max_latency_s, config.max_latency_ratio)


def require_feasible(config: SelectionConfig, candidates: Candidates) -> None:
    """Check that some candidate meets the bound.

    Raises:
      InputError: none does; says by how much it is missed.
    """
    bound_of(config).feasible(candidates.latency, config.min_p_feasible)


def diagnose(config: SelectionConfig, posterior: Posterior, candidates: Candidates) -> list[Diagnostic]:
    """Failed diagnostics of the posterior, and of the candidates' features and latencies."""
    features = candidates.space.features(config.n_tokens)
    return ranked.diagnose(Belief((posterior,)), candidates.space, features) + candidates.diagnostics


def select(config: SelectionConfig, posterior: Posterior, candidates: Candidates) -> Selection:
    """Decide which candidate to train.

    Raises:
      InputError: a bound that no candidate meets, or a feature that the law needs and candidates lack.
    """
    belief, space = Belief((posterior,)), candidates.space
    names, every_W = [a.name for a in space.architectures], np.arange(belief.n_draws)
    identities = belief.identify(space.architectures)
    losses_of = belief.losses(space.features(config.n_tokens), config.level, config.seed, identities)
    log_loss_WA, mean_WA = np.log(losses_of(every_W)), losses_of.means(every_W)
    choice_WA = losses_of.to_choose(every_W) if losses_of.is_chosen_by_means else None
    decided = decision.decide(
        log_loss_WA,
        candidates.latency,
        bound=bound_of(config),
        min_p_feasible=config.min_p_feasible,
        top_k=config.top_k,
        seed=config.seed,
        mean_WA=mean_WA,
        choice_WA=choice_WA,
    )
    table = pd.concat([shape_table.architecture_table(space.architectures, config.n_tokens), decided], axis=1).assign(
        size_difference=space.size_difference_A, fitted_models=list(map(ranked.join_models, identities))
    )
    failed = diagnose(config, posterior, candidates)
    second = decision.runner_up(decided, log_loss_WA, mean_WA, choice_WA)
    answer = _answer(config, candidates, table, posterior.law.name, diagnostic.lines(failed))
    answer["runner_up"] = None if second is None else {"architecture": names[second.index], **second.figures}
    best, tied_A = int(table["recommended"].to_numpy().argmax()), table["tied"].to_numpy(bool)
    answer["ties"] = describe_ties(names, best, tied_A, mean_WA, "fastest")
    return Selection(table=table, answer=answer, diagnostics=failed)


def _answer(
    config: SelectionConfig, candidates: Candidates, table: pd.DataFrame, law: str, failures: list[str]
) -> SelectionAnswer:
    """The answer in a candidate table, without its runner-up and ties."""
    best = int(table.index[table["recommended"]][0])
    of_best = {name: float(np.nan_to_num(table.at[best, name])) for name in OF_BEST}
    bound_s = bound_of(config).in_seconds(candidates.latency)
    return {
        "recommended": table.at[best, "architecture"],
        "loss_mean": of_best["loss_mean"],
        "loss_lo90": of_best["loss_lo90"],
        "loss_hi90": of_best["loss_hi90"],
        "p_best": of_best["p_best"],
        "expected_regret": of_best["expected_regret"],
        "expected_regret_se": of_best["expected_regret_se"],
        "n_feasible": int(table["expected_regret"].notna().sum()),
        "n_candidates": len(table),
        "law": law,
        "level": config.level,
        "latency_metric": config.latency_metric,
        "latency_source": candidates.source,
        "latency_bound_s": bound_s if np.isfinite(bound_s) else None,
        "runner_up": None,
        "ties": [],
        "sizes": candidates.space.describe_grid(),
        "failures": failures,
    }


def describe(answer: SelectionAnswer) -> str:
    """The recommendation in a sentence or two."""
    bound_s, second = answer["latency_bound_s"], answer["runner_up"]
    within = ""
    if bound_s is not None:
        within = f" within {answer['latency_source']} {answer['latency_metric']} ≤ {1e3 * bound_s:.3g} ms"
    text = (
        f"Train {answer['recommended']}{within}: predicted loss {answer['loss_mean']:.3f} "
        f"(90 % interval {answer['loss_lo90']:.3f} to {answer['loss_hi90']:.3f}) nats/token, "
        f"P(best of {answer['n_feasible']} feasible) = {answer['p_best']:.2f}, "
        f"expected regret {answer['expected_regret']:.4f} ± {answer['expected_regret_se']:.1g} nats (Monte Carlo "
        f"error) under law {answer['law']} ({answer['level']})."
    )
    text = " ".join([text, *answer["ties"]])
    if second is not None:
        text += (
            f" The runner-up {second['architecture']} would cost {second['extra_loss_mean']:+.4f} nats "
            f"({second['extra_loss_lo90']:+.4f} to {second['extra_loss_hi90']:+.4f}) at "
            f"{second['latency_ratio']:.2f} × the latency; it is the better one with probability "
            f"{second['p_better_than_recommended']:.2f}."
        )
    return f"{text} {answer['sizes']}".rstrip()
