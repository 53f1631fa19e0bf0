"""Runs at once in one process, each on devices of its own while there are enough."""

import jax

from ie_scaling.train.executors import local
from ie_scaling.train.sweep_config import SweepConfig


def test_device_blocks_are_apart_while_there_are_enough():
    devices = jax.devices()
    assert local.device_blocks(2, 4) == [devices[0:2], devices[2:4], devices[4:6], devices[6:8]]
    assert local.device_blocks(4, 3) == [devices[0:4], devices[4:8], devices[0:4]]


def test_more_runs_at_once_than_there_are_is_no_longer_list(monkeypatch):
    requested = []
    monkeypatch.setattr(local, "device_blocks", lambda size, n: requested.append(n) or [[]] * n)
    monkeypatch.setattr(local, "attempt", lambda *_: {})
    config = SweepConfig(runs=("d24-n2-h2-k1-c10-f37-v1024@500000",), n_parallel=2**31 - 1)
    assert list(local.run(config, None, None)) == [(0, {})]
    assert requested == [1]
