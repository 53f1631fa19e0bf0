"""Gaussian-process discrepancy of the latency law (the misfit): one in all sessions, similar for similar shapes.

No law this short is exact, and its error is similar for similar shapes: the shapes of a sweep, which differ in one size
at a time, say less about all others than as many shapes drawn at random. So the misfit of TTFT and of TPOT is a
Gaussian process over the logs of a case's sizes [KOH]: for two cases on one device

    covariance(δ, δ') = misfit² · exp(−½ Σ_i ((ln size_i − ln size'_i)/length_i)²)

so that sizes e^length times apart share 0.6 of it. Devices have misfits of their own. Letters: R rows that were fitted,
A cases to predict, I sizes, C chains, S draws, W all draws; a leading 2 is TTFT and TPOT.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import scipy.linalg
from scipy.spatial import distance

from ie_scaling import workload
from ie_scaling.workload import Case

# Of width, depth, queries, keys, MLP and vocabulary; batch; tokens. TTFT, whose products have a row for each token, is
# smoother in the shape and rougher in the rows.
LENGTHS_2I = np.array([[1.5] * 6 + [0.7, 0.6], [1.0] * 8])
LEAST_EIGENVALUE = 1e-8  # of a correlation matrix; what is below it is rounding
JITTER = 1e-6


def sizes_of(cases: Sequence[Case]) -> np.ndarray:
    """Logs of the sizes that misfits depend on, over their lengths, [2, A, I].

    TTFT has the prompt where TPOT has the mean context.
    """
    shape, load = workload.arrays_of(cases)
    attention = shape.attention
    widths = shape.d_model, shape.n_layers, attention.query_width, attention.kv_width, shape.d_ff, shape.vocab_size
    sizes_2IA = np.array([(*widths, load.batch, tokens) for tokens in (load.prompt_tokens, load.mean_context)])
    return np.log(sizes_2IA.swapaxes(1, 2)) / LENGTHS_2I[:, None]


def correlation(left_AI: np.ndarray, right_BI: np.ndarray) -> np.ndarray:
    """Correlation of misfits on one device, [A, B]."""
    return np.exp(-0.5 * distance.cdist(left_AI, right_BI, "sqeuclidean"))


def roots(correlation_RR: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The symmetric root of a correlation matrix, and that root's pseudo-inverse."""
    values, vectors = np.linalg.eigh(correlation_RR)
    is_numerical_zero = values <= LEAST_EIGENVALUE
    values, vectors = values[~is_numerical_zero], vectors[:, ~is_numerical_zero]
    return (vectors * np.sqrt(values)) @ vectors.T, (vectors / np.sqrt(values)) @ vectors.T


@dataclasses.dataclass(frozen=True)
class Misfit:
    """Draws of the misfit of the rows that were fitted.

    Attributes:
      sizes_2RI, device_R: the sizes of each row (`sizes_of`), and the index of its device.
      weights_CS2R: in units of the amplitude `ttft_misfit` or `tpot_misfit`, what gives the misfit's expectation
        elsewhere when multiplied by the correlations with the rows.
    """

    sizes_2RI: np.ndarray
    device_R: np.ndarray
    weights_CS2R: np.ndarray

    def draw(
        self, cases: Sequence[Case], device_A: np.ndarray, amplitude_2WA: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Joint draws of the misfits of cases on the devices of these indices, [2, W, A], given amplitudes."""
        weights_W2R = self.weights_CS2R.reshape(-1, *self.weights_CS2R.shape[2:])
        drawn_2WA, sizes_2AI = np.empty(amplitude_2WA.shape), sizes_of(cases)
        for metric, device in np.ndindex(2, int(device_A.max()) + 1):
            new, fitted = np.flatnonzero(device_A == device), np.flatnonzero(self.device_R == device)
            if not len(new):
                continue
            new_AI, fitted_RI = sizes_2AI[metric, new], self.sizes_2RI[metric, fitted]
            across_AR = correlation(new_AI, fitted_RI)
            explained_AR = across_AR @ roots(correlation(fitted_RI, fitted_RI))[1]
            rest_AA = correlation(new_AI, new_AI) - explained_AR @ explained_AR.T
            root_AA = scipy.linalg.cholesky(rest_AA + JITTER * np.eye(len(new)), lower=True)
            rest_WA = rng.standard_normal((len(weights_W2R), len(new))) @ root_AA.T
            drawn_2WA[metric][:, new] = weights_W2R[:, metric, fitted] @ across_AR.T + rest_WA
        return amplitude_2WA * drawn_2WA
