"""Workload: one decode request, and what serving it costs in bytes and FLOPs (no JAX here)."""

import dataclasses
import enum
from collections.abc import Sequence
from typing import Any

from ie_scaling import accounting
from ie_scaling.architecture import Architecture, Shape
from ie_scaling.parts import larger
from ie_scaling.running.config import one_of, require

DTYPE_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
MOST = 2**31 - 1  # of requests and of positions, which are counted in int32
LENGTHS = {"short": (64, 64), "bian2025": (128, 256), "bian2025b": (4096, 1024)}
"""Named (prompt_tokens, new_tokens): B25's and B25b's workloads, and a short one for a quick look."""


class DecodeMode(enum.StrEnum):
    """How new tokens are dispatched: `loop` all of them inside one jit, `step` one by one."""

    LOOP = "loop"
    STEP = "step"


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Sizes:
    """What follows from a request's sizes, be they numbers or arrays."""

    batch: Any
    prompt_tokens: Any
    new_tokens: Any

    @property
    def n_prompt_tokens(self) -> Any:
        """Of all prompts together."""
        return self.batch * self.prompt_tokens

    @property
    def mean_context(self) -> Any:
        """Positions that one decode step attends to, its own included, averaged over the request's steps."""
        return self.prompt_tokens + self.new_tokens / 2


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Requests(_Sizes):
    """The sizes of A requests as float64 arrays, [A]."""

    element_bytes: Any
    cache_positions: Any

    @classmethod
    def of(cls, workloads: "Sequence[Workload]") -> "Requests":
        """Those of these workloads."""
        import numpy as np  # here, as presets do without it

        names = [field.name for field in dataclasses.fields(cls)]
        return cls(**{name: np.array([getattr(load, name) for load in workloads], np.float64) for name in names})

    @property
    def whole_context(self) -> Any:
        """The mean contexts as whole numbers of positions."""
        return self.mean_context.round()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Workload(_Sizes):
    """One request of fixed length: `batch` prompts of `prompt_tokens`, each continued by `new_tokens`.

    `mode` is a DecodeMode. `temperature` 0 is greedy; above it, tokens are drawn from softmax(logits / temperature).
    `cache_room` is how many positions the KV cache holds; 0 is as many as the request needs.
    """

    batch: int
    prompt_tokens: int
    new_tokens: int
    dtype: str = "float32"
    mode: str = DecodeMode.LOOP.value
    temperature: float = 0.0
    cache_room: int = 0

    def __post_init__(self) -> None:
        for field in ("batch", "prompt_tokens", "new_tokens"):
            value = getattr(self, field)
            whole = isinstance(value, int) and not isinstance(value, bool)
            require(
                whole and 1 <= value <= MOST, field, value, f"must be an integer of at least 1 and at most {MOST:,}"
            )
        one_of(self, "dtype", DTYPE_BYTES)
        one_of(self, "mode", [*DecodeMode])
        require(0 <= self.temperature < float("inf"), "temperature", self.temperature, "must be at least 0")
        rule = f"must hold the prompt of {self.prompt_tokens} and all new tokens but the last: {self._needed}, or be 0"
        require(self.cache_room == 0 or self._needed <= self.cache_room <= MOST, "cache_room", self.cache_room, rule)

    @property
    def _needed(self) -> int:
        return self.prompt_tokens + self.new_tokens - 1  # the last new token is never read back

    @property
    def cache_positions(self) -> int:
        """Positions the cache holds."""
        return self.cache_room or self._needed

    @property
    def whole_context(self) -> int:
        """The mean context as a whole number of positions."""
        return round(self.mean_context)

    @property
    def element_bytes(self) -> int:
        """Bytes an element of the dtype."""
        return DTYPE_BYTES[self.dtype]


@dataclasses.dataclass(frozen=True)
class Case:
    """What is timed: one architecture under one workload."""

    architecture: Architecture
    workload: Workload

    @property
    def name(self) -> str:
        """Of the shape and all that sets this request apart from others."""
        w = self.workload
        name = f"{self.architecture.name} {w.mode} b{w.batch} p{w.prompt_tokens} n{w.new_tokens} s{w.cache_positions}"
        return name + (f" t{w.temperature:g}" if w.temperature else "")


def arrays_of(cases: Sequence[Case]) -> tuple[Shape[Any], Requests]:
    """The sizes of A cases' shapes and requests, which the functions below take as they take one of each."""
    return Shape.of([case.architecture for case in cases]), Requests.of([case.workload for case in cases])


def step_bytes(a: Shape[Any], load: Workload | Requests) -> Any:
    """Bytes that one decode step must move: each weight once, the cache it attends to, one new cache entry."""
    return step_weight_bytes(a, load) + step_cache_bytes(a, load)


def step_weight_bytes(a: Shape[Any], load: Workload | Requests) -> Any:
    """Those of the weights; of an untied input embedding only the rows looked up are read."""
    return _read_bytes(a, load, load.batch)


