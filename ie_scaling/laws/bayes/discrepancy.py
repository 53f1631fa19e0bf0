"""What a law misses: s, smooth in a model's sizes; u of each model; and v, how its loss falls with tokens.

    ln L_i = ln f(x_i) + s(x_i) + u_model(i) + v_model(i)·t_i + noise,     t = ln(D/D0)

    s ~ GP(0, τ_s²·exp(−½ ((Δ ln d)² + (Δ ln n)²)/LENGTH²))    much the same for shapes alike
    u ~ Normal(0, τ), v ~ Normal(0, τ_v)                       each model's own

s is a sum of K sines over a box about the fitted sizes, a Hilbert-space Gaussian process [HSGP]:
s(x) = τ_s·Σ_k φ_k(x)·w_k with w ~ Normal(0, 1). Beyond the box it stays what it is at the edge. NUTS samples w, and the
slopes v of models with several token counts, in units of τ_v; of a model with a single one u + v·t is one number, of
variance τ² + τ_v²·t². Letters: R rows, M models, K sines, V models with slopes of their own.
"""

import dataclasses
import itertools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ie_scaling.laws.observations import Features
from ie_scaling.laws.problem import Problem

LENGTH = 1.0  # of ln d and ln n: shapes a factor of e apart in width share 0.6 of s
BEYOND = math.log(4.0)  # the box reaches so far beyond the fitted sizes
EDGE = 1.2 * LENGTH  # and the sines so far beyond the box
MOST_SINES = 28
LEAST_SHARE = 1e-3  # of a sine's variance in that of the largest
TYPICAL_SMOOTH, TYPICAL_TOKENS, TYPICAL_OWN, TYPICAL_NOISE = 0.004, 0.003, 0.003, 0.002  # τ_s, τ_v, τ, σ
SEVERAL = 0.01  # spread of ln D beyond which a model has several token counts


@dataclasses.dataclass(frozen=True)
class Sines:
    """The sines of s over a box of (ln d, ln n); none where the fitted rows do not say width and depth."""

    center: tuple[float, float] = (0.0, 0.0)
    half: tuple[float, float] = (0.0, 0.0)
    numbers: tuple[tuple[int, int], ...] = ()

    @classmethod
    def about(cls, features: Features) -> "Sines":
        """Over the sizes of the fitted rows and BEYOND."""
        sizes_R2 = _sizes(features)
        if np.isnan(sizes_R2).any() or not len(np.unique(np.round(sizes_R2, 6), axis=0)) > 1:
            return cls()
        low_2, high_2 = sizes_R2.min(axis=0), sizes_R2.max(axis=0)
        half_2 = (high_2 - low_2) / 2 + BEYOND
        numbers = list(itertools.product(range(1, 30), repeat=2))
        share = _spectral_density(np.array(numbers), half_2 + EDGE)
        order = np.argsort(-share, kind="stable")
        kept = [numbers[i] for i in order[:MOST_SINES] if share[i] >= LEAST_SHARE * share[order[0]]]
        return cls(tuple((low_2 + high_2) / 2), tuple(half_2), tuple(kept))

    def __len__(self) -> int:
        return len(self.numbers)

    def unknown(self, features: Features) -> np.ndarray:
        """Of which rows s is not known though there is one, for want of width or depth, [A]."""
        return np.isnan(_sizes(features).sum(axis=-1)) & (len(self) > 0)

    def __call__(self, features: Features) -> np.ndarray:
        """φ of each row, [A, K], so that s = τ_s·φ·w; zero where width or depth is unknown."""
        if not len(self):
            return np.zeros((len(features), 0))
        number_K2, edge_2 = np.array(self.numbers), np.array(self.half) + EDGE
        offset_A2 = np.clip(_sizes(features) - self.center, -np.array(self.half), self.half)
        angle_AK2 = np.pi * number_K2[None] * ((offset_A2 + edge_2) / (2 * edge_2))[:, None, :]
        wave_AK = np.prod(np.sin(angle_AK2) / np.sqrt(edge_2), axis=-1)
        return np.nan_to_num(wave_AK * np.sqrt(_spectral_density(number_K2, edge_2)))


NO_SINES = Sines()


def _sizes(features: Features) -> np.ndarray:
    return np.log(np.stack([np.asarray(features.d_model, float), np.asarray(features.n_layers, float)], axis=-1))


def _spectral_density(number_K2: np.ndarray, edge_2: np.ndarray) -> np.ndarray:
    """Of the squared-exponential covariance in two dimensions, at each sine's frequency."""
    frequency_K2 = np.pi * number_K2 / (2 * edge_2)
    return 2 * np.pi * LENGTH**2 * np.exp(-0.5 * LENGTH**2 * (frequency_K2**2).sum(axis=-1))


