"""From a fitted latency law and a list of architectures to predicted_latency.csv."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ie_scaling import accounting
from ie_scaling.architecture import Architecture
from ie_scaling.inference import reach
from ie_scaling.latency_law import features as law_features
from ie_scaling.latency_law import posterior as latency_law
from ie_scaling.latency_law.config import PredictLatencyConfig, RequestConfig
from ie_scaling.latency_law.features import RANGES
from ie_scaling.latency_law.posterior import LatencyPosterior
from ie_scaling.running import config as config_lib
from ie_scaling.running import files, identity, workdir
from ie_scaling.shapes import lookup
from ie_scaling.tables import cells
from ie_scaling.workload import Case

FAR = 3.0  # so many times beyond the fitted range is called far


def inputs_of(config: PredictLatencyConfig) -> workdir.Inputs:
    """What it reads, by name."""
    return identity.within("fit", config.fit, latency_law.FILES) | identity.named(
        "architectures", lookup.files_of(config.architectures)
    )


def run(config: PredictLatencyConfig, directory: Path) -> list[str]:
    """Predict and write predicted_latency.csv and warnings.json; returns the warnings.

    Raises:
      ValueError: no such fit, or a device, dtype or mode that it does not know; before anything is written.
    """
    resolved = {"experiment": "predict_latency"} | config_lib.to_plain(config)
    if not workdir.is_done(directory, resolved, inputs=inputs_of(config)):
        posterior, kind, cases = load(config)
        table = tabulate(posterior, kind, cases, config.seed)
        with workdir.opened(directory, resolved, inputs=inputs_of(config)):
            cells.write_table(directory / "predicted_latency.csv", table)
            files.write_json(directory / "warnings.json", {"warnings": warnings_of(posterior, cases, kind)})
    return files.read_json(directory / "warnings.json")["warnings"]


def load(config: PredictLatencyConfig) -> tuple[LatencyPosterior, str, list[Case]]:
    """The law, the device kind and the cases.

    Raises:
      ValueError: no such fit, or a device, dtype or mode that it does not know.
    """
    posterior = latency_law.load_fit(config.fit)
    return posterior, *resolve(config, config.resolve_architectures(), posterior)


def tabulate(posterior: LatencyPosterior, device_kind: str, cases: Sequence[Case], seed: int) -> pd.DataFrame:
    """A row a case: what was predicted, and every metric's median with the ends of its 90 % interval."""
    predicted = posterior.predict(cases, device_kind, seed)
    return pd.concat([pd.DataFrame([_describe(case, device_kind) for case in cases]), predicted.intervals()], axis=1)


def warnings_of(posterior: LatencyPosterior, cases: Sequence[Case], device_kind: str) -> list[str]:
    """What there is to say against the law and its use for these cases."""
    return [f"latency law: {failure}" for failure in posterior.failures] + far_outside(posterior, cases, device_kind)


def resolve(
    request: RequestConfig, architectures: Sequence[Architecture], posterior: LatencyPosterior
) -> tuple[str, list[Case]]:
    """The device kind and a case of each architecture, blanks filled where the fit leaves no choice.

    Raises:
      ValueError: a device kind, dtype or mode that was not fitted, or a blank with several to choose from.
    """
    kind = posterior.resolve_kind(request.device_kind)
    devices = [device for device in posterior.devices if device.device_kind == kind]
    if not devices:
        law_features.place_of(posterior.devices, kind, request.dtype, request.mode)
    chosen = {}
    for field in ("dtype", "mode"):
        known = sorted({getattr(device, field) for device in devices})
        if not getattr(request, field) and len(known) > 1:
            raise ValueError(f"{field}='': several were fitted for {kind}, name one of {', '.join(known)}")
        chosen[field] = getattr(request, field) or known[0]
    load = request.resolve_workload(chosen["dtype"], chosen["mode"])
    return kind, [Case(a, load) for a in architectures]


def far_outside(posterior: LatencyPosterior, cases: Sequence[Case], device_kind: str) -> list[str]:
    """Warnings that say how far the cases lie beyond the rows of their device that were fitted."""
    devices = [
        posterior.devices[
            law_features.place_of(posterior.devices, device_kind, case.workload.dtype, case.workload.mode)
        ]
        for case in cases
    ]
    features, data, warnings = law_features.features_of(cases, devices), posterior.groups["constant_data"], []
    own = np.isin(data["device"].to_numpy().astype(str), [device.name for device in devices])
    for name in RANGES:
        warnings += reach.beyond(name, data[name].to_numpy()[own], getattr(features, name), FAR)
    return warnings


def _describe(case: Case, device_kind: str) -> dict[str, str | int]:
    """The columns that say what was predicted."""
    load = case.workload
    return {
        "architecture": case.architecture.name,
        **case.architecture.to_fields(),
        "n_params_total": accounting.count_parameters(case.architecture),
        "device_kind": device_kind,
        "dtype": load.dtype,
        "batch": load.batch,
        "prompt_tokens": load.prompt_tokens,
        "new_tokens": load.new_tokens,
        "mode": load.mode,
    }
