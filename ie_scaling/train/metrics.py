"""Run metrics (metrics.jsonl, TensorBoard, W&B), profiling, and detection of loss spikes."""

import contextlib
import importlib.util
import json
import math
import resource
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax

from ie_scaling import accounting
from ie_scaling.errors import InputError, short
from ie_scaling.running import files
from ie_scaling.train import metrics_file, pricing
from ie_scaling.train.config import TrainConfig
from ie_scaling.train.runtime_config import LogConfig

SMOOTHING = 0.95  # of the running mean that a spike is measured from, per logged step
Writer = Callable[[int, dict[str, float]], None]


class MetricsLog:
    """Every logged step once, however often the run was resumed; a context manager.

    Reads a step's metrics back only when the next one is pushed, so that the device never waits for it.
    """

    def __init__(self, directory: Path, config: TrainConfig, first_step: int, writes: bool = True):
        self._config, self._first_step, self.last_good_step = config, first_step, first_step
        self._path, self._resources = directory / metrics_file.NAME, contextlib.ExitStack()
        earlier = metrics_file.read(directory).up_to(first_step)
        self._mean: float | None = None
        for entry in earlier.entries:
            self._count(entry)
        self._writers = self._open(directory, earlier) if writes else []
        self._timed_from: tuple[int, float] | None = None
        self._newest: dict[str, jax.Array] = {}
        self._pending: tuple[int, dict[str, jax.Array], float] | None = None
        self._note = ""

    def _open(self, directory: Path, earlier: metrics_file.MetricsFile) -> list[Writer]:
        log = self._config.runtime.log
        if earlier.damage:
            metrics_file.keep_damaged(directory, earlier.damage)
        files.write_text(self._path, "".join(f"{line}\n" for line in earlier.lines))
        stream = self._resources.enter_context(self._path.open("a", encoding="utf-8"))

        def write_line(step: int, values: dict[str, float]) -> None:
            stream.write(json.dumps({"step": step} | values) + "\n")
            stream.flush()

        writers: list[Writer] = [write_line]
        if log.tensorboard:
            writers.append(_tensorboard(directory / "tensorboard", self._first_step, self._resources))
        if log.wandb_project:
            writers.append(_wandb(log.wandb_project, self._config.run_id, directory, self._resources))
        return writers

    def __enter__(self) -> "MetricsLog":
        return self

    def __exit__(self, *_: object) -> None:
        self._resources.close()

    def push(self, n_done: int, metrics: dict[str, jax.Array], learning_rate: float) -> str:
        """Take the metrics of the step that made `n_done` done, write those taken before; a note for the progress bar.

        Raises:
          FloatingPointError: the loss written is not finite, or a spike.
        """
        self.flush()
        self._newest = metrics
        if n_done % self._config.runtime.log.every_steps == 0 or n_done == self._config.n_steps:
            self._pending = n_done, metrics, learning_rate
        return self._note

    def flush(self) -> None:
        """Read back and write what was taken; waits for the device."""
        if self._pending is None:
            return
        (n_done, metrics, learning_rate), self._pending = self._pending, None
        values = {name: float(value) for name, value in jax.device_get(metrics).items()}
        entry = {"step": n_done, "n_tokens": n_done * self._config.recipe.tokens_per_step} | values
        self._judge(entry)
        entry |= {"learning_rate": float(learning_rate)} | self._speed(n_done)
        for write in self._writers:
            write(n_done, {name: value for name, value in entry.items() if name != "step"})
        self._note = f"loss {values['loss']:.3f}"

    def require_good(self, n_done: int) -> None:
        """Raise FloatingPointError unless the step that made `n_done` done was finite; waits for the device."""
        self.flush()
        _require_finite(n_done, jax.device_get(self._newest))

    def _judge(self, entry: Mapping[str, Any]) -> None:
        _require_finite(entry["step"], entry)
        loss, limit = entry["loss"], self._config.runtime.spike_nats
        if self._mean is not None and limit and loss > self._mean + limit:
            raise FloatingPointError(
                f"step {entry['step']}: loss {loss:.3f} is a spike, more than runtime.spike_nats={limit:g} above its "
                f"running mean {self._mean:.3f}"
            )
        self._count(entry)

    def _count(self, entry: Mapping[str, Any]) -> None:
        loss = entry["loss"]
        self._mean = loss if self._mean is None else SMOOTHING * self._mean + (1 - SMOOTHING) * loss
        self.last_good_step = entry["step"]

    def _speed(self, n_done: int) -> dict[str, float]:
        """Since the first step logged, as the steps before it include compilation."""
        config, now = self._config, time.monotonic()
        if self._timed_from is None:
            self._timed_from = n_done, now
            return {"memory_bytes": memory_bytes()}
        tokens = (n_done - self._timed_from[0]) * config.recipe.tokens_per_step
        tokens_per_s = tokens / (now - self._timed_from[1])
        speed = {"memory_bytes": memory_bytes(), "tokens_per_s": tokens_per_s}
        peak = pricing.peak_flops_per_s(config.runtime)
        if peak is not None:
            flops = accounting.training_flops(config.architecture, 1, config.recipe.sequence_length)
            speed["mfu"] = tokens_per_s * flops / peak
        return speed


