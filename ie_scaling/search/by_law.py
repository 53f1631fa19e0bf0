"""How an answer of stacked laws depends on the law: a row each, and which of them are at odds."""

import pandas as pd

from ie_scaling.running.diagnostic import Diagnostic, Kind
from ie_scaling.search import ranking
from ie_scaling.search.belief import Belief
from ie_scaling.search.config import ComparisonConfig
from ie_scaling.search.space import Space

AT_ODDS = 0.05  # a law of less weight in a mixture may disagree in silence


def compare(config: ComparisonConfig, belief: Belief, space: Space, best: str) -> pd.DataFrame:
    """A row a law: its weight and log score, its own best shape, and what it says of the mixture's best."""
    stack, names = belief.stack, [a.name for a in space.architectures]
    assert stack is not None
    features, rows = space.features(config.n_tokens), []
    for k, posterior in enumerate(belief.posteriors):
        identities = posterior.identify(space.architectures)
        losses_of = posterior.losses(features, level=config.level, seed=config.seed, model_ids=identities)
        summary = ranking.stream(losses_of.to_choose, posterior.n_draws, len(names), 1)
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
                "agrees": own == chosen,
            }
        )
    return pd.DataFrame(rows)


def at_odds(laws: pd.DataFrame, best: str) -> list[Diagnostic]:
    """The stacked laws that carry weight and prefer another shape than their mixture."""
    return [
        Diagnostic(
            Kind.DISAGREEMENT,
            f"law {row['law']} (weight {row['weight']:.2f}) prefers {row['best']} to {best}",
            f"P(best) {row['p_best_of_its_best']:.2f} against {row['p_best_of_chosen']:.2f} under it",
        )
        for row in laws[(laws["weight"] >= AT_ODDS) & ~laws["agrees"]].to_dict("records")
    ]
