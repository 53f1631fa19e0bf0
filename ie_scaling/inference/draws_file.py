"""Draws as one netCDF file of groups that ArviZ reads, out and in, with a checksum of every byte at its end.

A file is made in memory and then written, so that a full disk costs an error and not the process: HDF5 does not
survive one. After HDF5's own bytes, which end where its header says, comes one line with their SHA-256; readers of
netCDF never look there, `read` looks there first, so that a damaged file is refused before any of it is believed.
"""

import hashlib
import io
import json
import reprlib
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ie_scaling.errors import InputError
from ie_scaling.inference.draws import Draws
from ie_scaling.running import files

MAGIC = b"\x89HDF\r\n\x1a\n"
SEAL = b"\nSHA-256 of the bytes before this line: "
MOST_LETTERS = 200  # of a name
PER_DRAW = ("chain", "draw")
N_SEAL = len(SEAL) + 64 + 1  # with the digest in hex and the line's end


def write(path: Path, groups: Mapping[str, xr.Dataset], attributes: Mapping[str, Any]) -> None:
    """Write the groups, whole or not at all; each carries the attributes, which ArviZ keeps by group.

    Raises:
      InputError: the disk is full or the path cannot be written.
    """
    tree = xr.DataTree.from_dict({name: group.assign_attrs(attributes) for name, group in groups.items()})
    tree.attrs = dict(attributes)
    content = bytes(tree.to_netcdf(engine="h5netcdf"))
    try:
        with files.replacing(path) as temporary:
            temporary.write_bytes(content + seal(content))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InputError(f"{path}: {len(content):,} bytes of draws cannot be written ({reason})") from None


def seal(content: bytes) -> bytes:
    """The line that ends a file of this content."""
    return SEAL + hashlib.sha256(content).hexdigest().encode() + b"\n"


def read(path: Path) -> tuple[xr.Dataset, dict[str, xr.Dataset]]:
    """The posterior group, and the other groups by name.

    Raises:
      InputError: no such file, not netCDF, not byte for byte what `write` wrote, or without a posterior.
    """
    content = _checked(path)
    try:
        with xr.open_datatree(io.BytesIO(content), engine="h5netcdf") as opened:
            tree = opened.load()
    except Exception as error:  # each backend raises its own
        raise InputError(f"{path}: not a netCDF posterior ({_first_line(error)})") from None
    groups = {str(name): child.to_dataset() for name, child in tree.children.items()}
    if "posterior" not in groups:
        raise InputError(f"{path}: has no posterior group")
    return groups.pop("posterior"), groups


def coordinates(draws: Draws) -> dict[Hashable, np.ndarray]:
    """Numbers of the chains and of the draws of each."""
    return {dim: np.arange(size) for dim, size in zip(PER_DRAW, draws.shape, strict=True)}


def per_draw(values: Mapping[str, np.ndarray]) -> xr.Dataset:
    """A group of arrays by name, each [C, S]."""
    return xr.Dataset({name: (PER_DRAW, array) for name, array in values.items()})


def read_per_draw(path: Path, groups: Mapping[str, xr.Dataset], name: str) -> dict[str, np.ndarray]:
    """The arrays of a group by name, each [C, S]; empty where the file has no such group.

    Raises:
      InputError: one has other dimensions, or is not of numbers.
    """
    if name not in groups:
        return {}
    group = groups[name]
    return {str(key): array(path, group, str(key), PER_DRAW, f"group {name}: ") for key in group.data_vars}


