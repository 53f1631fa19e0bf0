"""Predict the latency of architectures that were not timed: how fast would they be here, and how sure is that?"""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ie_scaling.errors import InputError
from ie_scaling.latency.config import DEFAULT_ARCHITECTURES
from ie_scaling.latency_law.config import RequestConfig
from ie_scaling.running import identity, workdir
from ie_scaling.running.config import require, seeded
from ie_scaling.shapes import lookup

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from ie_scaling.architecture import Architecture
    from ie_scaling.latency_law.posterior import LatencyPosterior
    from ie_scaling.running.diagnostic import Diagnostic
    from ie_scaling.workload import Case

SHOWN = {"ttft_s": ("TTFT ms", 1e3), "tpot_s": ("TPOT ms", 1e3), "e2e_s": ("E2E ms", 1e3), "tokens_per_s": ("tok/s", 1)}
FILE_NAME = "predicted_latency.csv"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(RequestConfig):
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
        except InputError as error:
            raise InputError(f"architectures: {error}") from None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """A latency law and the cases that it predicts, on one kind of device."""

    law: LatencyPosterior
    device_kind: str
    cases: list[Case]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prediction:
    """A row a shape, with intervals."""

    table: pd.DataFrame
    diagnostics: list[Diagnostic]


def inputs_of(config: Config) -> workdir.Inputs:
    """What it reads, by name."""
    from ie_scaling.latency_law import posterior

    architectures = identity.named("architectures", lookup.files_of(config.architectures))
    return identity.within("fit", config.fit, posterior.FILES) | architectures


def load(config: Config) -> Request:
    """The law, the device kind and the cases.

    Raises:
      InputError: no such fit, or a device, dtype or mode that was not fitted.
    """
    from ie_scaling.latency_law import posterior, predict

    law = posterior.load_fit(config.fit)
    device_kind, cases = predict.resolve(config, config.resolve_architectures(), law)
    return Request(law=law, device_kind=device_kind, cases=cases)


def preview(_: Config, loaded: Request) -> list[Diagnostic]:
    """Failures of the law's fit, and extrapolation to these cases."""
    from ie_scaling.latency_law import predict

    return predict.diagnose(loaded.law, loaded.cases, loaded.device_kind)


def compute(config: Config, loaded: Request) -> Prediction:
    """Medians and 90 % intervals of a new measurement."""
    from ie_scaling.latency_law import predict

    table = predict.tabulate(loaded.law, loaded.device_kind, loaded.cases, config.seed)
    return Prediction(table=table, diagnostics=preview(config, loaded))


def save(result: Prediction, directory: Path) -> None:
    """predicted_latency.csv."""
    from ie_scaling.tables import cells

    cells.write_table(directory / FILE_NAME, result.table)


def show(directory: Path) -> None:
    """The table."""
    import pandas as pd

    table = pd.read_csv(directory / FILE_NAME)
    first = table.iloc[0]
    print(
        f"{first['device_kind']} {first['dtype']} {first['mode']}, batch {first['batch']}, prompt "
        f"{first['prompt_tokens']}, new {first['new_tokens']}: median and 90 % of a new measurement"
    )
    print(f"{'architecture':44} {'size':>8}" + "".join(f" {label:>26}" for label, _ in SHOWN.values()))
    for row in table.to_dict("records"):
        columns = "".join(f" {_interval(row, metric, factor):>26}" for metric, (_, factor) in SHOWN.items())
        print(f"{row['architecture']:44} {row['n_params_total'] / 1e6:7.1f}M{columns}")
    print(f"{directory / FILE_NAME}: {len(table)} shapes")


def estimate(_: Config, loaded: Request) -> str:
    """Bytes and FLOPs of a step, by shape."""
    from ie_scaling import workload

    lines = [
        f"{a.name}: {workload.step_bytes(a, load):.3g} bytes and {workload.step_flops(a, load):.3g} FLOPs a step"
        for a, load in ((case.architecture, case.workload) for case in loaded.cases)
    ]
    return "\n".join([*lines, "a few seconds"])


def _interval(row: Mapping[Any, Any], metric: str, factor: float) -> str:
    """Median (low to high), blank where there is none."""
    low, middle, high = (row[name] * factor for name in (f"{metric}_lo90", metric, f"{metric}_hi90"))
    return "" if math.isnan(middle) else f"{middle:.4g} ({low:.4g} to {high:.4g})"
