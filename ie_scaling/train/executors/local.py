"""The runs of a sweep in threads of this process, on its devices."""

import concurrent.futures
import queue
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax

from ie_scaling.running.stopping import Stop
from ie_scaling.train.attempt import attempt
from ie_scaling.train.config import TrainConfig
from ie_scaling.train.executors import Outcome
from ie_scaling.train.sweep_config import SweepConfig


def run(config: SweepConfig, directory: Path, stop: Stop) -> Iterator[Outcome]:
    """n_parallel runs at once, each on a block of devices as its mesh wants."""
    blocks: queue.SimpleQueue[list[jax.Device]] = queue.SimpleQueue()
    n_parallel = min(config.n_parallel, len(config.plans))
    for block in device_blocks(config.runtime.mesh.n_devices, n_parallel):
        blocks.put(block)

    def run_one(plan: TrainConfig) -> dict[str, Any] | None:
        devices = blocks.get()
        try:
            return attempt(plan, directory, config.retries, stop, devices)
        finally:
            blocks.put(devices)

    with concurrent.futures.ThreadPoolExecutor(n_parallel) as pool:
        started = {pool.submit(run_one, plan): index for index, plan in enumerate(config.plans)}
        try:
            for finished in concurrent.futures.as_completed(started):
                yield started[finished], finished.result()
        except BaseException:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def device_blocks(size: int, n_blocks: int) -> list[list[jax.Device]]:
    """n_blocks blocks of `size` devices, apart where there are enough, else shared in turn."""
    devices = jax.devices()
    if len(devices) < size:
        return [devices] * n_blocks  # the mesh says what is wrong
    n_apart = len(devices) // size
    return [devices[size * (index % n_apart) :][:size] for index in range(n_blocks)]
