"""A proxy of latency that knows no hardware: a weighted sum of sequential depth, bytes and FLOPs.

    ln T_i = s_device(i) + ln(n_i + β·bytes_i + γ·FLOPs_i)

s, β, γ by least squares in log space; β and γ, what a byte and a FLOP cost in layers, are the same on every device,
so the order in which the proxy puts shapes is too.
"""

import dataclasses

import numpy as np
from scipy.optimize import least_squares

from ie_scaling.latency_law.features import CaseFeatures
from ie_scaling.latency_law.timed_rows import TimedRows

STARTS = (-3.0, 0.0, 3.0)  # of ln β and ln γ, about the values that make the three terms equal


@dataclasses.dataclass(frozen=True)
class Proxy:
    """The weights of one metric, ttft_s or tpot_s.

    Attributes:
      layers_per_byte, layers_per_flop: β and γ.
      seconds_per_layer_K: e^s of each device.
    """

    metric: str
    layers_per_byte: float
    layers_per_flop: float
    seconds_per_layer_K: np.ndarray

    def predict(self, features: CaseFeatures, device_A: np.ndarray) -> np.ndarray:
        """Seconds, [A]."""
        depth, moved, flops = _terms(features, self.metric)
        return self.seconds_per_layer_K[device_A] * (
            depth + self.layers_per_byte * moved + self.layers_per_flop * flops
        )


def fit(rows: TimedRows, metric: str) -> Proxy | None:
    """The proxy of ttft_s or tpot_s; None with fewer rows than it has weights."""
    measured_R = rows.ttft_s_R if metric == "ttft_s" else rows.tpot_s_R
    is_measured_R = np.isfinite(measured_R)
    n_devices = len(rows.devices)
    if is_measured_R.sum() < n_devices + 2:
        return None
    log_measured, device = np.log(measured_R[is_measured_R]), rows.device_R[is_measured_R]
    depth, moved, flops = (term[is_measured_R] for term in _terms(rows.features, metric))
    log_equal = np.log(np.median(depth) / np.array([np.median(moved), np.median(flops)]))

    def residuals(w):
        beta, gamma = np.exp(np.clip(w[:2] + log_equal, -200, 200))
        return w[2:][device] + np.log(depth + beta * moved + gamma * flops) - log_measured

    begin = np.zeros(n_devices + 2)
    begin[2:] = np.mean(log_measured - np.log(depth))
    starts = [begin + np.eye(n_devices + 2)[0] * a + np.eye(n_devices + 2)[1] * b for a in STARTS for b in STARTS]
    best = min((least_squares(residuals, start, max_nfev=200) for start in starts), key=lambda solution: solution.cost)
    beta, gamma = np.exp(np.clip(best.x[:2] + log_equal, -200, 200))
    return Proxy(metric, float(beta), float(gamma), np.exp(best.x[2:]))


def _terms(features: CaseFeatures, metric: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Depth, bytes and FLOPs of a prefill or of a decode step."""
    if metric == "ttft_s":
        return features.n_layers, features.prefill_bytes, features.prefill_flops
    return features.n_layers, features.step_bytes, features.step_flops
