"""What `configs/fit_latency.py` and `configs/predict_latency.py` may set, with defaults and rules (no JAX here)."""

import dataclasses

from ie_scaling.architecture import Architecture
from ie_scaling.errors import InputError
from ie_scaling.inference.config import NutsConfig
from ie_scaling.latency.config import DEFAULT_ARCHITECTURES
from ie_scaling.running.config import one_of, require, seeded
from ie_scaling.shapes import lookup
from ie_scaling.workload import LENGTHS, Workload

FORMS = ("serial", "joint")


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
        one_of(self, "form", FORMS)
        seeded(self)


@dataclasses.dataclass(frozen=True, kw_only=True)
class FitLatencyConfig(LatencyLawConfig):
    """Fit the latency law to latency tables.

    `tables` is a latency.csv, or several with commas between them, each then a session of its own (or several, by a
    column `session`). `where` is a row filter; of the rows it keeps, those that `holdout` (another, "" for none) is
    true for are only predicted. Filters may use every column, and `n_params_total`, `n_params_non_embedding`,
    `step_bytes`, `step_flops` and `shape_index`
    (shapes numbered in the order met: "shape_index % 4 == 0" holds out every fourth with all of its rows).
    """

    tables: str = "runs/time_decode/latency.csv"
    where: str = ""
    holdout: str = ""
    allow_unfinished: bool = False


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


@dataclasses.dataclass(frozen=True, kw_only=True)
class PredictLatencyConfig(RequestConfig):
    """Predict what was not timed: `architectures` (as in time_decode) under one workload, from a fit directory.

    `workload` names the lengths; `prompt_tokens` and `new_tokens` override them. An empty `device_kind`, `dtype` or
    `mode` means the only one that was fitted.
    """

    fit: str = "runs/fit_latency"
    architectures: tuple[str, ...] = DEFAULT_ARCHITECTURES
    allow_unfinished: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        require(bool(self.architectures), "architectures", self.architectures, "must name at least one architecture")
        seeded(self)
        super().__post_init__()
        self.resolve_architectures()

    @property
    def shape_specs(self) -> tuple[str, ...]:
        """The shapes as they were named."""
        return self.architectures

    def resolve_architectures(self) -> tuple[Architecture, ...]:
        """The architectures, in the order given."""
        try:
            return tuple(lookup.resolve(spec) for spec in self.architectures)
        except ValueError as error:
            raise InputError(f"architectures: {error}") from None
