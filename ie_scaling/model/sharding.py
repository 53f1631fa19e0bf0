"""The mesh, and the one table from a parameter's name to how it lies on it."""

import jax
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from ie_scaling.architecture import Architecture
from ie_scaling.model import transformer

AXES = ("data", "fsdp", "tensor")

# Leading axis of every leaf under `layers` is the layer and is never split: lax.scan walks it.
# `fsdp` splits the model width, `tensor` splits heads, MLP width and vocabulary, so that each matrix is split twice.
SPECS = {
    "embedding": P("tensor", "fsdp"),
    "unembedding": P("fsdp", "tensor"),
    "query.kernel": P(None, "fsdp", "tensor", None),
    "key.kernel": P(None, "fsdp", "tensor", None),
    "value.kernel": P(None, "fsdp", "tensor", None),
    "output.kernel": P(None, "tensor", None, "fsdp"),
    "gate.kernel": P(None, "fsdp", "tensor"),
    "up.kernel": P(None, "fsdp", "tensor"),
    "down.kernel": P(None, "tensor", "fsdp"),
    "gain": P(),
}
BATCH = P(("data", "fsdp"))


def make_mesh(data: int = 1, fsdp: int = 1, tensor: int = 1) -> Mesh:
    """A mesh over data·fsdp·tensor devices; batches split over data and fsdp, weights over fsdp and tensor."""
    available = jax.device_count()
    wanted = data * fsdp * tensor
    if min(data, fsdp, tensor) < 1 or available % wanted:
        raise ValueError(
            f"mesh data={data}, fsdp={fsdp}, tensor={tensor}: needs {wanted} devices, which must divide {available}"
        )
    return jax.make_mesh((data, fsdp, tensor), AXES, axis_types=(AxisType.Auto,) * 3, devices=jax.devices()[:wanted])


def spec_of(path: tuple) -> P:
    """The PartitionSpec of the parameter at this tree path."""
    name = ".".join(str(entry.key) for entry in path)
    for ending, spec in SPECS.items():
        if name == ending or name.endswith("." + ending):
            return spec
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


def init_sharded(a: Architecture, key: jax.Array, mesh: Mesh) -> transformer.Parameters:
    """Fresh parameters made in place on the mesh, never whole on one device."""
    return jax.jit(lambda key: transformer.init(a, key), out_shardings=parameter_shardings(a, mesh))(key)
