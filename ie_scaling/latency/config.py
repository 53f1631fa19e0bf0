"""TimeDecodeConfig: what `configs/time_decode.py` may set, with its defaults and rules (no JAX here)."""

import dataclasses

from ie_scaling.architecture import Architecture
from ie_scaling.errors import InputError
from ie_scaling.running.config import one_of, positive, require, seeded, within
from ie_scaling.shapes import lookup
from ie_scaling.workload import LENGTHS, Case, Workload

MOST_REPEATS, MOST_DEVICES = 1_000_000, 4096
DEFAULT_ARCHITECTURES = (
    "d256-n24-h4-k2-c64-f704-v16384-tied",
    "d384-n10-h6-k2-c64-f1056-v16384-tied",
    "d512-n5-h8-k2-c64-f1408-v16384-tied",
    "d512-n16-h8-k2-c64-f1408-v16384-tied",
    "d768-n7-h12-k4-c64-f2112-v16384-tied",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TimeDecodeConfig:
    """Time decoding of a list of architectures, each at each batch size, side by side, with random weights.

    Each of `architectures` is a shape's name (d512-n8-h8-k2-c64-f1536-v50432), a public model's (llama-3.2-1b) or the
    path of a Hugging Face config.json. `workload` names the lengths; `prompt_tokens` and `new_tokens` override them.
    `temperature` 0 is greedy. `cache_room` 0 is as many as the request needs. `dtype` "auto" is float32 on a CPU
    and bfloat16 on accelerators. `tensor` devices share each request, heads and MLP split between them. Each case is
    timed `repeats` to `max_repeats` times, until the 95 % interval of the median of e2e_s is within `relative_error`,
    or until `max_measure_s` a case have passed in all.
    """

    architectures: tuple[str, ...] = DEFAULT_ARCHITECTURES
    workload: str = "short"
    batch: tuple[int, ...] = (1,)
    prompt_tokens: int | None = None
    new_tokens: int | None = None
    dtype: str = "auto"
    mode: str = "loop"
    temperature: float = 0.0
    cache_room: int = 0
    tensor: int = 1
    warmup: int = 2
    repeats: int = 10
    max_repeats: int = 40
    relative_error: float = 0.05
    max_measure_s: float = 12.0
    seed: int = 0

    def __post_init__(self) -> None:
        require(bool(self.architectures), "architectures", self.architectures, "must name at least one architecture")
        require(bool(self.batch), "batch", self.batch, "must name at least one batch size")
        one_of(self, "workload", LENGTHS)
        within(self, 1, MOST_REPEATS, "warmup", "repeats", "max_repeats")
        rule = f"must be at least repeats={self.repeats}"
        require(self.max_repeats >= self.repeats, "max_repeats", self.max_repeats, rule)
        within(self, 1, MOST_DEVICES, "tensor")
        positive(self, "relative_error", "max_measure_s")
        seeded(self)
        self.resolve_workloads("float32")
        require(len(set(self.batch)) == len(self.batch), "batch", self.batch, "must not name one twice")
        names = [a.name for a in self.resolve_architectures()]
        for spec, name in zip(self.architectures, names, strict=True):
            require(names.count(name) == 1, "architectures", spec, "is listed twice")

    @property
    def shape_specs(self) -> tuple[str, ...]:
        """The shapes as they were named."""
        return self.architectures

    def resolve_architectures(self) -> tuple[Architecture, ...]:
        """The architectures, in the order given."""
        resolved = []
        for spec in self.architectures:
            try:
                resolved.append(lookup.resolve(spec))
            except InputError as error:
                raise InputError(f"architectures: {error}") from None
        return tuple(resolved)

    def resolve_workloads(self, auto_dtype: str) -> tuple[Workload, ...]:
        """The workload at each batch size, with `auto_dtype` where dtype is "auto"."""
        prompt_tokens, new_tokens = LENGTHS[self.workload]
        return tuple(
            Workload(
                batch=batch,
                prompt_tokens=prompt_tokens if self.prompt_tokens is None else self.prompt_tokens,
                new_tokens=new_tokens if self.new_tokens is None else self.new_tokens,
                dtype=auto_dtype if self.dtype == "auto" else self.dtype,
                mode=self.mode,
                temperature=self.temperature,
                cache_room=self.cache_room,
            )
            for batch in self.batch
        )

    def resolve_cases(self, auto_dtype: str) -> tuple[Case, ...]:
        """Every architecture under the workload at every batch size."""
        loads = self.resolve_workloads(auto_dtype)
        return tuple(Case(architecture=a, workload=load) for a in self.resolve_architectures() for load in loads)
