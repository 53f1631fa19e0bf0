"""How the latency law is fitted, and which request it predicts (no JAX here)."""

import dataclasses
import enum

from ie_scaling.inference.config import NutsConfig
from ie_scaling.running.config import one_of, seeded
from ie_scaling.workload import LENGTHS, Workload


class RooflineForm(enum.StrEnum):
    """What the roofline of a decode step is over.

    `serial` has one over the weights and, after it, one over the cache; `joint` a single one over all bytes and all
    FLOPs.
    """

    SERIAL = enum.auto()
    JOINT = enum.auto()


@dataclasses.dataclass(frozen=True, kw_only=True)
class LatencyLawConfig:
    """How the latency law is fitted.

    `form` says what a decode step's roofline is over: `serial` has one over the weights and, after it, one over the
    cache; `joint` a single one over all bytes and all FLOPs. With fewer than 48 rows the warm-up is twice as long; with
    fewer than 48 a device `target_accept` is at least 0.99.
    """

    form: str = "serial"
    seed: int = 0
    nuts: NutsConfig = NutsConfig(n_warmup=500, n_samples=500, target_accept=0.98)

    def __post_init__(self) -> None:
        one_of(self, "form", RooflineForm)
        seeded(self)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RequestConfig:
    """The request whose latency is predicted, and the device that serves it.

    `workload` names the lengths; `prompt_tokens` and `new_tokens` override them. An empty `device_kind`, `dtype` or
    `mode` means the only one that was fitted.
    """

    device_kind: str = ""
    workload: str = "short"
    batch: int = 1
    prompt_tokens: int | None = None
    new_tokens: int | None = None
    dtype: str = ""
    mode: str = ""

    def __post_init__(self) -> None:
        one_of(self, "workload", LENGTHS)
        self.resolve_workload(self.dtype or "float32", self.mode or "loop")

    def resolve_workload(self, dtype: str, mode: str) -> Workload:
        """The workload in this dtype and mode."""
        prompt_tokens, new_tokens = LENGTHS[self.workload]
        return Workload(
            batch=self.batch,
            prompt_tokens=prompt_tokens if self.prompt_tokens is None else self.prompt_tokens,
            new_tokens=new_tokens if self.new_tokens is None else self.new_tokens,
            dtype=dtype,
            mode=mode,
        )
