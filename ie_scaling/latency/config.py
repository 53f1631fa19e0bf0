"""How decoding is timed, and the shapes that are timed by default (no JAX here)."""

import dataclasses

from ie_scaling.running.config import positive, require, seeded, within

MOST_REPEATS, MOST_DEVICES = 1_000_000, 4096
DEFAULT_ARCHITECTURES = (
    "d256-n24-h4-k2-c64-f704-v16384-tied",
    "d384-n10-h6-k2-c64-f1056-v16384-tied",
    "d512-n5-h8-k2-c64-f1408-v16384-tied",
    "d512-n16-h8-k2-c64-f1408-v16384-tied",
    "d768-n7-h12-k4-c64-f2112-v16384-tied",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TimingConfig:
    """How cases are timed, side by side.

    `tensor` devices share each request, heads and MLP split between them. Each case is timed `repeats` to `max_repeats`
    times, until the 95 % interval of the median of e2e_s is within `relative_error`, or until `max_measure_s` a case
    have passed in all.
    """

    tensor: int = 1
    warmup: int = 2
    repeats: int = 10
    max_repeats: int = 40
    relative_error: float = 0.05
    max_measure_s: float = 12.0
    seed: int = 0

    def __post_init__(self) -> None:
        within(self, 1, MOST_REPEATS, "warmup", "repeats", "max_repeats")
        rule = f"must be at least repeats={self.repeats}"
        require(self.max_repeats >= self.repeats, "max_repeats", self.max_repeats, rule)
        within(self, 1, MOST_DEVICES, "tensor")
        positive(self, "relative_error", "max_measure_s")
        seeded(self)
