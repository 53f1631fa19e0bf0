"""Checks of a training run before anything is tokenized, written or compiled."""

import importlib.util
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import jax

from ie_scaling import accounting
from ie_scaling.corpus import pipeline, prepare
from ie_scaling.corpus.manifest import MANIFEST
from ie_scaling.corpus.tokens import TokenStore
from ie_scaling.errors import InputError
from ie_scaling.model import sharding
from ie_scaling.running import diagnostic
from ie_scaling.running.diagnostic import Diagnostic, Kind
from ie_scaling.train import metrics, pricing, transfer
from ie_scaling.train.config import RecipeConfig, TrainConfig
from ie_scaling.train.executors import EXECUTORS
from ie_scaling.train.runtime_config import Mode, RuntimeConfig
from ie_scaling.train.sweep_config import SweepConfig


def check(plans: Sequence[TrainConfig], n_parallel: int = 1, is_here: bool = True) -> list[Diagnostic]:
    """Diagnostics of runs that can be started; tokenizes no more than a sample, and writes nothing.

    Args:
      n_parallel: runs at once on this machine.
      is_here: whether they run on this machine, rather than on the nodes of a cluster.

    Raises:
      InputError: whatever training would refuse.
    """
    diagnostics = diagnostic.each(Kind.MACHINE, machine(plans, n_parallel, is_here))
    for recipe in dict.fromkeys(plan.recipe for plan in plans):
        vocab_size = min(plan.architecture.vocab_size for plan in plans if plan.recipe == recipe)
        diagnostics += diagnostic.each(Kind.CORPUS, corpora(recipe, vocab_size))
    return list(dict.fromkeys(diagnostics))


def check_sweep(config: SweepConfig) -> list[Diagnostic]:
    """`check` of a sweep's runs where they are to run."""
    executor = EXECUTORS[config.executor]
    if executor.package:
        require_installed(executor.package, f"executor={config.executor!r}")
    return check(config.plans, config.n_parallel, executor.is_here)


def machine(plans: Sequence[TrainConfig], n_parallel: int = 1, is_here: bool = True) -> Iterator[str]:
    """Warnings about this machine; quick.

    Raises:
      InputError: a package is missing, or the mesh cannot be laid on the devices.
    """
    runtime = plans[0].runtime  # of a sweep, that of every run
    metrics.check(runtime.log)
    for plan in plans:
        transfer.scales(plan.architecture, plan.recipe.optimizer)
    if is_here and runtime.distributed.mode == Mode.OFF:
        yield from _devices(runtime, min(n_parallel, len(plans)))
        yield from _memory(plans)


def require_installed(package: str, field: str) -> None:
    """Raise an InputError with the command that installs it unless the package, an extra of ours, is there."""
    if importlib.util.find_spec(package) is None:
        raise InputError(f"{field}: {package} is not installed (pip install 'ie_scaling[{package}]')")


def _devices(runtime: RuntimeConfig, n_parallel: int) -> Iterator[str]:
    mesh, n_here = runtime.mesh, len(jax.devices())
    try:
        sharding.make_mesh(mesh.data, mesh.fsdp, mesh.tensor)
    except InputError as error:
        at_hand = pricing.find_device("")
        elsewhere = runtime.price.device and (at_hand is None or runtime.price.device != at_hand[0])
        if not elsewhere:
            raise InputError(f"runtime.mesh: {error}") from None
        yield f"runtime.mesh: {error} here; this is the price on {runtime.price.device}"
        return
    if n_parallel > 1 and n_parallel * mesh.n_devices > n_here > 1:
        yield (
            f"n_parallel={n_parallel}: runs at once need {n_parallel * mesh.n_devices} devices, there are {n_here}; "
            "some will share"
        )


def _memory(plans: Sequence[TrainConfig]) -> Iterator[str]:
    """Where the largest run needs more memory than there is: a device's that is priced, else this machine's."""
    candidates = {max(plans, key=lambda plan: accounting.count_parameters(plan.architecture))}
    candidates.add(max(plans, key=pricing.activation_bytes))
    largest = max((pricing.price(plan) for plan in candidates), key=lambda price: price["device_bytes"])
    needed, memory, where = largest["device_bytes"], largest["memory_bytes"], largest["device"]
    if memory is None:
        needed, memory, where = needed * largest["n_devices"], _host_bytes(), "this machine"
    if memory and needed > pricing.USABLE * memory:
        yield f"{largest['run_id']}: needs about {pricing.size(needed)} of the {pricing.size(memory)} of {where}"


def _host_bytes() -> int:
    """Memory of this machine; 0 where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return 0


def corpora(recipe: RecipeConfig, vocab_size: int) -> list[str]:
    """Warnings of the corpora that are there and of the one still to be prepared.

    Raises:
      InputError: one cannot be trained on by a model of this vocabulary, or cannot be prepared.
    """
    warnings = prepare.check(recipe.corpus)
    if not (Path(recipe.corpus.directory) / MANIFEST).is_file():
        size, least = prepare.estimate_bytes(recipe.corpus), recipe.tokens_per_step
        if 2 * size < least:  # a byte is a token at most, but for the ends of documents
            rule = f"must hold a batch of {least:,} tokens for validation alone"
            raise InputError(f"recipe.corpus.text={recipe.corpus.text!r}: {size:,} bytes; {rule}")
        if recipe.corpus.tokenizer == "byte" and vocab_size < 257:
            raise InputError(f"architecture.vocab_size={vocab_size}: must be at least 257, the bytes and the end")
        return warnings
    weights = recipe.mixture_weights
    mixture = [(TokenStore.open(directory, "train"), weight) for directory, weight in weights.items()]
    validation = TokenStore.open(Path(recipe.corpus.directory), "validation")
    for store in (*(store for store, _ in mixture), validation):
        store.require_vocabulary(vocab_size)
    length, batch_size = recipe.sequence_length, recipe.batch_size
    try:
        pipeline.training_dataset(mixture, length, batch_size, seed=0)
        pipeline.evaluation_batches(validation, length, batch_size, 1)
    except InputError as error:
        raise InputError(f"recipe: {error}") from None
    return warnings
