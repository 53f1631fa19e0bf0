"""Expected regret with its Monte Carlo error, and which candidates that error, or the law, cannot tell apart.

The difference of two candidates' expected regrets is the difference of their mean losses. Given a draw's parameters
that mean is known exactly (`Predictive.means`), so that differences carry no noise of fresh effects and runs: what is
equal under the law is equal here, whatever the seed. A candidates, W draws in the order of their chains.
"""

import dataclasses

import numpy as np

N_BATCHES = 32
TIED_ERRORS = 2.0
SAME = 1e-9  # relative: to rounding


@dataclasses.dataclass(frozen=True)
class Regret:
    """Expected regret of each candidate in nats per token.

    Attributes:
      mean_A, se_A: expected regret and its Monte Carlo standard error; NaN where there is one draw.
      percent_A: the same in per cent of the best loss.
      tied_A: which are within TIED_ERRORS Monte Carlo errors (of the paired difference) of the least.
    """

    mean_A: np.ndarray
    se_A: np.ndarray
    percent_A: np.ndarray
    tied_A: np.ndarray

    @classmethod
    def of(cls, loss_WA: np.ndarray, mean_WA: np.ndarray, best_W: np.ndarray) -> "Regret":
        """From paired draws, their means given the parameters, and the best of all candidates in each draw."""
        least = int(mean_WA.mean(axis=0).argmin())
        difference_WA = mean_WA - mean_WA[:, [least]]
        regret_WA = difference_WA + (loss_WA[:, [least]] - best_W[:, None])
        difference_A = difference_WA.mean(axis=0)
        rounding = SAME * float(np.abs(mean_WA).max())
        error_A = np.nan_to_num(standard_error(difference_WA))
        return cls(
            mean_A=regret_WA.mean(axis=0),
            se_A=standard_error(regret_WA),
            percent_A=100 * (regret_WA / best_W[:, None]).mean(axis=0),
            tied_A=difference_A <= np.maximum(TIED_ERRORS * error_A, rounding),
        )

    def take(self, index_A: np.ndarray) -> "Regret":
        """The candidates at these positions."""
        return Regret(*(getattr(self, field.name)[index_A] for field in dataclasses.fields(self)))


def twins_of(mean_WA: np.ndarray, candidate: int) -> np.ndarray:
    """Which have the mean loss of this one in every draw, itself included, [A]: the law cannot tell them apart."""
    gap_A = np.abs(mean_WA - mean_WA[:, [candidate]]).max(axis=0)
    return gap_A <= SAME * float(np.abs(mean_WA[:, candidate]).max())


def describe_ties(names: list[str], chosen: int, tied_A: np.ndarray, mean_WA: np.ndarray, rule: str) -> list[str]:
    """Sentences about what the law, or the Monte Carlo error of regret, does not tell from the chosen one."""
    twins_A = twins_of(mean_WA, chosen) & tied_A
    twins = [names[a] for a in np.flatnonzero(twins_A) if a != chosen]
    close = [names[a] for a in np.flatnonzero(tied_A & ~twins_A)]
    sentences = []
    if twins:
        sentences.append(f"The law cannot tell it from {_few(twins)}.")
    if close:
        sentences.append(f"Its expected regret is tied within Monte Carlo error with that of {_few(close)}.")
    return [*sentences, f"Of these the {rule} is recommended."] if sentences else []


def _few(names: list[str]) -> str:
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def extra_loss(gap_W: np.ndarray) -> dict[str, float]:
    """Mean, 5 % and 95 % points of what a candidate's loss exceeds another's by, nats per token, by name."""
    low, high = np.quantile(gap_W, (0.05, 0.95))
    return {"extra_loss_mean": float(gap_W.mean()), "extra_loss_lo90": float(low), "extra_loss_hi90": float(high)}


def standard_error(values_WA: np.ndarray) -> np.ndarray:
    """Standard error of the mean over correlated draws, by the means of N_BATCHES batches of them; NaN for one draw."""
    n_batches = min(N_BATCHES, len(values_WA))
    if n_batches < 2:
        return np.full(values_WA.shape[1], np.nan)
    means_BA = np.stack([batch.mean(axis=0) for batch in np.array_split(values_WA, n_batches)])
    return means_BA.std(axis=0, ddof=1) / np.sqrt(n_batches)
