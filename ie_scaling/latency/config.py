"""TimeDecodeConfig: what `configs/time_decode.py` may set, with its defaults and rules (no JAX here)."""

import dataclasses

from ie_scaling import shapes
from ie_scaling.architecture import Architecture
from ie_scaling.latency.workload import LENGTHS, Workload

DEFAULT_ARCHITECTURES = (
    "d256-n24-h4-k2-c64-f704-v16384-tied",
    "d384-n10-h6-k2-c64-f1056-v16384-tied",
    "d512-n5-h8-k2-c64-f1408-v16384-tied",
    "d512-n16-h8-k2-c64-f1408-v16384-tied",
    "d768-n7-h12-k4-c64-f2112-v16384-tied",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TimeDecodeConfig:
    """Time greedy decoding of a list of architectures, side by side, with random weights.

    Each of `architectures` is a shape's name (d512-n8-h8-k2-c64-f1536-v50432), a public model's (llama-3.2-1b) or the
    path of a Hugging Face config.json. `workload` names the lengths; `prompt_tokens` and `new_tokens` override them.
    `dtype` "auto" is float32 on a CPU and bfloat16 on accelerators. Each is timed `repeats` to `max_repeats` times,
    until the 95 % interval of the median of e2e_s is within `relative_error` for all or `max_measure_s` have passed.
    """

    architectures: tuple[str, ...] = DEFAULT_ARCHITECTURES
    workload: str = "short"
    batch: int = 1
    prompt_tokens: int | None = None
    new_tokens: int | None = None
    dtype: str = "auto"
    mode: str = "loop"
    warmup: int = 2
    repeats: int = 10
    max_repeats: int = 40
    relative_error: float = 0.05
    max_measure_s: float = 60.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.architectures:
            raise ValueError("architectures=(): must name at least one architecture")
        if self.workload not in LENGTHS:
            raise ValueError(f"workload={self.workload!r}: must be one of {', '.join(LENGTHS)}")
        for field, least in (("warmup", 1), ("repeats", 1), ("max_repeats", self.repeats), ("seed", 0)):
            if getattr(self, field) < least:
                raise ValueError(f"{field}={getattr(self, field)}: must be at least {least}")
        for field in ("relative_error", "max_measure_s"):
            if not getattr(self, field) > 0:
                raise ValueError(f"{field}={getattr(self, field)}: must be above zero")
        self.resolve_workload("float32")
        names = [a.name for a in self.resolve_architectures()]
        for spec, name in zip(self.architectures, names, strict=True):
            if names.count(name) > 1:
                raise ValueError(f"architectures={spec!r}: is listed twice")

    def resolve_architectures(self) -> tuple[Architecture, ...]:
        """The architectures, in the order given."""
        resolved = []
        for spec in self.architectures:
            try:
                resolved.append(shapes.resolve(spec))
            except ValueError as error:
                raise ValueError(f"architectures: {error}") from None
        return tuple(resolved)

    def resolve_workload(self, auto_dtype: str) -> Workload:
        """The workload, with `auto_dtype` where dtype is "auto"."""
        prompt_tokens, new_tokens = LENGTHS[self.workload]
        return Workload(
            batch=self.batch,
            prompt_tokens=prompt_tokens if self.prompt_tokens is None else self.prompt_tokens,
            new_tokens=new_tokens if self.new_tokens is None else self.new_tokens,
            dtype=auto_dtype if self.dtype == "auto" else self.dtype,
            mode=self.mode,
        )
