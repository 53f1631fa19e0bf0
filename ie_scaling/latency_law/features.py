"""Features of cases that the latency law reads: bytes, FLOPs and depth, and the ceilings of the device that ran it."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from ie_scaling import accounting, workload
from ie_scaling.errors import InputError
from ie_scaling.workload import Case

# Features whose fitted range is kept, to say how far outside it a case lies.
RANGES = ("n_layers", "batch", "step_bytes", "step_flops", "prefill_flops")


@dataclasses.dataclass(frozen=True)
class CaseFeatures:
    """What the law reads of A cases on their devices; every array is [A].

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
      row_balance: `FittedDevice.row_balance`, which is the same in every session.
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

    def at_speed(self, bandwidth_factor: np.ndarray, rate_factor: np.ndarray) -> "CaseFeatures":
        """The same on devices faster by these factors; factors [W, A] make the ceilings [W, A]."""
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
class FittedDevice:
    """One kind of device in one dtype and mode, with its measured ceilings and the typical error of its medians.

    Attributes:
      sizes: working sets in bytes, powers of two, ascending; `bytes_per_s` is the bandwidth at each.
      errors: typical relative standard error of a row's median of ttft_s and of tpot_s.
      sessions: those it was timed in; `bandwidth_factors`, `rate_factors`: each session's ceilings over these.
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
        """Bytes a second at this working set: interpolated in logs, constant beyond the sizes measured."""
        log_size, logs = math.log(working_set_bytes), (np.log(self.sizes), np.log(self.bytes_per_s))
        return float(np.exp(np.interp(log_size, *logs)))

    @property
    def typical_bandwidth(self) -> float:
        """Geometric mean over the sizes."""
        return float(np.exp(np.mean(np.log(self.bytes_per_s))))

    @property
    def row_balance(self) -> float:
        """Seconds to multiply one row by a weight over seconds to read it, both at the measured ceilings."""
        return 2 / workload.DTYPE_BYTES[self.dtype] * self.typical_bandwidth / self.flops_per_s


def index_of(devices: Sequence[FittedDevice], device_kind: str, dtype: str, mode: str) -> int:
    """The index among `devices` of this one.

    Raises:
      InputError: none is of that kind, or none of that kind was timed in this dtype and mode.
    """
    kinds = list(dict.fromkeys(device.device_kind for device in devices))
    if device_kind not in kinds:
        raise InputError(f"device_kind={device_kind!r}: was not fitted; fitted are {', '.join(kinds)}")
    for index, device in enumerate(devices):
        if (device.device_kind, device.dtype, device.mode) == (device_kind, dtype, mode):
            return index
    fitted = ", ".join(f"{d.dtype} {d.mode}" for d in devices if d.device_kind == device_kind)
    raise InputError(f"dtype={dtype!r}, mode={mode!r}: was not fitted for {device_kind}; fitted are {fitted}")


def features_of(cases: Sequence[Case], devices: Sequence[FittedDevice]) -> CaseFeatures:
    """Features of cases, each on its own device."""
    shape, load = workload.arrays_of(cases)
    unembedding_bytes = load.element_bytes * shape.embedding.matrix_parameters
    step_bytes_A = workload.step_bytes(shape, load).tolist()
    bandwidths = [device.bandwidth(moved) for device, moved in zip(devices, step_bytes_A, strict=True)]
    return CaseFeatures(
        n_layers=shape.n_layers,
        width=np.sqrt(accounting.count_non_embedding_parameters(shape) / shape.n_layers),
        batch=load.batch,
        kv_heads=load.batch * shape.n_kv_heads,
        weight_bytes=workload.step_weight_bytes(shape, load),
        cache_bytes=workload.step_cache_bytes(shape, load),
        matrix_flops=workload.step_matrix_flops(shape, load),
        attention_flops=workload.step_attention_flops(shape, load),
        unembedding_bytes=unembedding_bytes,
        unembedding_flops=load.batch * shape.embedding.unembedding_flops,
        prefill_tokens=load.n_prompt_tokens,
        prefill_head_tokens=load.n_prompt_tokens * shape.n_heads,
        prefill_layer_bytes=workload.prefill_bytes(shape, load) - unembedding_bytes,
        prefill_matrix_flops=workload.prefill_matrix_flops(shape, load),
        prefill_attention_flops=workload.prefill_attention_flops(shape, load),
        bandwidth=np.array(bandwidths, float),
        typical_bandwidth=np.array([device.typical_bandwidth for device in devices], float),
        flops_per_s=np.array([device.flops_per_s for device in devices], float),
        row_balance=np.array([device.row_balance for device in devices], float),
    )
