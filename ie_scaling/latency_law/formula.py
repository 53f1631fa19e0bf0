"""The latency law and its priors: the time of a decode step and of a prefill on a device with such parameters.

For a case on device k with its parameters ( ‖a, b‖ is the p-norm of two times, p = `sharpness`),

    TPOT = ε_step + n·(ε_layer + ε_batch·b + ε_head·heads) + ‖(1 + κ·b)·weight bytes/bandwidth, matrix FLOPs/rate‖
                                                           + ‖cache bytes/bandwidth, attention FLOPs/rate‖
    TTFT = ε_prefill + n·(ε_prefill_layer + ε_prefill_head·head tokens)
                                         + ‖bytes/bandwidth, matrix FLOPs/rate + attention FLOPs/rate‖
                                         + ‖(1 + κ·b)·unembedding bytes/bandwidth, its FLOPs/rate‖

where b = 1 − 1/batch, `heads` are a layer's KV heads over all requests, and `head tokens` its query heads times the
tokens of all prompts. The form `joint` has one norm in TPOT, of all bytes and of all FLOPs.

Bandwidths and rates are efficiencies times the device's measured ceilings. The bandwidth follows the ceiling at the
working set to the power `size_trust`; the matrix rate grows with the rows multiplied at once to the power `batch_gain`
and with the width of the products to the power `width_gain`, a prefill's likewise. The logits of a prefill, for one
token a request, cost what a decode step's do. Parameters are stated as combinations that data determine:

    step_efficiency          of one row: time to read the weights at the ceiling, over ‖reading, multiplying‖
    efficiency_ratio         efficiency of reading weights over that of multiplying by them
    batch_reread             κ: traffic of a product with several rows beyond the weights, over the weights
    batch_overhead_s         ε_batch of 8 layers: what several rows cost however small the weights
    overhead_s, fixed_share  ε_step + 8·ε_layer, and the share of ε_step in it; a prefill's likewise
    head_overhead_s          ε_head: small products of attention; prefill_head_overhead_s: work on heads one by one

Devices are alike:

    z_kp ~ Normal(μ_p, λ·spread_p)   free coordinates of device k; μ_p ~ Normal(center_p, spread_p)
    λ ~ LogNormal(ln 0.5, 0.5)

and x = (z − center)/spread, with every μ_p integrated out. How measured times differ from the law is in likelihood.py.
K devices, P parameters, W draws. Dictionaries `z` have free coordinates under their own names, such as log_overhead_s;
parameters by name, such as overhead_s, are in seconds or without units.
"""

import dataclasses
import enum
import math
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ie_scaling.latency_law.config import RooflineForm
from ie_scaling.latency_law.features import CaseFeatures

# Layers for which overheads are stated: data determine their total and ε_step's share, not ε_step and ε_layer.
TYPICAL_DEPTH = 8.0
PREFILL_ROWS, TYPICAL_WIDTH = 256.0, 1500.0  # rows at once and root of a layer's parameters, of stated matrix rates


class Link(enum.StrEnum):
    """What of a parameter is its free coordinate."""

    LOG = enum.auto()
    LOGIT = enum.auto()
    LOG_ABOVE_ONE = enum.auto()  # ln(value − 1)
    IDENTITY = enum.auto()


FREE_NAMES = {Link.LOG: "log_{}", Link.LOGIT: "logit_{}", Link.LOG_ABOVE_ONE: "log_{}_minus_1", Link.IDENTITY: "{}"}
SUPPORTS = {Link.LOG: (0.0, math.inf), Link.LOGIT: (0.0, 1.0), Link.LOG_ABOVE_ONE: (1.0, math.inf)}


