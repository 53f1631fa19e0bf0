"""Answers of a fitted latency law to a request: device, dtype and mode, intervals, and warnings of extrapolation."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ie_scaling import accounting
from ie_scaling.architecture import Architecture
from ie_scaling.errors import InputError
from ie_scaling.inference import reach
from ie_scaling.latency_law.config import RequestConfig
from ie_scaling.latency_law.features import RANGES, features_of, index_of
from ie_scaling.latency_law.posterior import LatencyPosterior
from ie_scaling.running import diagnostic
from ie_scaling.running.diagnostic import Diagnostic, Kind
from ie_scaling.workload import Case

FAR = 3.0  # so many times beyond the fitted range is called far


def tabulate(posterior: LatencyPosterior, device_kind: str, cases: Sequence[Case], seed: int) -> pd.DataFrame:
    """A row a case: what was predicted, and every metric's median with the ends of its 90 % interval."""
    predicted = posterior.predict(cases, device_kind, seed)
    return pd.concat([pd.DataFrame([_describe(case, device_kind) for case in cases]), predicted.intervals()], axis=1)


def diagnose(posterior: LatencyPosterior, cases: Sequence[Case], device_kind: str) -> list[Diagnostic]:
    """Failures of the law's fit, and extrapolation to these cases."""
    failed = diagnostic.each(Kind.LATENCY, posterior.failures, "latency law")
    return failed + diagnostic.each(Kind.EXTRAPOLATION, far_outside(posterior, cases, device_kind))


def resolve(
    request: RequestConfig, architectures: Sequence[Architecture], posterior: LatencyPosterior
) -> tuple[str, list[Case]]:
    """The device kind and a case of each architecture, blanks filled where the fit leaves no choice.

    Raises:
      InputError: a device kind, dtype or mode that was not fitted, or a blank with several to choose from.
    """
    kind = posterior.resolve_kind(request.device_kind)
    devices = [device for device in posterior.devices if device.device_kind == kind]
    if not devices:
        index_of(posterior.devices, kind, request.dtype, request.mode)  # which says what was fitted
    chosen = {}
    for field in ("dtype", "mode"):
        fitted = sorted({getattr(device, field) for device in devices})
        if not getattr(request, field) and len(fitted) > 1:
            raise InputError(f"{field}='': several were fitted for {kind}, name one of {', '.join(fitted)}")
        chosen[field] = getattr(request, field) or fitted[0]
    load = request.resolve_workload(chosen["dtype"], chosen["mode"])
    return kind, [Case(a, load) for a in architectures]


def far_outside(posterior: LatencyPosterior, cases: Sequence[Case], device_kind: str) -> list[str]:
    """Warnings of how far the cases lie outside the fitted rows of their device."""
    loads = [case.workload for case in cases]
    devices = [posterior.devices[index_of(posterior.devices, device_kind, load.dtype, load.mode)] for load in loads]
    features, fitted, warnings = features_of(cases, devices), posterior.fitted_cases, []
    own_R = np.isin(fitted.device_names, [device.name for device in devices])
    for name in RANGES:
        warnings += reach.beyond(name, fitted.features[name][own_R], getattr(features, name), FAR)
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
