"""The runs of a sweep as tasks of a Ray cluster; Ray is an optional extra."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ie_scaling.errors import InputError
from ie_scaling.running import config as config_lib
from ie_scaling.running.progress import say
from ie_scaling.running.stopping import Stop, Stopped
from ie_scaling.train import states
from ie_scaling.train.attempt import attempt, mark_failed
from ie_scaling.train.config import TrainConfig
from ie_scaling.train.executors import Outcome
from ie_scaling.train.sweep_config import RayConfig, SweepConfig

ASK_EVERY_S = 1.0


def run(config: SweepConfig, directory: Path, stop: Stop) -> Iterator[Outcome]:
    """Each run as a task with its resources; a task whose node dies is taken up again on another.

    Every node must see `directory` under the same path: the checkpoints there are what a second try goes on from.

    Raises:
      InputError: Ray is not installed, or there is no cluster at the address.
      Stopped: by a signal.
    """
    ray = _connect(config.ray)
    task = _task(ray, config)
    where = str(directory.resolve())
    waiting = {
        task.remote(config_lib.to_plain(plan), where, config.retries): index for index, plan in enumerate(config.plans)
    }
    while waiting:
        finished, _ = ray.wait(list(waiting), num_returns=1, timeout=ASK_EVERY_S)
        if stop.is_set():
            for reference in waiting:
                ray.cancel(reference)
            raise Stopped("sweep: stopped; its runs go on from their last checkpoints")
        for reference in finished:
            index = waiting.pop(reference)
            yield index, _outcome(ray, reference, states.path_of(directory, config.plans[index]))


def _connect(config: RayConfig) -> Any:
    try:
        import ray  # ty: ignore  (an optional extra)
    except ImportError:
        raise InputError("executor='ray': ray is not installed (pip install 'ie_scaling[ray]')") from None
    if not ray.is_initialized():
        try:
            ray.init(address=config.address or None, log_to_driver=True, include_dashboard=False)
        except (ConnectionError, ValueError) as error:  # the second for what is no address
            raise InputError(f"ray.address={config.address!r}: no cluster there ({error})") from None
    return ray


def _task(ray: Any, config: SweepConfig) -> Any:
    cpus, gpus = config.ray.cpus_per_run, config.ray.gpus_per_run
    try:
        return ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=config.retries + 1)(_run_one)
    except ValueError as error:  # as for one GPU and a half
        raise InputError(f"ray.cpus_per_run={cpus:g}, ray.gpus_per_run={gpus:g}: {error}") from None


def _run_one(values: dict[str, Any], directory: str, retries: int) -> dict[str, Any] | None:
    """On a worker: one run from its plain config; its row, or None where it failed."""
    plan = config_lib.build(TrainConfig, values)
    return attempt(plan, Path(directory), retries, Stop())


def _outcome(ray: Any, reference: Any, path: Path) -> dict[str, Any] | None:
    try:
        return ray.get(reference)
    except ray.exceptions.RayError as error:  # the workers died once too often
        say(f"run {path.name} failed: {str(error).splitlines()[0]}")
        mark_failed(path, error)
        return None