def _require_finite(step: int, metrics: Mapping[str, Any]) -> None:
    for name in ("loss", "grad_norm"):
        if name in metrics and not math.isfinite(float(metrics[name])):
            raise FloatingPointError(f"step {step}: {name} is {float(metrics[name])}")


def check(log: LogConfig) -> None:
    """Raise an InputError where the log names a tracker that is not installed."""
    if log.wandb_project and importlib.util.find_spec("wandb") is None:
        field = f"runtime.log.wandb_project={short(log.wandb_project)}"
        raise InputError(f"{field}: wandb is not installed (pip install 'ie_scaling[wandb]', or pip install wandb)")
    if log.tensorboard and importlib.util.find_spec("tensorboardX") is None:
        raise InputError("runtime.log.tensorboard=True: tensorboardX is not installed (pip install tensorboardX)")


def memory_bytes() -> float:
    """Peak memory of a device or, where devices do not report it, of this process."""
    peaks = [stats.get("peak_bytes_in_use", 0) for device in jax.local_devices() if (stats := device.memory_stats())]
    if peaks:
        return float(max(peaks))
    unit = 1 if sys.platform == "darwin" else 1024
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


class Profiler:
    """A trace of a window of steps (jax.profiler), where the log names one."""

    def __init__(self, log: LogConfig, directory: Path, first_step: int):
        start = max(log.profile_from, first_step)
        self._window = (start, start + log.profile_steps) if log.profile_steps else (-1, -1)
        self._directory, self._open = directory / "profile", False

    def __enter__(self) -> "Profiler":
        return self

    def __exit__(self, *_: object) -> None:
        if self._open:
            jax.profiler.stop_trace()

    def before(self, step: int, waits_for: Any) -> None:
        """To be called before each step; at the window's ends it waits for the device first."""
        if step in self._window:
            jax.block_until_ready(waits_for)
            if self._open:
                jax.profiler.stop_trace()
            else:
                jax.profiler.start_trace(str(self._directory))
            self._open = not self._open


def _tensorboard(directory: Path, first_step: int, resources: contextlib.ExitStack) -> Writer:
    import tensorboardX

    writer = resources.enter_context(tensorboardX.SummaryWriter(str(directory), purge_step=first_step or None))

    def write(step: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            writer.add_scalar(f"train/{name}", value, step)

    return write


def _wandb(project: str, run_id: str, directory: Path, resources: contextlib.ExitStack) -> Writer:
    import wandb  # ty: ignore  (an optional extra)

    run: Any = wandb.init(project=project, id=run_id.replace("@", "-"), name=run_id, dir=str(directory), resume="allow")
    resources.callback(run.finish)
    return lambda step, values: run.log(values, step=step)
