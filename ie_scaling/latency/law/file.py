"""The latency law's posterior as one netCDF file that ArviZ reads: the fields of LatencyPosterior, out and in."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ie_scaling import config as config_lib
from ie_scaling.inference import draws_file
from ie_scaling.latency.law.features import Device
from ie_scaling.latency.law.misfit import Misfit

KIND = "latency law"
NEEDED = ("noise_correlation",)
TIMES = ("ttft_s", "tpot_s")  # of the sessions' effects and of the misfit
APART = ("u", "misfit_weights")  # in the file's posterior, but not draws of parameters
CONSTANTS = ("misfit_sizes", "misfit_device")


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
    dims = ("chain", "draw", "device")
    variables: dict[str, Any] = {name: (dims[: values.ndim], values) for name, values in draws.items()}
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


def read(path: Path, names: tuple[str, ...]) -> dict[str, Any]:
    """What `write` was given; `names` are the parameters of a device that must be there.

    Raises:
      ValueError: no such file, not netCDF, of something else, or without one of these parameters.
    """
    data, groups = draws_file.read(path)
    if data.attrs.get("kind") != KIND:
        raise ValueError(f"{path}: is not the posterior of a {KIND}")
    draws = {str(name): values.to_numpy() for name, values in data.items() if name not in APART}
    constant = groups.get("constant_data", xr.Dataset())
    known = {**data, **constant}
    if lost := [name for name in (*names, *NEEDED, "misfit_weights", *CONSTANTS) if name not in known]:
        raise ValueError(f"{path}: posterior has no {lost[0]!r}, which the latency law needs")
    devices = json.loads(data.attrs["devices"])
    return {
        "form": data.attrs["form"],
        "devices": tuple(config_lib.build(Device, fields, f"{path}: device") for fields in devices),
        "sessions": tuple(json.loads(data.attrs["sessions"])),
        "draws": draws,
        "effects_CS2N": data["u"].to_numpy() if "u" in data else np.zeros((*draws[NEEDED[0]].shape, 2, 0)),
        "misfit": Misfit(*(known[name].to_numpy() for name in (*CONSTANTS, "misfit_weights"))),
        "failures": tuple(json.loads(data.attrs["failures"])),
        "groups": groups | {"constant_data": constant.drop_vars(CONSTANTS)},
    }
