"""Damaged posterior files, of losses and of latencies: bytes, attributes, variables, groups; checksums old or new."""

import functools
import json
import pathlib
import random
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from ie_scaling.inference import draws_file
from ie_scaling.latency_law import posterior as latency_law
from ie_scaling.laws.bayes import posterior as loss_law
from tests.fuzz.harness import Case
from tests.latency_law import small_posterior as small_latency
from tests.laws import small_posterior as small_loss

Tree = dict[str, xr.Dataset]
ATTRIBUTES: tuple[Any, ...] = ("", " ", "null", "[]", "{}", "[1]", "[[]]", '["a"]', "3", "nan", "x" * 5000, "[" * 5000)
ATTRIBUTES += (
    0,
    -1,
    3,
    2**40,
    1.5,
    float("nan"),
    float("inf"),
    -float("inf"),
    np.array([1.0, 2.0]),
    np.array([], float),
)
ATTRIBUTES += (
    np.array([], float),
    np.bytes_(b"\xff\xfe"),
    ["a", "b"],
    '[{"device_kind": "x"}]',
    "effective",
    "\x00",
    "line\nline",
)
VALUES = (np.nan, np.inf, -np.inf, 0.0, -1.0, 1e308, -1e308, 1e-320, 1.5, 1e6)


@functools.cache
def written(kind: str) -> bytes:
    """A whole file of either kind."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "posterior.nc"
        (small_loss if kind == "loss" else small_latency).make().save(path)
        return path.read_bytes()


@functools.cache
def groups(kind: str) -> tuple[xr.Dataset, Tree]:
    """The same as datasets."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "posterior.nc"
        path.write_bytes(written(kind))
        return draws_file.read(path)


def zeros(rng: random.Random, data: bytearray) -> str:
    size = rng.choice((1, 64, 512, 4096))
    place = rng.randrange(len(data))
    data[place : place + size] = bytes(len(data[place : place + size]))
    return f"{size} zeros at {place}"


def flip(rng: random.Random, data: bytearray) -> str:
    place = rng.randrange(len(data))
    data[place] ^= 1 << rng.randrange(8)
    return f"a bit at {place}"


def cut(rng: random.Random, data: bytearray) -> str:
    place = rng.randrange(len(data))
    del data[place:]
    return f"cut at {place}"


def noise(rng: random.Random, data: bytearray) -> str:
    place = rng.randrange(len(data))
    data[place : place + 100] = rng.randbytes(len(data[place : place + 100]))
    return f"100 other bytes at {place}"


def insert(rng: random.Random, data: bytearray) -> str:
    place = rng.randrange(len(data))
    data[place:place] = rng.randbytes(rng.choice((1, 8, 4096)))
    return f"bytes put in at {place}"


def append(rng: random.Random, data: bytearray) -> str:
    data += rng.randbytes(rng.choice((1, 100)))
    return "bytes put at the end"


def unseal(rng: random.Random, data: bytearray) -> str:
    del data[-draws_file.N_SEAL :]
    return "no checksum"


BYTES = (zeros, flip, cut, noise, insert, append, unseal)


def attribute(rng: random.Random, tree: Tree) -> str:
    name, value = rng.choice(list(tree["posterior"].attrs)), rng.choice(ATTRIBUTES)
    tree["posterior"] = tree["posterior"].assign_attrs({name: value})
    return f"attribute {name} = {str(value)[:20]!r}"


def no_attribute(rng: random.Random, tree: Tree) -> str:
    name = rng.choice(list(tree["posterior"].attrs))
    del tree["posterior"].attrs[name]
    return f"no attribute {name}"


def no_variable(rng: random.Random, tree: Tree) -> str:
    group = rng.choice(list(tree))
    name = rng.choice([*tree[group].variables])
    tree[group] = tree[group].drop_vars(name)
    return f"no {group}/{name}"


def no_group(rng: random.Random, tree: Tree) -> str:
    group = rng.choice(list(tree))
    del tree[group]
    return f"no group {group}"


def _variable(rng: random.Random, tree: Tree) -> tuple[str, str]:
    group = rng.choice(("posterior", "posterior", *tree))
    return group, str(rng.choice([*tree[group].data_vars]))