@dataclasses.dataclass(frozen=True)
class DeviceParameter:
    """One of a device's parameters: how it follows from its free coordinate, whose prior is Normal(center, spread)."""

    name: str
    link: Link
    center: float
    spread: float

    @property
    def free_name(self) -> str:
        """The name of the free coordinate."""
        return FREE_NAMES[self.link].format(self.name)

    @property
    def support(self) -> tuple[float, float]:
        """The least and the largest value."""
        return SUPPORTS.get(self.link, (-math.inf, math.inf))

    def constrain(self, z: Any, xp: ModuleType = np) -> Any:
        """The parameter's value from its free coordinate; arrays of NumPy or jax.numpy, whichever `xp` is."""
        if self.link is Link.IDENTITY:
            return z
        if self.link is Link.LOGIT:
            return 1 / (1 + xp.exp(-z))
        return xp.exp(z) + (1 if self.link is Link.LOG_ABOVE_ONE else 0)

    def free(self, value: np.ndarray) -> np.ndarray:
        """The inverse of `constrain`."""
        if self.link is Link.IDENTITY:
            return value
        if self.link is Link.LOGIT:
            return np.log(value / (1 - value))
        return np.log(value - (1 if self.link is Link.LOG_ABOVE_ONE else 0))


PARAMETERS = (
    DeviceParameter("overhead_s", Link.LOG, math.log(3e-4), 1.3),
    DeviceParameter("fixed_share", Link.LOGIT, -1.0, 1.2),
    DeviceParameter("batch_overhead_s", Link.LOG, math.log(2e-4), 1.5),
    DeviceParameter("step_efficiency", Link.LOG, math.log(0.7), 0.5),
    DeviceParameter("efficiency_ratio", Link.LOG, math.log(2.3), 0.9),
    DeviceParameter("cache_efficiency", Link.LOG, math.log(0.5), 0.7),
    DeviceParameter("head_overhead_s", Link.LOG, math.log(5e-7), 1.5),
    DeviceParameter("batch_gain", Link.IDENTITY, 0.2, 0.2),
    DeviceParameter("width_gain", Link.IDENTITY, 0.1, 0.15),
    DeviceParameter("batch_reread", Link.LOG, math.log(0.3), 1.5),
    DeviceParameter("attention_efficiency", Link.LOG, math.log(0.1), 1.0),
    DeviceParameter("prefill_overhead_s", Link.LOG, math.log(1e-3), 1.5),
    DeviceParameter("prefill_fixed_share", Link.LOGIT, -1.0, 1.2),
    DeviceParameter("prefill_head_overhead_s", Link.LOG, math.log(1e-8), 1.5),
    DeviceParameter("prefill_matrix_efficiency", Link.LOG, math.log(0.6), 0.6),
    DeviceParameter("prefill_batch_gain", Link.IDENTITY, 0.1, 0.15),
    DeviceParameter("prefill_width_gain", Link.IDENTITY, 0.1, 0.15),
    DeviceParameter("prefill_attention_efficiency", Link.LOG, math.log(0.2), 1.0),
    DeviceParameter("sharpness", Link.LOG_ABOVE_ONE, math.log(3.0), 0.7),
    DeviceParameter("size_trust", Link.LOGIT, 1.0, 1.5),
    DeviceParameter("ttft_misfit", Link.LOG, math.log(0.05), 0.5),
    DeviceParameter("tpot_misfit", Link.LOG, math.log(0.05), 0.5),
    DeviceParameter("ttft_noise", Link.LOG, math.log(0.03), 0.5),
    DeviceParameter("tpot_noise", Link.LOG, math.log(0.03), 0.5),
)
NAMES = tuple(parameter.name for parameter in PARAMETERS)
CENTER_P = np.array([parameter.center for parameter in PARAMETERS])
SPREAD_P = np.array([parameter.spread for parameter in PARAMETERS])
LOG_LAMBDA = (math.log(0.5), 0.5)


def free_of(x_P: Any) -> dict[str, Any]:
    """Free coordinates z by their own names from standardized ones, whose first axis is P."""
    return {p.free_name: p.center + p.spread * x_P[i] for i, p in enumerate(PARAMETERS)}