@dataclasses.dataclass(frozen=True)
class Design:
    """What of the rows s, u and v depend on.

    Attributes:
      sines: over the fitted sizes.
      wave_RK: φ of each row.
      log_tokens_R: t of each row, 0 where D is unknown.
      slope_R, slope_M: index of each row's model, or each model, among those with a slope; V for none.
      n_slopes: V.
      alone_M: t of a model of one token count, 0 of the others.
      centered_K, centered_V: from 0, sampled in units of τ, to 1, in its own: what rows tell much of mixes best so.
    """

    sines: Sines
    wave_RK: np.ndarray
    log_tokens_R: np.ndarray
    slope_R: np.ndarray
    slope_M: np.ndarray
    n_slopes: int
    alone_M: np.ndarray
    centered_K: np.ndarray
    centered_V: np.ndarray

    def site_scales(self, noise: Mapping[str, Any]) -> dict[str, Any]:
        """Prior sds of the sampled sites given the noise: 1 in units of τ, τ over its typical value where centered."""
        ratios: dict[str, tuple[Any, np.ndarray]]
        ratios = {"sines": (noise["tau_smooth"] / TYPICAL_SMOOTH, self.centered_K)}
        ratios |= {"slopes": (noise["tau_tokens"] / TYPICAL_TOKENS, self.centered_V)}
        return {name: ratio[..., None] ** centered for name, (ratio, centered) in ratios.items() if len(centered)}

    @property
    def sizes(self) -> dict[str, int]:
        """How many standard normal coordinates there are of each kind: K and V."""
        return {"sines": len(self.sines), "slopes": self.n_slopes}

    @property
    def n_coordinates(self) -> int:
        """K + V."""
        return sum(self.sizes.values())


def design_of(problem: Problem) -> Design:
    """The design of the rows of a problem whose misses are smooth."""
    features, model_R = problem.features, problem.rows.model_R
    log_tokens_R = log_tokens(features, problem.reference.D0)
    has_several_M, alone_M = token_counts(log_tokens_R, model_R, problem.n_models)
    n_slopes = int(has_several_M.sum())
    slope_M = np.where(has_several_M, np.cumsum(has_several_M) - 1, n_slopes)
    sines = Sines.about(features)
    return Design(
        sines=sines,
        wave_RK=sines(features),
        log_tokens_R=log_tokens_R,
        slope_R=slope_M[model_R],
        slope_M=slope_M,
        n_slopes=n_slopes,
        alone_M=alone_M,
        **_centered(sines, features, log_tokens_R, model_R, has_several_M),
    )


def _centered(
    sines: Sines, features: Features, log_tokens_R: np.ndarray, model_R: np.ndarray, has_several_M: np.ndarray
) -> dict[str, np.ndarray]:
    """How far each sine and slope is centered: the share of what is known of it that typical rows would tell."""
    count_M = np.bincount(model_R)
    mean_M = np.bincount(model_R, log_tokens_R) / count_M
    spread_M = np.bincount(model_R, (log_tokens_R - mean_M[model_R]) ** 2)
    first_M = np.unique(model_R, return_index=True)[1]
    wave_MK = sines(features)[first_M]
    precision_M = 1 / (TYPICAL_OWN**2 + TYPICAL_NOISE**2 / count_M)
    told_K = TYPICAL_SMOOTH**2 * (precision_M @ wave_MK**2)
    told_V = TYPICAL_TOKENS**2 * spread_M[has_several_M] / TYPICAL_NOISE**2
    return {"centered_K": told_K / (1 + told_K), "centered_V": told_V / (1 + told_V)}


@dataclasses.dataclass(frozen=True)
class Discrepancy:
    """Draws of what a law misses beyond u: weights of the sines of s, in ln(nats) [W, K], and v of M models, [W, M]."""

    sines: Sines
    weight_WK: np.ndarray
    slope_WM: np.ndarray

    def of_sizes(self, features: Features) -> np.ndarray:
        """s of each row, [W, R]."""
        return self.weight_WK @ self.sines(features).T

    def of_rows(self, features: Features, model_R: np.ndarray, D0: float) -> np.ndarray:
        """s + v·t of rows of the fitted models, [W, R]."""
        return self.of_sizes(features) + self.slope_WM[:, model_R] * log_tokens(features, D0)


def log_tokens(features: Features, D0: float) -> np.ndarray:
    """t = ln(D/D0), 0 where D is unknown."""
    return np.nan_to_num(np.log(np.asarray(features.n_tokens, np.float64) / D0))


def token_counts(log_tokens_R: np.ndarray, model_R: np.ndarray, n_models: int) -> tuple[np.ndarray, np.ndarray]:
    """Whether each model has several token counts, [M], and t of a model of a single one, 0 of the others, [M]."""
    least_M, most_M = np.full(n_models, np.inf), np.full(n_models, -np.inf)
    np.minimum.at(least_M, model_R, log_tokens_R)
    np.maximum.at(most_M, model_R, log_tokens_R)
    has_several_M = most_M - least_M > SEVERAL
    return has_several_M, np.where(has_several_M, 0.0, least_M)
