"""Cost of a training run before it starts: FLOPs, bytes on each device, hours; and the peak that MFU refers to.

B sequences of T positions on one device at a time; M, F, V widths of model, MLP and vocabulary, H and K heads of width
C; e bytes an element of the compute type; X devices along the tensor axis. Widths split over X are meant as a device's
share.

State: parameters, gradients and Adam's two moments in float32, sharded by `model.sharding`'s rules, so exact; with
accumulation a second gradient, that of the part under way. With fsdp above 1 a device also holds one matrix group whole
(a layer, or the unembedding if larger) and its gradient before it is scattered: an estimate.

Activations (an estimate): of each position a layer's backward pass needs, read off the residuals that JAX keeps,

    whole = 2·(12 + e)·M + 2·e·(H·C + K·C) + 6·e·F + (9 + e)·H·S

bytes: two norms in float32, queries, keys, values and their mixture, the MLP, and the attention weights, which plain
XLA attention stores, over the S = (T + min(T, 128))/2 positions that blocks of 128 queries attend to in the mean. What
is saved of each layer until then depends on remat:

    none: whole        dots: e·(2·M + H·C + 2·K·C + 2·F)        full: e·M

and the peak is at the logits (float32, with their gradient: (8 + e)·V; 8·V where e is 4), or, with remat, where a layer
is computed again, whichever is more:  B·T·(n_layers·saved + max(logits, whole)), without the `whole` for none. In
float32 on a CPU this is 0.84 to 1.30 times what XLA allots (four shapes, three lengths, each policy; half within 5 %);
in bfloat16, which a CPU computes in float32, 0.65 to 1.22. Not compared on an accelerator.
"""

import dataclasses
import math
from collections.abc import Iterable
from typing import Any, TypedDict

import jax
import pandas as pd
from jax.sharding import AbstractMesh, AxisType

from ie_scaling import accounting
from ie_scaling.architecture import Architecture
from ie_scaling.model import layers, sharding, transformer
from ie_scaling.running.config import require
from ie_scaling.train.config import TrainConfig
from ie_scaling.train.runtime_config import MeshConfig, RuntimeConfig

CPU_FLOPS_PER_S = 3e10  # what decoders of about a million parameters reach on two CPU cores, for rough estimates
USABLE = 0.9  # of a device's memory: the rest is the runtime's and fragmentation's


@dataclasses.dataclass(frozen=True)
class Device:
    """An accelerator: peak of dense bfloat16 products, memory and its bandwidth, and JAX's names for the kind."""

    flops_per_s: float
    memory_bytes: float
    bytes_per_s: float
    kinds: tuple[str, ...]


# NVIDIA: data sheets of A100 (40 GB and 80 GB SXM), H100 SXM, H200 SXM and DGX B200 (its eighth), without sparsity.
# TPU: a chip in cloud.google.com/tpu/docs/{v4,v5e,v5p,v6e}. `kinds` are as JAX's `device_kind` has them or begins.
DEVICES = {
    "a100-40gb": Device(312e12, 40e9, 1555e9, ("NVIDIA A100-SXM4-40GB", "NVIDIA A100-PCIE-40GB")),
    "a100-80gb": Device(312e12, 80e9, 2039e9, ("NVIDIA A100-SXM4-80GB",)),
    "h100-sxm": Device(989e12, 80e9, 3350e9, ("NVIDIA H100 80GB HBM3",)),
    "h200": Device(989e12, 141e9, 4800e9, ("NVIDIA H200",)),
    "b200": Device(2250e12, 180e9, 8000e9, ("NVIDIA B200",)),
    "tpu-v4": Device(275e12, 32 * 2**30, 1200e9, ("TPU v4",)),
    "tpu-v5e": Device(197e12, 16e9, 819e9, ("TPU v5 lite", "TPU v5e")),
    "tpu-v5p": Device(459e12, 95e9, 2765e9, ("TPU v5p", "TPU v5")),
    "tpu-v6e": Device(918e12, 32e9, 1638e9, ("TPU v6 lite", "TPU v6e")),
}


