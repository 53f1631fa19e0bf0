"""Predict the latency of architectures that were not timed: how fast would they be here, and how sure is that?"""

import dataclasses
from pathlib import Path

import pandas as pd

from ie_scaling import workload
from ie_scaling.latency_law import posterior as latency_law
from ie_scaling.latency_law import predict
from ie_scaling.latency_law.config import PredictLatencyConfig as Config
from ie_scaling.latency_law.posterior import LatencyPosterior
from ie_scaling.running import identity, workdir
from ie_scaling.running.diagnostic import Diagnostic
from ie_scaling.shapes import lookup
from ie_scaling.tables import cells
from ie_scaling.workload import Case

SHOWN = {"ttft_s": ("TTFT ms", 1e3), "tpot_s": ("TPOT ms", 1e3), "e2e_s": ("E2E ms", 1e3), "tokens_per_s": ("tok/s", 1)}
FILE_NAME = "predicted_latency.csv"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked of a law: cases on one kind of device."""

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
    architectures = identity.named("architectures", lookup.files_of(config.architectures))
    return identity.within("fit", config.fit, latency_law.FILES) | architectures


def load(config: Config) -> Request:
    """The law, the device kind and the cases.

    Raises:
      ValueError: no such fit, or a device, dtype or mode that it does not know.
    """
    law = latency_law.load_fit(config.fit)
    device_kind, cases = predict.resolve(config, config.resolve_architectures(), law)
    return Request(law=law, device_kind=device_kind, cases=cases)


def preview(_: Config, loaded: Request) -> list[Diagnostic]:
    """What there is to say against the law and its use for these cases."""
    return predict.diagnose(loaded.law, loaded.cases, loaded.device_kind)


def compute(config: Config, loaded: Request) -> Prediction:
    """Medians and 90 % intervals of a new measurement."""
    table = predict.tabulate(loaded.law, loaded.device_kind, loaded.cases, config.seed)
    return Prediction(table=table, diagnostics=preview(config, loaded))


def save(result: Prediction, directory: Path) -> None:
    """predicted_latency.csv."""
    cells.write_table(directory / FILE_NAME, result.table)


def show(directory: Path) -> None:
    """The table."""
    table = pd.read_csv(directory / FILE_NAME)
    first = table.iloc[0]
    print(
        f"{first['device_kind']} {first['dtype']} {first['mode']}, batch {first['batch']}, prompt "
        f"{first['prompt_tokens']}, new {first['new_tokens']}: median and 90 % of a new measurement"
    )
    print(f"{'architecture':44} {'size':>8}" + "".join(f" {label:>26}" for label, _ in SHOWN.values()))
    for row in table.to_dict("records"):
        cells_ = "".join(f" {_cell(row, metric, scale):>26}" for metric, (_, scale) in SHOWN.items())
        print(f"{row['architecture']:44} {row['n_params_total'] / 1e6:7.1f}M{cells_}")
    print(f"{directory / FILE_NAME}: {len(table)} shapes")


def estimate(_: Config, loaded: Request) -> str:
    """Bytes and FLOPs of a step, by shape."""
    lines = [
        f"{a.name}: {workload.step_bytes(a, load):.3g} bytes and {workload.step_flops(a, load):.3g} FLOPs a step"
        for a, load in ((case.architecture, case.workload) for case in loaded.cases)
    ]
    return "\n".join([*lines, "a few seconds"])


def _cell(row: dict, metric: str, scale: float) -> str:
    """Median (low to high), blank where there is none."""
    if pd.isna(row[metric]):
        return ""
    middle, low, high = (row[name] * scale for name in (metric, f"{metric}_lo90", f"{metric}_hi90"))
    return f"{middle:.4g} ({low:.4g} to {high:.4g})"