def step_cache_bytes(a: Shape[Any], load: Workload | Requests) -> Any:
    """Those of the cache, at the request's mean context."""
    return load.batch * load.mean_context * accounting.kv_cache_bytes_per_token(a, load.element_bytes)


def step_flops(a: Shape[Any], load: Workload | Requests) -> Any:
    """FLOPs of one decode step of the whole batch at the request's mean context."""
    return step_matrix_flops(a, load) + step_attention_flops(a, load)


def step_matrix_flops(a: Shape[Any], load: Workload | Requests) -> Any:
    """Those of products with weights."""
    return load.batch * accounting.forward_flops_per_token(a, 0)


def step_attention_flops(a: Shape[Any], load: Workload | Requests) -> Any:
    """Those of attending to the mean context."""
    return load.batch * (a.n_layers * a.attention.attending_flops(load.whole_context))


def prefill_bytes(a: Shape[Any], load: Workload | Requests) -> Any:
    """Bytes that the prompts must move: each weight once, their embeddings, the cache they leave."""
    n_tokens, cached = load.n_prompt_tokens, accounting.kv_cache_bytes_per_token(a, load.element_bytes)
    return _read_bytes(a, load, n_tokens) + n_tokens * cached


def prefill_flops(a: Shape[Any], load: Workload | Requests) -> Any:
    """FLOPs of the prompts: logits at the last position alone, causal attention without its masked half."""
    layers = prefill_matrix_flops(a, load) + prefill_attention_flops(a, load)
    return layers + load.batch * a.embedding.unembedding_flops


def prefill_matrix_flops(a: Shape[Any], load: Workload | Requests) -> Any:
    """Those of products with the weights of layers."""
    return load.n_prompt_tokens * (2 * accounting.count_non_embedding_parameters(a))


def prefill_attention_flops(a: Shape[Any], load: Workload | Requests) -> Any:
    """Those of attending to the prompt."""
    return load.n_prompt_tokens * (a.n_layers * a.attention.causal_attending_flops(load.prompt_tokens))


def _read_bytes(a: Shape[Any], load: Workload | Requests, n_tokens: Any) -> Any:
    """Of the weights, once, and the embeddings of so many tokens."""
    read = accounting.count_parameters(a) - a.embedding.rows_only_parameters + n_tokens * a.d_model
    return read * load.element_bytes


def weight_bytes(a: Shape[Any], load: Workload | Requests) -> Any:
    """Bytes of the weights in the workload's type."""
    return accounting.weight_bytes(a, load.element_bytes)


def cache_bytes(a: Shape[Any], load: Workload | Requests) -> Any:
    """Bytes of the KV cache."""
    return load.batch * load.cache_positions * accounting.kv_cache_bytes_per_token(a, load.element_bytes)


def activation_bytes(a: Shape[Any], load: Workload | Requests) -> Any:
    """Bytes that the prompt's activations take at their peak, about.

    The residual stream twice and, of one layer, queries, keys and values with their mixture or gate and up with their
    product, whichever is more; the attention weights of one block of queries, or, where there are more than two, of the
    two that XLA on a CPU was seen to work on at a time; the logits. Weights, cache and this are together 0.9 to 1.3
    times what XLA allots on a CPU (four shapes, six workloads); not compared on an accelerator.
    """
    wide = load.element_bytes * (2 * a.d_model + larger(a.attention.live_elements, a.mlp.live_elements))
    block = -larger(-prefill_block(load.prompt_tokens), -load.prompt_tokens)  # the smaller
    copies = 2 + 2 * (load.prompt_tokens > 2 * block)  # logits and weights, of one block or two
    attention = copies * 4 * a.attention.weight_elements(block)
    return load.n_prompt_tokens * (wide + attention) + 4 * load.batch * a.vocab_size


def prefill_block(prompt_tokens: Any) -> Any:
    """Queries that attend together while a prompt is read: an eighth of a long prompt, so that programs stay small."""
    return larger(128, prompt_tokens // 8)


def memory_bytes(a: Shape[Any], load: Workload | Requests) -> Any:
    """Bytes that one shape takes while it serves one request: weights, cache and, about, activations."""
    return weight_bytes(a, load) + cache_bytes(a, load) + activation_bytes(a, load)


def floor_s(a: Shape[Any], load: Workload | Requests, bytes_per_s: Any, flops_per_s: Any) -> Any:
    """The least time one decode step can take: max(bytes / bandwidth, FLOPs / rate). It is the floor of tpot_s."""
    return larger(step_bytes(a, load) / bytes_per_s, step_flops(a, load) / flops_per_s)


def prefill_floor_s(a: Shape[Any], load: Workload | Requests, bytes_per_s: Any, flops_per_s: Any) -> Any:
    """The same of the prompt: the floor of ttft_s."""
    return larger(prefill_bytes(a, load) / bytes_per_s, prefill_flops(a, load) / flops_per_s)
