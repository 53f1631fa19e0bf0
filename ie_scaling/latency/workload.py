"""Workload: one decode request, and what serving it costs in bytes and FLOPs (no JAX here)."""

import dataclasses

from ie_scaling import accounting
from ie_scaling.architecture import Architecture

DTYPE_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
MODES = ("loop", "step")
LENGTHS = {"short": (64, 64), "bian2025": (128, 256), "bian2025b": (4096, 1024)}
"""Named (prompt_tokens, new_tokens): B25's and B25b's workloads, and a short one for a quick look."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Workload:
    """One greedy request of fixed length: `batch` prompts of `prompt_tokens`, each continued by `new_tokens`.

    `mode` is "loop" (all new tokens inside one jit) or "step" (one dispatch a token).
    """

    batch: int
    prompt_tokens: int
    new_tokens: int
    dtype: str = "float32"
    mode: str = "loop"

    def __post_init__(self) -> None:
        for field in ("batch", "prompt_tokens", "new_tokens"):
            value = getattr(self, field)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"{field}={value!r}: must be an integer of at least 1")
        if self.dtype not in DTYPE_BYTES:
            raise ValueError(f"dtype={self.dtype!r}: must be one of {', '.join(DTYPE_BYTES)}")
        if self.mode not in MODES:
            raise ValueError(f"mode={self.mode!r}: must be one of {', '.join(MODES)}")

    @property
    def cache_positions(self) -> int:
        """Positions the cache must hold: all but the last new token, which is never read back."""
        return self.prompt_tokens + self.new_tokens - 1

    @property
    def mean_context(self) -> float:
        """Positions that one decode step attends to, its own included, averaged over the request's steps."""
        return self.prompt_tokens + self.new_tokens / 2


def step_bytes(a: Architecture, workload: Workload) -> float:
    """Bytes that one decode step must move: each weight once, the cache it attends to, one new cache entry.

    Of an untied input embedding only the rows looked up are read.
    """
    size = DTYPE_BYTES[workload.dtype]
    unread = 0 if a.tied_embeddings else a.vocab_size * a.d_model
    weights = (accounting.count_parameters(a) - unread + workload.batch * a.d_model) * size
    return weights + workload.batch * workload.mean_context * accounting.kv_cache_bytes_per_token(a, size)


def step_flops(a: Architecture, workload: Workload) -> float:
    """FLOPs of one decode step of the whole batch at the request's mean context."""
    return workload.batch * accounting.forward_flops_per_token(a, round(workload.mean_context))


def request_flops(a: Architecture, workload: Workload) -> float:
    """FLOPs of a whole request, prompt included."""
    prompt = workload.batch * workload.prompt_tokens
    prompt_flops = prompt * accounting.forward_flops_per_token(a, workload.prompt_tokens)
    return prompt_flops + (workload.new_tokens - 1) * step_flops(a, workload)


def memory_bytes(a: Architecture, workload: Workload) -> int:
    """Bytes that weights and cache take while this shape is being timed."""
    size = DTYPE_BYTES[workload.dtype]
    cache = workload.batch * workload.cache_positions * accounting.kv_cache_bytes_per_token(a, size)
    return accounting.weight_bytes(a, size) + cache


def floor_s(a: Architecture, workload: Workload, bytes_per_s: float, flops_per_s: float) -> float:
    """The least time one decode step can take: max(bytes / bandwidth, FLOPs / rate). It is the floor of tpot_s."""
    return max(step_bytes(a, workload) / bytes_per_s, step_flops(a, workload) / flops_per_s)
