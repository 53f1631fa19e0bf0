"""A posterior as one netCDF file of groups that ArviZ reads, out and in."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from ie_scaling import files


def write(path: Path, groups: Mapping[str, xr.Dataset], attributes: Mapping[str, Any]) -> None:
    """Write the groups, whole or not at all; each carries the attributes, which ArviZ keeps by group."""
    with files.replacing(path) as temporary:
        temporary.unlink()
        tree = xr.DataTree.from_dict({name: group.assign_attrs(attributes) for name, group in groups.items()})
        tree.attrs = dict(attributes)
        tree.to_netcdf(temporary, engine="h5netcdf")


def read(path: Path) -> tuple[xr.Dataset, dict[str, xr.Dataset]]:
    """The posterior group, and the other groups by name.

    Raises:
      ValueError: no such file, not netCDF, or without a posterior.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    try:
        with xr.open_datatree(path, engine="h5netcdf") as opened:
            tree = opened.load()
    except Exception as error:  # each backend raises its own
        raise ValueError(f"{path}: not a netCDF posterior ({str(error).splitlines()[0]})") from None
    groups = {name: child.to_dataset() for name, child in tree.children.items()}
    if "posterior" not in groups:
        raise ValueError(f"{path}: has no posterior group")
    return groups.pop("posterior"), groups
