"""The latency law's posterior as one netCDF file that ArviZ reads: the fields of LatencyPosterior, out and in.

Its groups are posterior, sample_stats, log_likelihood, observed_data and constant_data; nothing else in the package
knows their names.
"""

import dataclasses
import json
import math
import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from ie_scaling.errors import InputError
from ie_scaling.inference import draws_file
from ie_scaling.inference.draws_file import PER_DRAW
from ie_scaling.latency_law.config import RooflineForm
from ie_scaling.latency_law.features import RANGES, FittedDevice
from ie_scaling.latency_law.fitted_cases import FittedCases
from ie_scaling.latency_law.formula import PARAMETERS
from ie_scaling.latency_law.misfit import LENGTHS_2I, Misfit
from ie_scaling.running.config import build
from ie_scaling.workload import DTYPE_BYTES, DecodeMode

if TYPE_CHECKING:
    from ie_scaling.latency_law.posterior import LatencyPosterior

KIND = "latency law"
NEEDED = ("noise_correlation",)
TIMES = ("ttft_s", "tpot_s")  # of the sessions' effects and of the misfit
APART = ("u", "misfit_weights")  # in the file's posterior, but not draws of parameters
MOST_OF_ERROR = 500  # letters, as it may quote a long value
DIMS, N_TIMES = (*PER_DRAW, "device"), len(TIMES)
COMMON = {"noise_correlation": (-1.0, 1.0), "device_spread": (0.0, math.inf), "session_spread": (0.0, math.inf)}


def write(path: Path, posterior: "LatencyPosterior") -> None:
    """Write the file, whole or not at all; every group carries what `read` needs as attributes."""
    p = posterior
    variables: dict[str, Any] = {name: (DIMS[: values.ndim], values) for name, values in p.draws.items()}
    coords = draws_file.coordinates(p) | {"device": np.array([device.name for device in p.devices], dtype=str)}
    variables["misfit_weights"] = ((*PER_DRAW, "time", "row"), p.misfit.weights_CS2R)
    coords |= {"time": np.array(TIMES)}
    if p.effects_CS2N.shape[-1]:
        variables["u"] = ((*PER_DRAW, "time", "session"), p.effects_CS2N)
        coords |= {"session": np.array(p.sessions, dtype=str)}
    tree = {"posterior": xr.Dataset(variables, coords=coords)}
    if p.stats:
        tree["sample_stats"] = draws_file.per_draw(p.stats)
    attributes = {
        "kind": KIND,
        "form": str(p.form),
        "devices": json.dumps([dataclasses.asdict(device) for device in p.devices]),
        "sessions": json.dumps(p.sessions),
        "failures": json.dumps(p.failures),
    }
    draws_file.write(path, tree | _row_groups(p), attributes)


def _row_groups(posterior: "LatencyPosterior") -> dict[str, xr.Dataset]:
    """The groups that are of the fitted cases."""
    cases, misfit, density_CSR = posterior.fitted_cases, posterior.misfit, posterior.log_density_CSR
    coords = {"row": np.array(cases.names, dtype=str)}
    constants: dict[str, Any] = {name: ("row", values) for name, values in cases.features.items()}
    constants["device"] = ("row", np.array(cases.device_names, dtype=str))
    constants["session"] = ("row", np.array(cases.session_names, dtype=str))
    constants["misfit_sizes"] = (("time", "row", "size"), misfit.sizes_2RI)
    constants["misfit_device"] = ("row", misfit.device_R)
    times = {"ttft_s": ("row", cases.ttft_s_R), "tpot_s": ("row", cases.tpot_s_R)}
    groups = {}
    if density_CSR is not None:
        groups["log_likelihood"] = xr.Dataset({"timing": ((*PER_DRAW, "row"), density_CSR)}, coords=coords)
    groups["observed_data"] = xr.Dataset(times, coords=coords)
    return groups | {"constant_data": xr.Dataset(constants, coords=coords)}


