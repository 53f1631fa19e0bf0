"""Checkpoints of a run: Orbax saves of the state, with the data iterator's position beside it."""

import contextlib
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import jax
from orbax.checkpoint import v1 as ocp

from ie_scaling.train.step import TrainState

# Orbax numbers its saves by process, so that two at once, from runs side by side, make each other's directories.
_LOCK = threading.Lock()
_under_way: Any = None


class Checkpoints:
    """The latest `keep` checkpoints in one directory, saved in the background.

    Orbax writes under a temporary name and renames when whole, so an interrupted save is never taken for a
    checkpoint.
    """

    def __init__(self, directory: Path, keep: int, every_s: float, clock: Callable[[], float] = time.monotonic):
        policy: Any = ocp.training.preservation_policies.LatestN(keep)
        self._orbax = ocp.training.Checkpointer(str(directory.resolve()), preservation_policy=policy)
        self._every_s, self._clock, self._last = every_s, clock, clock()

    @property
    def latest_step(self) -> int | None:
        """The step of the newest whole checkpoint."""
        return self._orbax.latest.step if self._orbax.latest else None

    def due(self) -> bool:
        """Whether `every_s` seconds have gone by since the last save."""
        return self._clock() - self._last >= self._every_s

    def save(self, step: int, state: TrainState, data_state: Any) -> None:
        """Start saving in the background; `step` is the number of steps done, `data_state` the iterator's."""
        global _under_way
        with _LOCK:
            if _under_way is not None:
                with contextlib.suppress(Exception):  # that run hears of it from its own `close`
                    _under_way.result()
            _under_way = self._orbax.save_async(step, _as_tree(state), custom_metadata={"data": data_state}, force=True)
        self._last = self._clock()

    def restore(self, step: int, like: TrainState) -> tuple[TrainState, Any]:
        """The state at `step`, placed as the abstract state `like` says, and the iterator's position."""
        tree = self._orbax.load(step, _as_tree(like))
        metadata: Any = self._orbax.metadata(step).custom_metadata
        return TrainState(**tree), metadata["data"]

    def close(self) -> None:
        """Wait for saves under way."""
        self._orbax.close()


@contextlib.contextmanager
def opened(directory: Path, keep: int, every_s: float) -> Generator[Checkpoints]:
    """The checkpoints in `directory`, waited for when the block ends, however it ends."""
    checkpoints = Checkpoints(directory, keep, every_s)
    try:
        yield checkpoints
    finally:
        checkpoints.close()


def abstract(state_shape: TrainState, shardings: TrainState) -> TrainState:
    """Shapes, dtypes and places of a state, to restore into."""
    return jax.tree.map(
        lambda leaf, placed: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=placed), state_shape, shardings
    )


def _as_tree(state: TrainState) -> dict[str, Any]:
    return {"parameters": state.parameters, "optimizer_state": state.optimizer_state, "step": state.step}
