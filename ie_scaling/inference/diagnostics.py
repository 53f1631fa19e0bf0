"""Whether chains have converged: rank-normalized R-hat, bulk and tail ESS, E-BFMI, and the gate made of them.

R-hat and ESS as in [VGSCB], E-BFMI as in [BET].
Arrays are [C, S, ...]: chains, draws, then any number of quantities at once.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np
from scipy import special, stats

from ie_scaling.inference.config import NutsConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class Gate:
    """The verdict on a set of chains; `failures` are one-liners, empty where all is well."""

    failures: tuple[str, ...]
    max_rhat: float
    min_ess_bulk: float
    min_ess_tail: float
    n_divergences: int
    min_bfmi: float
    per_parameter: dict[str, dict[str, float]]

    @property
    def passed(self) -> bool:
        """Whether nothing failed."""
        return not self.failures


def check(draws: Mapping[str, np.ndarray], sample_stats: Mapping[str, np.ndarray], config: NutsConfig) -> Gate:
    """The gate over named draws [C, S] or [C, S, ·] and the sampler's `diverging` and `energy` [C, S]."""
    per_parameter = {}
    for name, values in draws.items():
        flat = values.reshape(*values.shape[:2], -1)
        worst = {"rhat": rhat(flat).max(), "ess_bulk": ess_bulk(flat).min(), "ess_tail": ess_tail(flat).min()}
        per_parameter[name] = {key: float(value) for key, value in worst.items()}
    max_rhat = max(entry["rhat"] for entry in per_parameter.values())
    min_bulk = min(entry["ess_bulk"] for entry in per_parameter.values())
    min_tail = min(entry["ess_tail"] for entry in per_parameter.values())
    n_divergences = int(sample_stats["diverging"].sum())
    min_bfmi = float(bfmi(sample_stats["energy"]).min())

    def worst_name(key: str, pick) -> str:
        return pick(per_parameter, key=lambda name: per_parameter[name][key])

    rules = (
        (max_rhat <= config.max_rhat, f"R-hat {max_rhat:.3f} of {worst_name('rhat', max)} is above {config.max_rhat}"),
        (
            min_bulk >= config.min_ess,
            f"bulk ESS {min_bulk:.0f} of {worst_name('ess_bulk', min)} is below {config.min_ess:g}",
        ),
        (
            min_tail >= config.min_ess,
            f"tail ESS {min_tail:.0f} of {worst_name('ess_tail', min)} is below {config.min_ess:g}",
        ),
        (n_divergences == 0, f"{n_divergences} divergent transitions"),
        (min_bfmi >= config.min_bfmi, f"E-BFMI {min_bfmi:.2f} is below {config.min_bfmi}"),
    )
    return Gate(
        failures=tuple(message for holds, message in rules if not holds),
        max_rhat=max_rhat,
        min_ess_bulk=min_bulk,
        min_ess_tail=min_tail,
        n_divergences=n_divergences,
        min_bfmi=min_bfmi,
        per_parameter=per_parameter,
    )


def long_enough(draws: np.ndarray, config: NutsConfig) -> bool:
    """Whether chains [C, S, ...] pass the gate's rules on R-hat and ESS, which longer ones may yet do."""
    ess = np.minimum(ess_bulk(draws), ess_tail(draws))
    return bool(rhat(draws).max() <= config.max_rhat and ess.min() >= config.min_ess)


def rhat(draws: np.ndarray) -> np.ndarray:
    """The larger of rank-normalized split R-hat and its folded version; NaN draws give infinity."""
    split = _split(draws)
    folded = np.abs(split - np.median(split, axis=(0, 1)))
    value = np.maximum(_plain_rhat(_rank_normalize(split)), _plain_rhat(_rank_normalize(folded)))
    return np.where(np.isfinite(value), value, np.inf)


def ess_bulk(draws: np.ndarray) -> np.ndarray:
    """Effective draws for the middle: ESS of rank-normalized split chains."""
    return _ess(_rank_normalize(_split(draws)))


def ess_tail(draws: np.ndarray) -> np.ndarray:
    """Effective draws for the tails: the smaller ESS of the indicators of the 5 % and 95 % quantiles."""
    split = _split(draws)
    low, high = np.quantile(draws, (0.05, 0.95), axis=(0, 1))
    return np.minimum(_ess((split <= low).astype(float)), _ess((split <= high).astype(float)))


def bfmi(energy_CS: np.ndarray) -> np.ndarray:
    """Energy Bayesian fraction of missing information of each chain."""
    return np.mean(np.diff(energy_CS, axis=1) ** 2, axis=1) / np.var(energy_CS, axis=1, ddof=1)


def _split(draws: np.ndarray) -> np.ndarray:
    """Each chain as two half chains; an odd middle draw is dropped."""
    half = draws.shape[1] // 2
    return np.concatenate([draws[:, :half], draws[:, -half:]], axis=0)


def _rank_normalize(draws: np.ndarray) -> np.ndarray:
    """Draws replaced by normal scores of their pooled ranks."""
    flat = draws.reshape(-1, *draws.shape[2:])
    ranks = stats.rankdata(flat, axis=0)
    return special.ndtri((ranks - 0.375) / (len(flat) + 0.25)).reshape(draws.shape)


def _plain_rhat(draws: np.ndarray) -> np.ndarray:
    n = draws.shape[1]
    within = draws.var(axis=1, ddof=1).mean(axis=0)
    between = n * draws.mean(axis=1).var(axis=0, ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.sqrt((between / within + n - 1) / n)


def _ess(draws: np.ndarray) -> np.ndarray:
    """Effective sample size by Geyer's initial monotone positive sequence over chains [C, S, ...]."""
    c, n = draws.shape[:2]
    centered = draws - draws.mean(axis=1, keepdims=True)
    spectrum = np.fft.rfft(centered, n=2 * n, axis=1)
    covariance = np.fft.irfft(np.abs(spectrum) ** 2, axis=1)[:, :n] / n  # [C, lag, ...]
    within = (covariance[:, 0] * n / (n - 1)).mean(axis=0)
    total = within * (n - 1) / n + (draws.mean(axis=1).var(axis=0, ddof=1) if c > 1 else 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        rho = 1 - (within - covariance.mean(axis=0)) / total  # [lag, ...]
    rho[0] = 1.0
    n_pairs = n // 2
    pairs = rho[: 2 * n_pairs].reshape(n_pairs, 2, *rho.shape[1:]).sum(axis=1)
    positive = np.logical_and.accumulate(pairs > 0, axis=0)
    pairs = np.minimum.accumulate(np.where(positive, pairs, 0.0), axis=0)
    time_ = np.maximum(2 * pairs.sum(axis=0) - 1, 1 / np.log10(c * n))
    ess = c * n / time_
    return np.where(np.isfinite(total) & (total > 0), ess, 0.0)
