"""Checkpoints of runs side by side in one process: Orbax alone makes them take each other's directories."""

import concurrent.futures
import math

import jax
import jax.numpy as jnp
import numpy as np

from ie_scaling.train import checkpoint
from ie_scaling.train.step import TrainState


def state(value: int) -> TrainState:
    return TrainState({"w": jnp.full((32, 32), value)}, {"m": jnp.arange(3)}, jnp.int32(value))


def test_saves_of_two_runs_at_once_are_whole(tmp_path):
    def save_often(name):
        for trial in range(6):
            with checkpoint.opened(tmp_path / name / str(trial), keep=2, every_s=math.inf) as saved:
                for step in (3, 6):
                    saved.save(step, state(step + trial), {"next_index": step})

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(save_often, ("a", "b")))
    for name in ("a", "b"):
        for trial in range(6):
            with checkpoint.opened(tmp_path / name / str(trial), keep=2, every_s=math.inf) as saved:
                assert saved.latest_step == 6
                restored, data_state = saved.restore(6, state(0))
            assert data_state == {"next_index": 6}
            jax.tree.map(np.testing.assert_array_equal, restored, state(6 + trial))