def constrain(x_P: np.ndarray) -> dict[str, np.ndarray]:
    """Parameters by name from standardized coordinates, whose first axis is P."""
    return {p.name: p.constrain(p.center + p.spread * x_P[i]) for i, p in enumerate(PARAMETERS)}


def free_from(values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Free coordinates z by their own names from parameters by name."""
    return {p.free_name: p.free(values[p.name]) for p in PARAMETERS}


def derived(v: Mapping[str, np.ndarray], row_balance_K: np.ndarray) -> dict[str, np.ndarray]:
    """The overheads, in seconds, and the efficiencies as the formulas have them, from parameters by name [..., K]."""
    logs = np.log(v["step_efficiency"]), np.log(v["efficiency_ratio"]), np.log(row_balance_K)
    efficiencies = np.exp(_log_efficiencies(*logs, v["sharpness"], np))
    values = dict(zip(("weight_efficiency", "matrix_efficiency"), efficiencies, strict=True))
    for tail in ("", "prefill_"):
        total, share = v[f"{tail}overhead_s"], v[f"{tail}fixed_share"]
        values |= {f"{tail}step_overhead_s": total * share}
        values |= {f"{tail}layer_overhead_s": total * (1 - share) / TYPICAL_DEPTH}
    return values | {"batch_layer_overhead_s": v["batch_overhead_s"] / TYPICAL_DEPTH}


def log_step_s(z: Mapping[str, Any], f: CaseFeatures, form: RooflineForm | str, xp: ModuleType = np) -> Any:
    """ln seconds of a decode step; free coordinates and features broadcast against each other."""
    log_bandwidth, sharpness = _log_bandwidth(z, f, xp), 1 + xp.exp(z["log_sharpness_minus_1"])
    weights, matrix = _few_rows(z, f, f.weight_bytes, f.matrix_flops, log_bandwidth, xp)
    cache = np.log(f.cache_bytes) - z["log_cache_efficiency"] - log_bandwidth
    attention = np.log(f.attention_flops / f.flops_per_s) - z["log_attention_efficiency"]
    overhead = _overhead(z["log_overhead_s"], z["logit_fixed_share"], f, xp)
    overhead = overhead + xp.exp(z["log_batch_overhead_s"]) * (1 - 1 / f.batch) * f.n_layers / TYPICAL_DEPTH
    overhead = overhead + xp.exp(z["log_head_overhead_s"]) * f.kv_heads * f.n_layers
    if form == RooflineForm.JOINT:
        moved, computed = xp.logaddexp(weights, cache), xp.logaddexp(matrix, attention)
        return xp.log(overhead + xp.exp(log_norm(moved, computed, sharpness, xp)))
    parts = log_norm(weights, matrix, sharpness, xp), log_norm(cache, attention, sharpness, xp)
    return xp.log(overhead + xp.exp(parts[0]) + xp.exp(parts[1]))


def log_prefill_s(z: Mapping[str, Any], f: CaseFeatures, xp: ModuleType = np) -> Any:
    """ln seconds of a prefill; free coordinates and features broadcast against each other."""
    weight_efficiency, _ = _log_efficiencies_of(z, f, xp)
    log_bandwidth = _log_bandwidth(z, f, xp)
    moved = np.log(f.prefill_layer_bytes) - weight_efficiency - log_bandwidth
    gain = z["prefill_batch_gain"] * np.log(f.prefill_tokens / PREFILL_ROWS)
    gain = gain + z["prefill_width_gain"] * np.log(f.width / TYPICAL_WIDTH)
    matrix = np.log(f.prefill_matrix_flops / f.flops_per_s) - z["log_prefill_matrix_efficiency"] - gain
    attention = np.log(f.prefill_attention_flops / f.flops_per_s) - z["log_prefill_attention_efficiency"]
    overhead = _overhead(z["log_prefill_overhead_s"], z["logit_prefill_fixed_share"], f, xp)
    overhead = overhead + xp.exp(z["log_prefill_head_overhead_s"]) * f.prefill_head_tokens * f.n_layers
    computed, sharpness = xp.logaddexp(matrix, attention), 1 + xp.exp(z["log_sharpness_minus_1"])
    logits = log_norm(*_few_rows(z, f, f.unembedding_bytes, f.unembedding_flops, log_bandwidth, xp), sharpness, xp)
    return xp.log(overhead + xp.exp(log_norm(moved, computed, sharpness, xp)) + xp.exp(logits))


def _few_rows(z: Mapping[str, Any], f: CaseFeatures, read: Any, flops: Any, log_bandwidth: Any, xp: ModuleType) -> Any:
    """ln seconds of reading weights and of multiplying by them, with a row for each request of the batch."""
    weight_efficiency, matrix_efficiency = _log_efficiencies_of(z, f, xp)
    again = xp.log1p(xp.exp(z["log_batch_reread"]) * (1 - 1 / f.batch))
    weights = np.log(read) + again - weight_efficiency - log_bandwidth
    gain = z["batch_gain"] * np.log(f.batch) + z["width_gain"] * np.log(f.width / TYPICAL_WIDTH)
    return weights, np.log(flops / f.flops_per_s) - matrix_efficiency - gain


def log_norm(log_a: Any, log_b: Any, p: Any, xp: ModuleType = np) -> Any:
    """ln (aᵖ + bᵖ)^(1/p)."""
    return xp.logaddexp(p * log_a, p * log_b) / p


def _overhead(log_total: Any, share_logit: Any, f: CaseFeatures, xp: ModuleType) -> Any:
    """ε_step + n·ε_layer, as what TYPICAL_DEPTH layers take and the share of it that does not grow with depth."""
    share = 1 / (1 + xp.exp(-share_logit))
    return xp.exp(log_total) * (share + (1 - share) * f.n_layers / TYPICAL_DEPTH)


def _log_efficiencies_of(z: Mapping[str, Any], f: CaseFeatures, xp: ModuleType) -> Any:
    sharpness = 1 + xp.exp(z["log_sharpness_minus_1"])
    return _log_efficiencies(z["log_step_efficiency"], z["log_efficiency_ratio"], np.log(f.row_balance), sharpness, xp)


def _log_efficiencies(log_step: Any, log_ratio: Any, log_balance: Any, sharpness: Any, xp: ModuleType) -> Any:
    """ln of the efficiencies of reading weights and of multiplying by them."""
    log_weight = log_step + log_norm(xp.zeros_like(log_step), log_balance + log_ratio, sharpness, xp)
    return log_weight, log_weight - log_ratio


def _log_bandwidth(z: Mapping[str, Any], f: CaseFeatures, xp: ModuleType) -> Any:
    trust = 1 + xp.exp(-z["logit_size_trust"])
    return np.log(f.typical_bandwidth) + np.log(f.bandwidth / f.typical_bandwidth) / trust


def log_density_of_devices(x_PK: Any, log_lambda: Any) -> jax.Array:
    """ln of the density of x, normal over K with covariance λ²·I + 1, which needs no factorization."""
    n_parameters, n_devices = x_PK.shape
    variance = jnp.exp(2 * log_lambda)
    total = variance + n_devices
    squares = jnp.sum(x_PK**2) - jnp.sum(jnp.sum(x_PK, axis=1) ** 2) / total
    log_determinant = 2 * (n_devices - 1) * log_lambda + jnp.log(total)
    return -0.5 * (squares / variance + n_parameters * (log_determinant + n_devices * math.log(2 * math.pi)))


def draw_prior(rng: np.random.Generator, n_draws: int, n_devices: int) -> np.ndarray:
    """Draws of standardized coordinates of devices that share a population, [P, W, K]."""
    spread_W = np.exp(LOG_LAMBDA[0] + LOG_LAMBDA[1] * rng.standard_normal(n_draws))
    common_PW = rng.standard_normal((len(PARAMETERS), n_draws))
    own_PWK = rng.standard_normal((len(PARAMETERS), n_draws, n_devices))
    return common_PW[..., None] + spread_W[None, :, None] * own_PWK
