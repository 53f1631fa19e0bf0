"""Multi-process training: initialization, the writing process, and agreement between processes."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from ie_scaling.errors import InputError
from ie_scaling.train.runtime_config import DistributedConfig, Mode


def start(config: DistributedConfig) -> None:
    """Join the other processes; to be called before anything else of JAX, and harmless when called again.

    Raises:
      InputError: they could not be joined.
    """
    if config.mode == Mode.OFF or jax.distributed.is_initialized():
        return
    given: dict[str, Any] = {}
    if config.mode == Mode.MANUAL:
        given = {
            "coordinator_address": config.coordinator,
            "num_processes": config.n_processes,
            "process_id": config.process_id,
        }
    try:
        jax.distributed.initialize(**given)
    except Exception as error:  # a cluster that is not there shows itself in many classes
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"runtime.distributed.mode={config.mode!r}: cannot join the others ({reason})") from None


def is_primary() -> bool:
    """Whether this process writes what is written once: tables, logs, manifests."""
    return jax.process_index() == 0


def barrier(name: str) -> None:
    """Wait until every process has come here."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(name)


def agreed(decision: bool) -> bool:
    """What the first process decided, in all of them."""
    if jax.process_count() == 1:
        return decision
    return bool(multihost_utils.broadcast_one_to_all(np.asarray(decision)))


def by_primary(action: Callable[[], Any]) -> None:
    """Done by the first process while the others wait. Where it cannot be done, all fail, and none is left waiting.

    Raises:
      Exception: as `action` does; in the other processes an InputError that points to the first.
    """
    error = None
    if is_primary():
        try:
            action()
        except Exception as raised:
            error = raised
    if agreed(error is not None):
        raise error or InputError("the first process could not go on; it says why")


def preempted(step: int, stop_asked: bool) -> bool:
    """Whether all processes are to stop before this step; each must ask at every step.

    With several processes JAX receives SIGTERM, and agrees on a step that none has passed.
    """
    if jax.process_count() == 1:
        return stop_asked
    return multihost_utils.reached_preemption_sync_point(step)