def read(path: Path) -> dict[str, Any]:
    """The fields of the LatencyPosterior in a file that `write` wrote.

    Raises:
      InputError: no such file, not such a file, or one whose contents cannot be a latency law's.
    """
    data, groups = draws_file.read(path)
    if data.attrs.get("kind") != KIND:
        raise InputError(f"{path}: is not the posterior of a {KIND}")
    form = draws_file.word(path, data, "form")
    if form not in [*RooflineForm]:
        raise InputError(f"{path}: attribute form={form!r} must be one of {', '.join(RooflineForm)}")
    devices = tuple(_device(path, fields) for fields in draws_file.items(path, data, "devices", dict))
    sessions = tuple(draws_file.items(path, data, "sessions", str))
    if len(set(sessions)) < len(sessions) or ("u" in data and draws_file.labels(path, data, "session") != sessions):
        raise InputError(f"{path}: attribute sessions must name each session once, in the order of 'u'")
    draws = _draws(path, data, len(devices))
    constant = groups.get("constant_data", xr.Dataset())
    return {
        "form": RooflineForm(form),
        "devices": devices,
        "sessions": sessions,
        "draws": draws,
        "effects_CS2N": _effects(path, data, draws, len(sessions)),
        "misfit": _misfit(path, data, constant, len(devices)),
        "failures": tuple(draws_file.items(path, data, "failures", str)),
        "stats": draws_file.read_per_draw(path, groups, "sample_stats"),
        "fitted_cases": _fitted_cases(path, groups, constant),
        "log_density_CSR": _log_density(path, groups, constant.sizes["row"]),
    }


def _device(path: Path, fields: Mapping[str, Any]) -> FittedDevice:
    """One of the devices, checked."""
    try:
        device = build(FittedDevice, fields, f"{path}: device")
    except ValueError as error:
        raise InputError(str(error)[:MOST_OF_ERROR]) from None
    by_size = (device.sizes, device.bytes_per_s)
    by_session = (device.sessions, device.bandwidth_factors, device.rate_factors)
    numbers = (*device.sizes, *device.bytes_per_s, device.flops_per_s, *by_session[1], *by_session[2])
    rules = {
        "sizes and bytes_per_s must be as many, and at least one": len({len(values) for values in by_size}) == 1
        and len(device.sizes) > 0,
        "sizes must ascend": list(device.sizes) == sorted(set(device.sizes)),
        "sessions and their two factors must be as many": len({len(values) for values in by_session}) == 1,
        "every ceiling and factor must be finite and above zero": all(0 < number < math.inf for number in numbers),
        "errors must be two, finite and not negative": len(device.errors) == N_TIMES
        and all(0 <= error < math.inf for error in device.errors),
        f"dtype must be one of {', '.join(DTYPE_BYTES)}": device.dtype in DTYPE_BYTES,
        f"mode must be one of {', '.join(DecodeMode)}": device.mode in [*DecodeMode],
    }
    if len(device.name) > draws_file.MOST_LETTERS or not device.name.isprintable():
        raise InputError(f"{path}: device {reprlib.repr(device.name)}: must be a name on one line")
    if broken := [rule for rule, holds in rules.items() if not holds]:
        raise InputError(f"{path}: device {device.name}: {broken[0]}")
    return device


def _draws(path: Path, data: xr.Dataset, n_devices: int) -> dict[str, np.ndarray]:
    """Every draw of a parameter, within its support."""
    known = {parameter.name: parameter for parameter in PARAMETERS}
    names = [str(name) for name in data.data_vars if name not in APART]
    if missing := [name for name in (*known, *NEEDED) if name not in names]:
        raise InputError(f"{path}: posterior has no {missing[0]!r}, which the latency law needs")
    draws = {}
    for name in names:
        is_common = name in COMMON or (name not in known and data[name].ndim == len(PER_DRAW))
        draws[name] = draws_file.variable(path, data, name, PER_DRAW if is_common else DIMS, np.float64)
        least, most = known[name].support if name in known else COMMON.get(name, (-math.inf, math.inf))
        if draws[name].min() < least or draws[name].max() > most:
            out = draws[name].min() if draws[name].min() < least else draws[name].max()
            raise InputError(f"{path}: {name!r} has a draw of {out:g}, outside [{least:g}, {most:g}]")
    if data.sizes["device"] != n_devices:
        raise InputError(f"{path}: has draws of {data.sizes['device']} devices, attribute devices names {n_devices}")
    return draws