def find_device(name: str) -> tuple[str, Device] | None:
    """The named device, or for "" the one at hand; None where that is not in the table, as a CPU is not.

    Raises:
      InputError: a name that is not in the table.
    """
    if name:
        require(name in DEVICES, "runtime.price.device", name, f"must be one of {', '.join(DEVICES)}")
        return name, DEVICES[name]
    at_hand = jax.devices()[0].device_kind
    for known, device in DEVICES.items():
        if at_hand.startswith(device.kinds):
            return known, device
    return None


def peak_flops_per_s(runtime: RuntimeConfig) -> float | None:
    """Dense bfloat16 peak of the whole mesh; None where the device is unknown."""
    match = find_device(runtime.price.device)
    return None if match is None else match[1].flops_per_s * runtime.mesh.n_devices


class Price(TypedDict):
    """Counts, FLOPs, bytes on each device, and hours.

    `hours` are at `runtime.price.mfu` of the mesh's peak, or at CPU_FLOPS_PER_S where the device is unknown; then
    `device` is "", and `memory_bytes` and `fits` are None.
    """

    run_id: str
    n_params_total: int
    n_params_non_embedding: int
    n_tokens: int
    n_steps: int
    training_flops: float
    parameter_bytes: int
    moment_bytes: int
    gradient_bytes: int
    gathered_bytes: int
    activation_bytes: int
    device_bytes: int
    device: str
    n_devices: int
    memory_bytes: float | None
    fits: bool | None
    mfu: float
    hours: float


def price(config: TrainConfig) -> Price:
    """Cost of one run, and whether it fits."""
    a, runtime = config.architecture, config.runtime
    flops = accounting.training_flops(a, config.n_trained_tokens, config.recipe.sequence_length)
    match = find_device(runtime.price.device)
    name, memory = ("", None) if match is None else (match[0], match[1].memory_bytes)
    peak = peak_flops_per_s(runtime)
    parameters, activations = parameter_bytes(a, runtime.mesh), activation_bytes(config)
    gradients = parameters * (2 if runtime.accumulation > 1 else 1)
    gathered = gathered_bytes(a, config.recipe.dtype, runtime.mesh)
    total = 3 * parameters + gradients + gathered + activations
    return {
        "run_id": config.run_id,
        "n_params_total": accounting.count_parameters(a),
        "n_params_non_embedding": accounting.count_non_embedding_parameters(a),
        "n_tokens": config.n_trained_tokens,
        "n_steps": config.n_steps,
        "training_flops": flops,
        "parameter_bytes": parameters,
        "moment_bytes": 2 * parameters,
        "gradient_bytes": gradients,
        "gathered_bytes": gathered,
        "activation_bytes": activations,
        "device_bytes": total,
        "device": name,
        "n_devices": runtime.mesh.n_devices,
        "memory_bytes": memory,
        "fits": None if memory is None else total <= USABLE * memory,
        "mfu": runtime.price.mfu,
        "hours": flops / (CPU_FLOPS_PER_S if peak is None else runtime.price.mfu * peak) / 3600,
    }


def parameter_bytes(a: Architecture, mesh: MeshConfig) -> int:
    """Float32 bytes of the parameters that one device of the mesh holds."""
    sizes = mesh.data, mesh.fsdp, mesh.tensor
    abstract: Any = AbstractMesh(sizes, sharding.AXES, axis_types=(AxisType.Auto,) * 3)
    placed, leaves = sharding.parameter_shardings(a, abstract), transformer.abstract_parameters(a)
    shards = jax.tree.map(lambda leaf, sharding_of: math.prod(sharding_of.shard_shape(leaf.shape)), leaves, placed)
    return 4 * sum(jax.tree.leaves(shards))


def gathered_bytes(a: Architecture, dtype: str, mesh: MeshConfig) -> int:
    """A layer or the unembedding whole, in the compute type, and its float32 gradient; 0 without fsdp."""
    if mesh.fsdp == 1:
        return 0
    largest = max(accounting.count_matrix_parameters(a), a.embedding.matrix_parameters)
    return (_width(dtype) + 4) * largest // mesh.tensor