def _checked(path: Path) -> bytes:
    """The file's netCDF bytes, which its last line vouches for."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    if not data.startswith(MAGIC):
        raise InputError(f"{path}: not a netCDF posterior (it does not begin as HDF5 does)")
    content, last = data[:-N_SEAL], data[-N_SEAL:]
    if not last.startswith(SEAL):
        raise InputError(
            f"{path}: does not end in its checksum: cut short, or written by an earlier version or another program; "
            "fit again"
        )
    if last != seal(content):
        raise InputError(f"{path}: is not what was written (its SHA-256 is another); copy it again, or fit again")
    return content


def text(path: Path, data: xr.Dataset, name: str) -> str:
    """An attribute that must be text.

    Raises:
      InputError: it is missing, empty, or of another type.
    """
    value = _attribute(path, data, name)
    if not isinstance(value, str) or not value:
        raise InputError(f"{path}: attribute {name}={reprlib.repr(value)} must be text")
    return value


def word(path: Path, data: xr.Dataset, name: str) -> str:
    """An attribute that must be a name: short text on one line.

    Raises:
      InputError: it is missing, or anything else.
    """
    value = text(path, data, name)
    if len(value) > MOST_LETTERS or not value.isprintable():
        raise InputError(f"{path}: attribute {name}={reprlib.repr(value)} must be a name on one line")
    return value


def number(path: Path, data: xr.Dataset, name: str) -> float:
    """An attribute that must be a number; NaN, for unknown, is one.

    Raises:
      InputError: it is missing, infinite, or of another type.
    """
    value = _attribute(path, data, name)
    is_number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not is_number or np.isinf(value):
        raise InputError(f"{path}: attribute {name}={reprlib.repr(value)} must be a finite number")
    return float(value)


def items(path: Path, data: xr.Dataset, name: str, of: type) -> list[Any]:
    """An attribute that must be a JSON list of `of` (str or dict).

    Raises:
      InputError: it is missing, no such list, or of another type.
    """
    try:
        values = json.loads(text(path, data, name))
    except (ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        values = None
    if not isinstance(values, list) or not all(isinstance(value, of) for value in values):
        kind = "strings" if of is str else "objects"
        raise InputError(f"{path}: attribute {name}={reprlib.repr(data.attrs[name])} must be a JSON list of {kind}")
    return values


def array(path: Path, data: xr.Dataset, name: str, dims: Sequence[str], where: str = "") -> np.ndarray:
    """A variable with these dimensions, of numbers or flags; `where` it stands is said in messages.

    Raises:
      InputError: it is missing, has other dimensions, or is of text.
    """
    values = _with_dims(path, data, name, dims, where)
    if values.dtype.kind not in "fiub":
        raise InputError(f"{path}: {where}{name!r} is of type {values.dtype}, not numbers")
    return values


def _with_dims(path: Path, data: xr.Dataset, name: str, dims: Sequence[str], where: str = "") -> np.ndarray:
    if name not in data:
        raise InputError(f"{path}: {where}has no {name!r}, which is needed")
    if data[name].dims != tuple(dims):
        raise InputError(f"{path}: {where}{name!r} has dimensions {data[name].dims}, not {tuple(dims)}")
    return data[name].to_numpy()


def variable(path: Path, data: xr.Dataset, name: str, dims: Sequence[str], dtype: type | None = None) -> np.ndarray:
    """A variable of finite numbers with these dimensions, of this type where one is given.

    Raises:
      InputError: it is missing, or has other dimensions, no values, another type, or a value that is not finite.
    """
    values = _with_dims(path, data, name, dims)
    if values.dtype.kind not in "fiu" or values.dtype != (dtype or values.dtype):
        raise InputError(f"{path}: {name!r} is of type {values.dtype}, not {np.dtype(dtype) if dtype else 'numbers'}")
    if not values.size:
        raise InputError(f"{path}: {name!r} has no values")
    if not np.isfinite(values).all():
        where = np.unravel_index(int(np.argmin(np.isfinite(values))), values.shape)
        raise InputError(f"{path}: {name!r} is {values[where]} at {tuple(map(int, where))}; it must be finite")
    return values


def labels(path: Path, data: xr.Dataset, name: str) -> tuple[str, ...]:
    """The labels of a dimension, each once.

    Raises:
      InputError: they are missing, not text, or one stands there twice.
    """
    if name not in data or data[name].dims != (name,):
        raise InputError(f"{path}: has no labels of {name!r}, which are needed")
    values = data[name].to_numpy()
    if values.dtype.kind not in "OU" or not all(isinstance(value, str) for value in values):
        raise InputError(f"{path}: the labels of {name!r} are of type {values.dtype}, not text")
    names = tuple(str(value) for value in values)
    if "" in names:
        raise InputError(f"{path}: {name} {names.index('')} has an empty label")
    if len(set(names)) < len(names):
        twice = next(label for label in names if names.count(label) > 1)
        raise InputError(f"{path}: {name} {reprlib.repr(twice)} stands there twice")
    return names


def _attribute(path: Path, data: xr.Dataset, name: str) -> Any:
    if name not in data.attrs:
        raise InputError(f"{path}: attribute {name!r} is missing; it belongs to what was fitted")
    return data.attrs[name]


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0][:200] if lines else type(error).__name__
