"""The latency law's posterior as one netCDF file that ArviZ reads: the fields of LatencyPosterior, out and in."""

import dataclasses
import json
import math
import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ie_scaling.errors import InputError
from ie_scaling.inference import draws_file
from ie_scaling.latency_law import formula as law_model
from ie_scaling.latency_law.config import FORMS
from ie_scaling.latency_law.features import RANGES, Device
from ie_scaling.latency_law.misfit import LENGTHS_2I, Misfit
from ie_scaling.running import config as config_lib
from ie_scaling.workload import DTYPE_BYTES, DecodeMode

KIND = "latency law"
NEEDED = ("noise_correlation",)
TIMES = ("ttft_s", "tpot_s")  # of the sessions' effects and of the misfit
APART = ("u", "misfit_weights")  # in the file's posterior, but not draws of parameters
CONSTANTS = ("misfit_sizes", "misfit_device")
MOST_OF_ERROR = 500  # letters, as it may quote a long value
DIMS, N_TIMES = ("chain", "draw", "device"), len(TIMES)
SUPPORTS = {"log": (0.0, math.inf), "logit": (0.0, 1.0), "log_above_one": (1.0, math.inf)}
SUPPORTS |= {"identity": (-math.inf, math.inf)}
REST = {"noise_correlation": (-1.0, 1.0), "device_spread": (0.0, math.inf), "session_spread": (0.0, math.inf)}


def write(
    path: Path,
    *,
    form: str,
    devices: tuple[Device, ...],
    sessions: tuple[str, ...],
    draws: Mapping[str, np.ndarray],
    effects_CS2N: np.ndarray,
    misfit: Misfit,
    failures: tuple[str, ...],
    groups: Mapping[str, xr.Dataset],
) -> None:
    """Write the file, whole or not at all; every group carries what `read` needs as attributes."""
    shape, n_effects = draws["noise_correlation"].shape, effects_CS2N.shape[-1]
    variables: dict[str, Any] = {name: (DIMS[: values.ndim], values) for name, values in draws.items()}
    coords = {"chain": np.arange(shape[0]), "draw": np.arange(shape[1])}
    coords |= {"device": np.array([device.name for device in devices], dtype=str)}
    variables["misfit_weights"] = (("chain", "draw", "time", "row"), misfit.weights_CS2R)
    coords |= {"time": np.array(TIMES)}
    constants = {"misfit_sizes": (("time", "row", "size"), misfit.sizes_2RI), "misfit_device": ("row", misfit.device_R)}
    if n_effects:
        variables["u"] = (("chain", "draw", "time", "session"), effects_CS2N)
        coords |= {"session": np.array(sessions, dtype=str)}
    attributes = {
        "kind": KIND,
        "form": form,
        "devices": json.dumps([dataclasses.asdict(device) for device in devices]),
        "sessions": json.dumps(sessions),
        "failures": json.dumps(failures),
    }
    constant = groups.get("constant_data", xr.Dataset()).assign(constants)
    tree = {"posterior": xr.Dataset(variables, coords=coords), **groups, "constant_data": constant}
    draws_file.write(path, tree, attributes)


def read(path: Path) -> dict[str, Any]:
    """What `write` was given.

    Raises:
      InputError: no such file, not such a file, or one whose contents cannot be a latency law's.
    """
    data, groups = draws_file.read(path)
    if data.attrs.get("kind") != KIND:
        raise InputError(f"{path}: is not the posterior of a {KIND}")
    form = draws_file.word(path, data, "form")
    if form not in FORMS:
        raise InputError(f"{path}: attribute form={form!r} must be one of {', '.join(FORMS)}")
    devices = tuple(_device(path, fields) for fields in draws_file.items(path, data, "devices", dict))
    sessions = tuple(draws_file.items(path, data, "sessions", str))
    if len(set(sessions)) < len(sessions) or ("u" in data and draws_file.labels(path, data, "session") != sessions):
        raise InputError(f"{path}: attribute sessions must name each session once, in the order of 'u'")
    draws = _draws(path, data, len(devices))
    constant = groups.get("constant_data", xr.Dataset())
    return {
        "form": form,
        "devices": devices,
        "sessions": sessions,
        "draws": draws,
        "effects_CS2N": _effects(path, data, draws, len(sessions)),
        "misfit": _misfit(path, data, constant, len(devices)),
        "failures": tuple(draws_file.items(path, data, "failures", str)),
        "groups": groups | {"constant_data": constant.drop_vars(CONSTANTS)},
    }