def value(rng: random.Random, tree: Tree) -> str:
    group, name = _variable(rng, tree)
    values = np.array(tree[group][name].to_numpy())
    if values.dtype.kind != "f" or not values.size:
        return "nothing"
    number = rng.choice(VALUES)
    values.reshape(-1)[rng.randrange(values.size)] = number
    tree[group] = tree[group].assign({name: (tree[group][name].dims, values)})
    return f"{group}/{name} has {number}"


def other_type(rng: random.Random, tree: Tree) -> str:
    group, name = _variable(rng, tree)
    kind = rng.choice((str, np.float32, np.int32, np.int8, bool))
    with np.errstate(all="ignore"):
        tree[group] = tree[group].assign({name: tree[group][name].astype(kind)})
    return f"{group}/{name} as {kind.__name__}"


def other_shape(rng: random.Random, tree: Tree) -> str:
    group, name = _variable(rng, tree)
    values = tree[group][name]
    if not values.ndim:
        return "nothing"
    dim = rng.choice(values.dims)
    change = rng.choice(("first", "rename", "transpose", "none"))
    rest = tree[group].drop_vars(name)
    if change == "first":
        tree[group] = rest.assign({name: values.isel({dim: 0}, drop=True)})
    elif change == "rename":
        tree[group] = rest.assign({name: (tuple("other" if d == dim else d for d in values.dims), values.to_numpy())})
    elif change == "transpose":
        tree[group] = rest.assign({name: values.transpose(*reversed(values.dims))})
    else:
        tree[group] = tree[group].isel({dim: slice(0, 0)})
    return f"{group}/{name}: {change} of {dim}"


def fewer(rng: random.Random, tree: Tree) -> str:
    group = rng.choice(list(tree))
    if not tree[group].sizes:
        return "nothing"
    dim = rng.choice(list(tree[group].sizes))
    tree[group] = tree[group].isel({dim: slice(0, rng.randrange(1 + tree[group].sizes[dim]))})
    return f"fewer {dim} in {group}"


def device(rng: random.Random, tree: Tree) -> str:
    if "devices" not in tree["posterior"].attrs:
        return reference(rng, tree)
    devices = json.loads(tree["posterior"].attrs["devices"])
    field = rng.choice(list(devices[0]))
    devices[0][field] = rng.choice((None, 0, -1, "x", [], [1], [-1.0, 2.0], [2.0, 1.0], {}, 1e999, [float("nan")] * 2))
    tree["posterior"].attrs["devices"] = json.dumps(devices)
    return f"device {field} = {devices[0][field]!r}"


def reference(rng: random.Random, tree: Tree) -> str:
    name = rng.choice(("N0", "D0", "R0", "d0", "L0", "law", "tie", "count", "form", "sessions"))
    number = rng.choice((0.0, -1.0, 1e300, float("nan"), "total", "free", "chinchilla", "joint", '["a"]'))
    tree["posterior"].attrs[name] = number
    return f"{name} = {number}"


def models(rng: random.Random, tree: Tree) -> str:
    dim = "model" if "model" in tree["posterior"].sizes else "session"
    names = rng.choice((["same"] * 2, ["", "x"], [1, 2], [1.0, np.nan]))
    tree["posterior"] = tree["posterior"].assign_coords({dim: np.array(names)})
    return f"{dim} = {names}"


TREES: tuple[Callable[[random.Random, Tree], str], ...] = (
    *(attribute, no_attribute, no_variable, no_group, value, other_type, other_shape, fewer, device, reference, models),
)


def draw(rng: random.Random, folder: pathlib.Path) -> Case:
    """A file of either kind with damaged bytes, or written again with other contents and a checksum that fits."""
    kind = rng.choice(("loss", "latency"))
    read = loss_law.load if kind == "loss" else latency_law.load
    path = folder / "posterior.nc"
    if rng.random() < 0.4:
        data = bytearray(written(kind))
        said = rng.choice(BYTES)(rng, data)
        nonsense = "its bytes are others" if bytes(data) != written(kind) else ""
        path.write_bytes(data)
        return Case(f"{kind}: {said}", lambda: read(path), nonsense)
    posterior, others = groups(kind)
    tree = {"posterior": posterior.copy(deep=True)} | {name: group.copy(deep=True) for name, group in others.items()}
    said = rng.choice(TREES)(rng, tree)
    try:
        draws_file.write(path, tree, tree["posterior"].attrs if "posterior" in tree else {})
    except Exception:  # netCDF holds no such thing
        path.write_bytes(written(kind))
        said = f"nothing ({said} cannot be written)"
    return Case(f"{kind}: {said}", lambda: read(path))
