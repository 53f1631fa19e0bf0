"""What a request means to a fitted latency law: its device, dtype and mode, and how far it lies from what was timed."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ie_scaling import accounting
from ie_scaling.architecture import Architecture
from ie_scaling.errors import InputError
from ie_scaling.inference import reach
from ie_scaling.latency_law import features as law_features
from ie_scaling.latency_law.config import RequestConfig
from ie_scaling.latency_law.features import RANGES
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
    """What there is to say against the law and its use for these cases."""
    failed = diagnostic.each(Kind.LATENCY, posterior.failures, "latency law")
    return failed + diagnostic.each(Kind.EXTRAPOLATION, far_outside(posterior, cases, device_kind))


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
            raise InputError(f"{field}='': several were fitted for {kind}, name one of {', '.join(known)}")
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