def _effects(path: Path, data: xr.Dataset, draws: Mapping[str, np.ndarray], n_sessions: int) -> np.ndarray:
    """The effects of the sessions, of which one alone has none."""
    if "u" not in data:
        return np.zeros((*draws[NEEDED[0]].shape, N_TIMES, 0))
    effects_CS2N = draws_file.variable(path, data, "u", (*PER_DRAW, "time", "session"), np.float64)
    if effects_CS2N.shape[2:] != (N_TIMES, n_sessions) or "session_spread" not in draws:
        raise InputError(f"{path}: 'u' {effects_CS2N.shape} is not of {n_sessions} sessions, or has no session_spread")
    return effects_CS2N


def _misfit(path: Path, data: xr.Dataset, constant: xr.Dataset, n_devices: int) -> Misfit:
    """The misfit of the rows."""
    sizes_2RI = draws_file.variable(path, constant, "misfit_sizes", ("time", "row", "size"))
    device_R = draws_file.variable(path, constant, "misfit_device", ("row",))
    weights_CS2R = draws_file.variable(path, data, "misfit_weights", (*PER_DRAW, "time", "row"), np.float64)
    if (
        sizes_2RI.shape != (N_TIMES, len(device_R), LENGTHS_2I.shape[1])
        or weights_CS2R.shape[2:] != sizes_2RI.shape[:2]
    ):
        raise InputError(f"{path}: misfits of {weights_CS2R.shape[2:]} do not belong to sizes of {sizes_2RI.shape}")
    if device_R.dtype.kind not in "iu" or device_R.min() < 0 or device_R.max() >= n_devices:
        raise InputError(f"{path}: 'misfit_device' must number the {n_devices} devices")
    return Misfit(sizes_2RI, device_R, weights_CS2R)


def _fitted_cases(path: Path, groups: Mapping[str, xr.Dataset], constant: xr.Dataset) -> FittedCases:
    """The rows that were fitted, of which every file has all."""
    features = {name: draws_file.variable(path, constant, name, ("row",)) for name in RANGES}
    labels = {}
    for name in ("device", "session"):
        if name not in constant or constant[name].dims != ("row",):
            raise InputError(f"{path}: has no {name!r} of its rows, which is needed")
        labels[name] = tuple(constant[name].to_numpy().astype(str).tolist())
    observed = groups.get("observed_data", xr.Dataset())
    times = {name: draws_file.array(path, observed, name, ("row",), "group observed_data: ") for name in TIMES}
    if any(len(values) != constant.sizes["row"] for values in times.values()):
        raise InputError(f"{path}: group observed_data has other rows than constant_data")
    return FittedCases(
        names=tuple(constant["row"].to_numpy().astype(str).tolist()),
        device_names=labels["device"],
        session_names=labels["session"],
        ttft_s_R=times["ttft_s"],
        tpot_s_R=times["tpot_s"],
        features=features,
    )


def _log_density(path: Path, groups: Mapping[str, xr.Dataset], n_rows: int) -> np.ndarray | None:
    """ln density of each row given all others; None where the file has none."""
    if "log_likelihood" not in groups:
        return None
    values = draws_file.array(path, groups["log_likelihood"], "timing", (*PER_DRAW, "row"), "group log_likelihood: ")
    if values.shape[-1] != n_rows:
        raise InputError(f"{path}: group log_likelihood has {values.shape[-1]} rows, {n_rows} were fitted")
    return values
