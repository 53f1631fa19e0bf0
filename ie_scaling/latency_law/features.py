"""What the latency law knows of a case: its bytes, FLOPs and depth, and the ceilings of the device it runs on."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from ie_scaling import accounting
from ie_scaling import workload as workload_lib
from ie_scaling.architecture import Architecture
from ie_scaling.workload import Case, Workload

RANGES = (
    "n_layers",
    "batch",
    "step_bytes",
    "step_flops",
    "prefill_flops",
)  # of Features: what a case is far outside of


@dataclasses.dataclass(frozen=True)
class Features:
    """What the law knows of A cases on their devices; every array is [A].

    Attributes:
      n_layers: sequential depth.
      width: root of the parameters of a layer, which is how wide its products are.
      batch: requests decoded together; `kv_heads`: those of a layer, of all of them.
      weight_bytes, cache_bytes: what a decode step moves at the request's mean context.
      matrix_flops, attention_flops: what a decode step computes, outside attention and within.
      unembedding_bytes, unembedding_flops: what the logits of each request's last token read and compute.
      prefill_layer_bytes, prefill_matrix_flops, prefill_attention_flops: the same of the prompt, but for those logits.
      prefill_tokens: of all prompts together; `prefill_head_tokens`: times the query heads of a layer.
      bandwidth: the device's measured bytes a second at the step's working set.
      typical_bandwidth: geometric mean of the device's bandwidths over the sizes measured.
      flops_per_s: the device's measured rate.
      row_balance: `Device.row_balance`, which does not follow the hour.
    """

    n_layers: np.ndarray
    width: np.ndarray
    batch: np.ndarray
    kv_heads: np.ndarray
    weight_bytes: np.ndarray
    cache_bytes: np.ndarray
    matrix_flops: np.ndarray
    attention_flops: np.ndarray
    unembedding_bytes: np.ndarray
    unembedding_flops: np.ndarray
    prefill_tokens: np.ndarray
    prefill_head_tokens: np.ndarray
    prefill_layer_bytes: np.ndarray
    prefill_matrix_flops: np.ndarray
    prefill_attention_flops: np.ndarray
    bandwidth: np.ndarray
    typical_bandwidth: np.ndarray
    flops_per_s: np.ndarray
    row_balance: np.ndarray

    def at_speed(self, bandwidth_factor: np.ndarray, rate_factor: np.ndarray) -> "Features":
        """The same on devices so much faster; factors that are [W, A] make the ceilings that too."""
        return dataclasses.replace(
            self,
            bandwidth=self.bandwidth * bandwidth_factor,
            typical_bandwidth=self.typical_bandwidth * bandwidth_factor,
            flops_per_s=self.flops_per_s * rate_factor,
        )

    @property
    def step_bytes(self) -> np.ndarray:
        """Bytes of a decode step."""
        return self.weight_bytes + self.cache_bytes

    @property
    def step_flops(self) -> np.ndarray:
        """FLOPs of a decode step."""
        return self.matrix_flops + self.attention_flops

    @property
    def prefill_bytes(self) -> np.ndarray:
        """Bytes of the prompt."""
        return self.prefill_layer_bytes + self.unembedding_bytes

    @property
    def prefill_flops(self) -> np.ndarray:
        """FLOPs of the prompt."""
        return self.prefill_matrix_flops + self.prefill_attention_flops + self.unembedding_flops


@dataclasses.dataclass(frozen=True)
class Device:
    """One kind of device in one dtype and mode, with its measured ceilings and how well its medians are known.

    Attributes:
      sizes: working sets in bytes, powers of two, ascending; `bytes_per_s` is the bandwidth at each.
      errors: typical relative standard error of a row's median of ttft_s and of tpot_s.
      sessions: those it was timed in, with how fast it was in each: the session's own ceilings over these.
    """

    device_kind: str
    dtype: str
    mode: str
    sizes: tuple[float, ...]
    bytes_per_s: tuple[float, ...]
    flops_per_s: float
    errors: tuple[float, float]
    sessions: tuple[str, ...] = ()
    bandwidth_factors: tuple[float, ...] = ()
    rate_factors: tuple[float, ...] = ()

    @property
    def name(self) -> str:
        """Kind, dtype and mode."""
        return f"{self.device_kind} {self.dtype} {self.mode}"

    def bandwidth(self, working_set_bytes: float) -> float:
        """Bytes a second at this working set: interpolated between the logs, the nearest one's outside."""
        log_size, logs = math.log(working_set_bytes), (np.log(self.sizes), np.log(self.bytes_per_s))
        return float(np.exp(np.interp(log_size, *logs)))

    @property
    def typical_bandwidth(self) -> float:
        """Geometric mean over the sizes."""
        return float(np.exp(np.mean(np.log(self.bytes_per_s))))

    @property
    def row_balance(self) -> float:
        """Seconds to multiply one row by a weight over seconds to read it, both at the measured ceilings."""
        return 2 / workload_lib.DTYPE_BYTES[self.dtype] * self.typical_bandwidth / self.flops_per_s


def place_of(devices: Sequence[Device], device_kind: str, dtype: str, mode: str) -> int:
    """Where among `devices` this one stands.

    Raises:
      ValueError: none is of that kind, or none of that kind was timed in this dtype and mode.
    """
    kinds = list(dict.fromkeys(device.device_kind for device in devices))
    if device_kind not in kinds:
        raise ValueError(f"device_kind={device_kind!r}: was not fitted; fitted are {', '.join(kinds)}")
    for place, device in enumerate(devices):
        if (device.device_kind, device.dtype, device.mode) == (device_kind, dtype, mode):
            return place
    known = ", ".join(f"{d.dtype} {d.mode}" for d in devices if d.device_kind == device_kind)
    raise ValueError(f"dtype={dtype!r}, mode={mode!r}: was not fitted for {device_kind}; fitted are {known}")


def features_of(cases: Sequence[Case], devices: Sequence[Device]) -> Features:
    """Features of cases, each on its device."""
    rows = [_features(case.architecture, case.workload, device) for case, device in zip(cases, devices, strict=True)]
    columns = np.array(rows, float).reshape(len(rows), len(dataclasses.fields(Features)))
    return Features(*columns.T)


def _features(a: Architecture, load: Workload, device: Device) -> tuple[float, ...]:
    size, tokens = workload_lib.DTYPE_BYTES[load.dtype], load.batch * load.prompt_tokens
    moved = workload_lib.step_bytes(a, load)
    cache = load.batch * load.mean_context * accounting.kv_cache_bytes_per_token(a, size)
    matrix = load.batch * accounting.forward_flops_per_token(a, 0)
    unembedding = a.vocab_size * a.d_model
    prefill_matrix = tokens * (accounting.forward_flops_per_token(a, 0) - 2 * unembedding)
    prefill_attention = workload_lib.prefill_flops(a, load) - prefill_matrix - 2 * load.batch * unembedding
    return (
        a.n_layers,
        math.sqrt(accounting.count_non_embedding_parameters(a) / a.n_layers),
        load.batch,
        load.batch * a.n_kv_heads,
        moved - cache,
        cache,
        matrix,
        workload_lib.step_flops(a, load) - matrix,
        size * unembedding,
        2 * load.batch * unembedding,
        tokens,
        tokens * a.n_heads,
        workload_lib.prefill_bytes(a, load) - size * unembedding,
        prefill_matrix,
        max(prefill_attention, 1.0),
        device.bandwidth(moved),
        device.typical_bandwidth,
        device.flops_per_s,
        device.row_balance,
    )
