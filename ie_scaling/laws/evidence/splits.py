"""Which rows of a table are fitted and which are scored: models in folds, the largest models, the most tokens."""

import dataclasses
import enum

import numpy as np

from ie_scaling.laws.observations import ONE_MODEL, SAME_TOKENS, Observations

MIN_BUDGETS = 3  # of the rows fitted, to predict rows of more tokens: E, B and β are three


class Score(enum.StrEnum):
    """A mean squared error of held-out rows: models left out in folds, the largest models, the rows of most tokens."""

    CROSS_VALIDATION = enum.auto()
    EXTRAPOLATION = enum.auto()
    EXTRAPOLATION_TOKENS = enum.auto()


class Way(enum.StrEnum):
    """What decides which rows a contest of ways of predicting holds out."""

    SIZE = enum.auto()
    TOKENS = enum.auto()
    MODEL = enum.auto()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Splits:
    """Masks of the rows that are fitted and of those that are scored, [W, R].

    The first `n_repeats` × `n_folds` are by model, then one for each of `extrapolations`. `without_tokens` says why
    there is none by tokens, "" where there is one.
    """

    n_repeats: int
    n_folds: int
    extrapolations: tuple[Score, ...]
    fitted_WR: np.ndarray
    scored_WR: np.ndarray
    without_tokens: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TokenSplit:
    """Rows [R] that are fitted, and rows of more tokens that are scored; `reason` says why there are none."""

    fitted_R: np.ndarray
    scored_R: np.ndarray
    reason: str = ""


def split(rows: Observations, *, n_folds: int, n_repeats: int, extrapolate: float, seed: int) -> Splits:
    """Random folds over models, all but the largest share `extrapolate` of the models, and all but the most tokens."""
    n_models = len(rows.model_ids)
    rng = np.random.default_rng(seed)
    fitted = []
    for _ in range(n_repeats):
        fold_M = np.arange(n_models) % n_folds
        fold_M = fold_M[rng.permutation(n_models)]
        fitted += [(fold_M != fold)[rows.model_R] for fold in range(n_folds)]
    fitted.append(~largest_models(rows, extrapolate))
    scored = [~fitted_R for fitted_R in fitted]
    extrapolations = [Score.EXTRAPOLATION]
    by_tokens = most_tokens(rows, extrapolate)
    if not by_tokens.reason:
        extrapolations.append(Score.EXTRAPOLATION_TOKENS)
        fitted.append(by_tokens.fitted_R)
        scored.append(by_tokens.scored_R)
    return Splits(
        n_repeats=n_repeats,
        n_folds=n_folds,
        extrapolations=tuple(extrapolations),
        fitted_WR=np.array(fitted),
        scored_WR=np.array(scored),
        without_tokens=by_tokens.reason,
    )


def most_tokens(rows: Observations, share: float) -> TokenSplit:
    """Fit the smaller token budgets; score the larger ones, at most a share of the rows, of sizes that were fitted.

    The cut lies between budgets (`SAME_TOKENS` apart), and holds out one at least. Rows beyond the cut that are larger
    than any fitted are neither fitted nor scored, so that tokens alone are extrapolated; if D follows N, none is left.
    """
    log_D_R, log_N_R = np.log(rows.features.n_tokens), np.log(rows.features.n_known)
    beyond_R = log_D_R > np.quantile(log_D_R, 1 - share) + SAME_TOKENS
    if not beyond_R.any():
        beyond_R = log_D_R >= log_D_R.max() - SAME_TOKENS
    fitted_R = ~beyond_R
    n_budgets = 1 + int((np.diff(np.sort(log_D_R[fitted_R])) > SAME_TOKENS).sum()) if fitted_R.any() else 0
    if n_budgets < MIN_BUDGETS:
        n_all = n_budgets + 1
        reason = f"{n_all} token budget{'s' * (n_all > 1)}, and {MIN_BUDGETS + 1} are needed to fit the smaller"
        return TokenSplit(fitted_R=fitted_R, scored_R=np.zeros_like(fitted_R), reason=reason)
    scored_R = beyond_R & (log_N_R <= log_N_R[fitted_R].max() + ONE_MODEL)
    reason = "" if scored_R.any() else "tokens follow size, so that whatever has most tokens is larger than the rest"
    return TokenSplit(fitted_R=fitted_R, scored_R=scored_R, reason=reason)


def largest_models(rows: Observations, share: float) -> np.ndarray:
    """Mask [R] of the rows of the largest share of the models in N_non (N_total where unknown), one model at least."""
    n_models, x = len(rows.model_ids), rows.features
    size_M = np.zeros(n_models)
    np.maximum.at(size_M, rows.model_R, x.n_known if np.isnan(x.n_non_embedding).any() else x.n_non_embedding)
    n_largest = max(1, int(np.floor(n_models * share)))
    largest_M = np.zeros(n_models, bool)
    largest_M[np.argsort(size_M, kind="stable")[-n_largest:]] = True
    return largest_M[rows.model_R]
