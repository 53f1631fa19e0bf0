"""The mesh, and the one table from logical axes to mesh axes."""

import itertools
from collections.abc import Sequence
from typing import Any

import jax
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from ie_scaling.architecture import Architecture
from ie_scaling.errors import InputError
from ie_scaling.model import transformer

AXES = ("data", "fsdp", "tensor")

# Logical axis -> mesh axes. Batches spread over data and fsdp. Of a weight, fsdp splits the model width (gathered when
# the layer is computed) and tensor what a device can compute alone: heads, MLP width, vocabulary. The layer axis is
# never split, as lax.scan walks it; of activations only the batch and the vocabulary are.
RULES = {
    "batch": ("data", "fsdp"),
    "model": "fsdp",
    "heads": "tensor",
    "kv_heads": "tensor",
    "mlp": "tensor",
    "vocab": "tensor",
    "layer": None,
    "head": None,
    "length": None,
    "width": None,
}
# Parameter -> its logical axes; the longest ending of the tree path counts.
PARAMETERS = {
    "embedding": ("vocab", "model"),
    "unembedding": ("model", "vocab"),
    "query.kernel": ("layer", "model", "heads", "head"),
    "key.kernel": ("layer", "model", "kv_heads", "head"),
    "value.kernel": ("layer", "model", "kv_heads", "head"),
    "output.kernel": ("layer", "heads", "head", "model"),
    "gate.kernel": ("layer", "model", "mlp"),
    "up.kernel": ("layer", "model", "mlp"),
    "down.kernel": ("layer", "mlp", "model"),
    "gain": (),
}


def spec(*logical: str) -> P:
    """The PartitionSpec of an array with these logical axes."""
    return P(*(RULES[axis] for axis in logical))


BATCH = spec("batch", "length")
ACTIVATIONS = spec("batch", "length", "width")
LOGITS = spec("batch", "length", "vocab")


def make_mesh(data: int = 1, fsdp: int = 1, tensor: int = 1, devices: Sequence[jax.Device] | None = None) -> Mesh:
    """A mesh over data·fsdp·tensor of `devices` (all of them by default).

    Raises:
      InputError: the devices do not divide into such meshes.
    """
    chosen = jax.devices() if devices is None else list(devices)
    wanted = data * fsdp * tensor
    if min(data, fsdp, tensor) < 1 or len(chosen) % wanted:
        raise InputError(
            f"mesh data={data}, fsdp={fsdp}, tensor={tensor}: needs {wanted} devices, which must divide {len(chosen)}"
        )
    if jax.process_count() > 1 and wanted != len(chosen):
        raise InputError(f"mesh data={data}, fsdp={fsdp}, tensor={tensor}: must use all {len(chosen)} devices")
    return jax.make_mesh((data, fsdp, tensor), AXES, axis_types=(AxisType.Auto,) * 3, devices=chosen[:wanted])


def spec_of(path: tuple) -> P:
    """The PartitionSpec of the parameter at this tree path."""
    name = ".".join(str(entry.key) for entry in path)
    for ending, logical in PARAMETERS.items():
        if name == ending or name.endswith("." + ending):
            return spec(*logical)
    raise KeyError(f"no partition rule for parameter {name}")


def parameter_shardings(a: Architecture, mesh: Mesh) -> transformer.Parameters:
    """A NamedSharding for each parameter; an axis that the mesh does not divide is left whole."""

    def sharding(path: tuple, leaf: jax.ShapeDtypeStruct) -> NamedSharding:
        axes = tuple(spec_of(path)) + (None,) * (leaf.ndim - len(spec_of(path)))
        fits = tuple(
            axis if axis is None or size % mesh.shape[axis] == 0 else None
            for axis, size in zip(axes, leaf.shape, strict=True)
        )
        return NamedSharding(mesh, P(*fits))

    return jax.tree.map_with_path(sharding, transformer.abstract_parameters(a))


def hosts_of_batch(mesh: Mesh, batch_size: int) -> tuple[int, int]:
    """(which, of how many): the contiguous block of a batch's rows that this process must supply.

    Processes that share a block, because tensor spans them, supply the same rows.

    Raises:
      InputError: the rows of this process are not one of equal contiguous blocks.
    """
    indices: Any = NamedSharding(mesh, P(RULES["batch"])).addressable_devices_indices_map((batch_size,))
    spans = sorted({index[0].indices(batch_size)[:2] for index in indices.values()})
    first, last = spans[0][0], spans[-1][1]
    n_rows = last - first
    if any(left[1] != right[0] for left, right in itertools.pairwise(spans)) or first % n_rows:
        raise InputError(f"mesh {dict(mesh.shape)}: does not give this process one block of the batch's rows")
    return first // n_rows, batch_size // n_rows