def activation_bytes(config: TrainConfig) -> int:
    """Peak bytes of activations on one device, by the formula above."""
    a, recipe, runtime = config.architecture, config.recipe, config.runtime
    e, length, split = _width(recipe.dtype), recipe.sequence_length, runtime.mesh.tensor
    attention = dataclasses.replace(a.attention, n_heads=a.n_heads / split, n_kv_heads=a.n_kv_heads / split)
    mlp = dataclasses.replace(a.mlp, d_ff=a.d_ff / split)
    attended = (length + min(length, layers.QUERY_BLOCK)) / 2
    whole = attention.saved_bytes(e, attended) + mlp.saved_bytes(e)
    dots = e * (attention.product_elements + mlp.product_elements)
    saved = {"none": whole, "dots": dots, "full": e * a.d_model}[runtime.remat]
    logits = (8 + (e if e < 4 else 0)) * a.vocab_size / split
    peak = logits if runtime.remat == "none" else max(logits, whole)
    positions = recipe.tokens_per_step // (runtime.mesh.batch_shards * runtime.accumulation)
    return round(positions * (a.n_layers * saved + peak))


def _width(dtype: str) -> int:
    return {"float32": 4, "bfloat16": 2}[dtype]


def describe(price: Price) -> str:
    """Three lines a person can read: how large, does it fit, how long."""
    amounts: dict[str, Any] = {name: value for name, value in price.items() if name.endswith("_bytes")}
    sizes = {name: size(value) for name, value in amounts.items() if value is not None}
    lines = [
        f"{price['n_params_total']:,} parameters ({price['n_params_non_embedding']:,} non-embedding), "
        f"{price['n_tokens']:,} tokens in {price['n_steps']:,} steps, {price['training_flops']:.3g} FLOPs",
        f"each device: parameters {sizes['parameter_bytes']}, Adam moments {sizes['moment_bytes']}, gradients "
        f"{sizes['gradient_bytes']}, activations about {sizes['activation_bytes']}, gathered weights about "
        f"{sizes['gathered_bytes']}; in all about {sizes['device_bytes']}",
    ]
    if price["device"]:
        verdict = "fits" if price["fits"] else "DOES NOT FIT"
        lines[1] += f" of {sizes['memory_bytes']}: {verdict} ({USABLE:.0%} counted as usable)"
        lines.append(
            f"about {_duration(price['hours'])} on {price['n_devices']} × {price['device']} at {price['mfu']:.0%} of "
            f"peak: {price['n_devices'] * price['hours']:,.1f} device-hours"
        )
    else:
        lines.append(f"about {_duration(price['hours'])} at {CPU_FLOPS_PER_S / 1e9:.0f} GFLOP/s")
    return "\n".join(lines)


def size(n_bytes: float) -> str:
    """Bytes in MiB or GiB."""
    return f"{n_bytes / 2**30:.3g} GiB" if n_bytes >= 2**29 else f"{n_bytes / 2**20:.3g} MiB"


def _duration(hours: float) -> str:
    return f"{3600 * hours:.0f} s" if hours < 0.1 else f"{hours:,.1f} hours"


def price_runs(plans: Iterable[TrainConfig]) -> pd.DataFrame:
    """`price` of each run, a row each."""
    return pd.DataFrame([price(plan) for plan in plans])


def describe_runs(table: pd.DataFrame) -> str:
    """The table of `price_runs` with what matters, and the sum."""
    columns = ["run_id", "n_params_total", "n_params_non_embedding", "n_tokens", "n_steps", "training_flops"]
    shown = table[columns].assign(each_device=table["device_bytes"].map(size))
    if table["device"].any():
        shown = shown.assign(fits=table["fits"])
    text = shown.to_string(index=False, formatters={"training_flops": "{:.3g}".format})
    total = f"{table['training_flops'].sum():.3g} FLOPs, about {_duration(table['hours'].sum())} one after another"
    devices = sorted({f"{n} × {name or 'CPU'}" for n, name in zip(table["n_devices"], table["device"], strict=True)})
    return f"{text}\n{total} on {', '.join(devices)}"