def _device(path: Path, fields: Mapping[str, Any]) -> Device:
    """One of the devices, whose ceilings can be ceilings."""
    try:
        device = config_lib.build(Device, fields, f"{path}: device")
    except ValueError as error:
        raise InputError(str(error)[:MOST_OF_ERROR]) from None
    by_size = (device.sizes, device.bytes_per_s)
    by_session = (device.sessions, device.bandwidth_factors, device.rate_factors)
    numbers = (*device.sizes, *device.bytes_per_s, device.flops_per_s, *by_session[1], *by_session[2])
    rules = {
        "sizes and bytes_per_s must be as many, and at least one": len({len(each) for each in by_size}) == 1
        and len(device.sizes) > 0,
        "sizes must ascend": list(device.sizes) == sorted(set(device.sizes)),
        "sessions and their two factors must be as many": len({len(each) for each in by_session}) == 1,
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
    known = {parameter.name: parameter for parameter in law_model.PARAMETERS}
    names = [str(name) for name in data.data_vars if name not in APART]
    found = {}
    for name in dict.fromkeys((*known, *NEEDED, *names)):
        if name not in data:
            raise InputError(f"{path}: posterior has no {name!r}, which the latency law needs")
        is_common = name in REST or (name not in known and data[name].ndim == len(DIMS) - 1)
        found[name] = draws_file.variable(path, data, name, DIMS[:2] if is_common else DIMS, np.float64)
        least, most = SUPPORTS[known[name].link] if name in known else REST.get(name, (-math.inf, math.inf))
        if found[name].min() < least or found[name].max() > most:
            out = found[name].min() if found[name].min() < least else found[name].max()
            raise InputError(f"{path}: {name!r} has a draw of {out:g}, outside [{least:g}, {most:g}]")
    if data.sizes["device"] != n_devices:
        raise InputError(f"{path}: has draws of {data.sizes['device']} devices, attribute devices names {n_devices}")
    return found


def _effects(path: Path, data: xr.Dataset, draws: Mapping[str, np.ndarray], n_sessions: int) -> np.ndarray:
    """The effects of the sessions, of which one alone has none."""
    if "u" not in data:
        return np.zeros((*draws[NEEDED[0]].shape, N_TIMES, 0))
    effects_CS2N = draws_file.variable(path, data, "u", ("chain", "draw", "time", "session"), np.float64)
    if effects_CS2N.shape[2:] != (N_TIMES, n_sessions) or "session_spread" not in draws:
        raise InputError(f"{path}: 'u' {effects_CS2N.shape} is not of {n_sessions} sessions, or has no session_spread")
    return effects_CS2N


def _misfit(path: Path, data: xr.Dataset, constant: xr.Dataset, n_devices: int) -> Misfit:
    """The misfit of the rows, and that the rows' own columns are there."""
    sizes_2RI = draws_file.variable(path, constant, "misfit_sizes", ("time", "row", "size"))
    device_R = draws_file.variable(path, constant, "misfit_device", ("row",))
    weights_CS2R = draws_file.variable(path, data, "misfit_weights", ("chain", "draw", "time", "row"), np.float64)
    if (
        sizes_2RI.shape != (N_TIMES, len(device_R), LENGTHS_2I.shape[1])
        or weights_CS2R.shape[2:] != sizes_2RI.shape[:2]
    ):
        raise InputError(f"{path}: misfits of {weights_CS2R.shape[2:]} do not belong to sizes of {sizes_2RI.shape}")
    if device_R.dtype.kind not in "iu" or device_R.min() < 0 or device_R.max() >= n_devices:
        raise InputError(f"{path}: 'misfit_device' must number the {n_devices} devices")
    for name in RANGES:
        draws_file.variable(path, constant, name, ("row",))
    if "device" not in constant or constant["device"].dims != ("row",):
        raise InputError(f"{path}: has no 'device' of its rows, which is needed")
    return Misfit(sizes_2RI, device_R, weights_CS2R)
