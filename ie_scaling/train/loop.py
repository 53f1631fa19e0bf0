"""One training run from its config to its row in the run table; resumable to the bit."""

import json
import math
import threading
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

from ie_scaling import accounting, files, records, workdir
from ie_scaling import config as config_lib
from ie_scaling.corpus import pipeline, prepare
from ie_scaling.progress import Progress, say
from ie_scaling.train import checkpoint, optimizer, step
from ie_scaling.train.config import TrainConfig


class Stopped(Exception):
    """A run was asked to stop: its state is saved, and the same call goes on from there."""


def run(config: TrainConfig, directory: Path, stop: threading.Event | None = None) -> dict[str, Any]:
    """Train, evaluate, and write `directory`; a finished run is read back, an unfinished one goes on.

    Writes metrics.jsonl, checkpoints/ and runs.csv with this run's one row, which it returns.

    Args:
      stop: once set, the run saves its state before the next step and raises Stopped.

    Raises:
      ValueError: bad configuration or corpus.
      FloatingPointError: the loss is not finite.
    """
    resolved = {"experiment": "train"} | config_lib.to_plain(config)
    if not workdir.is_done(directory, resolved):
        recipe = config.recipe
        prepare.prepare(recipe.corpus)
        tokens = {split: prepare.load_tokens(Path(recipe.corpus.directory), split) for split in prepare.SPLITS}
        shape = recipe.sequence_length, recipe.batch_size
        batches = pipeline.training_batches(tokens["train"], *shape, config.seed)
        held_out = pipeline.evaluation_batches(tokens["validation"], *shape, recipe.eval_tokens)
        program = step.build(config.architecture, recipe, config.runtime)
        with workdir.opened(directory, resolved):
            state = _train(config, program, batches, directory, stop or threading.Event())
            loss = _evaluate(program, state, held_out)
            say(f"{config.run_id}: validation loss {loss:.4f} nats/token")
            files.write_json(directory / "evaluation.json", {"loss": loss, "n_tokens": held_out[..., 1:].size})
            records.append_run(directory / "runs.csv", _row(config, loss))
    return records.read_runs(directory / "runs.csv").to_dict("records")[0]


def _train(
    config: TrainConfig, program: step.Program, batches: Any, directory: Path, stop: threading.Event
) -> step.TrainState:
    """Every step from the newest checkpoint (or from nothing) to the last one.

    The log reads a step's metrics back only after the next one is dispatched, so the device never waits for it.
    """
    recipe, n_steps = config.recipe, config.n_steps
    learning_rates = optimizer.learning_rates(recipe.optimizer, n_steps)
    with checkpoint.opened(
        directory / "checkpoints", config.runtime.checkpoint.keep, config.runtime.checkpoint.every_s
    ) as saved:
        state, first = _begin(config, program, batches, saved)
        with (
            MetricsLog(directory / "metrics.jsonl", config, first) as log,
            Progress(config.run_id, n_steps - first, "steps") as progress,
        ):
            for index in range(first, n_steps):
                if index > first and (stop.is_set() or saved.due()):
                    log.flush()
                    saved.save(index, state, batches.get_state())
                if stop.is_set():
                    raise Stopped(f"{config.run_id}: stopped at step {index} of {n_steps}")
                batch = program.shard_batch(next(batches))
                state, metrics = program.train(state, batch, learning_rates[index])
                progress.advance(note=log.push(index + 1, metrics, learning_rates[index]))
            log.flush()
        if first < n_steps:
            saved.save(n_steps, state, batches.get_state())
    return state


def _begin(
    config: TrainConfig, program: step.Program, batches: Any, saved: checkpoint.Checkpoints
) -> tuple[step.TrainState, int]:
    """The state to start from and the steps already done, the data iterator put where it was."""
    key = jax.random.key(config.seed)
    if saved.latest_step is None:
        return program.init(key), 0
    state_shape = jax.eval_shape(program.init, key)
    state, data_state = saved.restore(saved.latest_step, checkpoint.abstract(state_shape, program.shardings))
    batches.set_state(data_state)
    say(f"{config.run_id}: resumed at step {saved.latest_step} of {config.n_steps}")
    return state, saved.latest_step


def _evaluate(program: step.Program, state: step.TrainState, held_out: np.ndarray) -> float:
    """Cross-entropy in nats per token over all held-out windows, summed in float64 on the host."""
    sums = [program.evaluate(state.parameters, program.shard_batch(batch)) for batch in held_out]
    return float(np.sum(jax.device_get(sums), dtype=np.float64) / held_out[..., 1:].size)


def _row(config: TrainConfig, loss: float) -> dict[str, Any]:
    recipe = config.recipe
    n_tokens = config.n_trained_tokens
    # model_id names the shape: runs of one shape share what the law misses about it (laws: the per-model effect).
    return records.run_record(
        config.architecture,
        source=recipe.source,
        run_id=config.run_id,
        n_tokens=n_tokens,
        loss=loss,
        loss_split=f"{Path(recipe.corpus.text).name}_validation",
        model_id=config.architecture.name,
        seed=config.seed,
        n_steps=config.n_steps,
        learning_rate=recipe.optimizer.learning_rate,
        batch_size=recipe.batch_size,
        sequence_length=recipe.sequence_length,
        training_flops=accounting.training_flops(config.architecture, n_tokens, recipe.sequence_length),
    )


class MetricsLog:
    """metrics.jsonl: one object for every logged step, each step once however often the run was resumed."""

    def __init__(self, path: Path, config: TrainConfig, first_step: int):
        self._every, self._last_step = config.runtime.log.every_steps, config.n_steps
        self._tokens_per_step, self._first_step = config.recipe.tokens_per_step, first_step
        kept = []
        if path.exists():
            kept = [line for line in path.read_text().splitlines() if _step_of(line) <= first_step]
        files.write_text(path, "".join(f"{line}\n" for line in kept))
        self._stream = path.open("a", encoding="utf-8")
        self._start = time.monotonic()
        self._pending: tuple[int, dict[str, jax.Array], float] | None = None
        self._note = ""

    def __enter__(self) -> "MetricsLog":
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def push(self, n_done: int, metrics: dict[str, jax.Array], learning_rate: float) -> str:
        """Take the metrics of the step that made `n_done` done, write those taken before; a note for the progress bar.

        Raises:
          FloatingPointError: the loss written is not finite.
        """
        self.flush()
        if n_done % self._every == 0 or n_done == self._last_step:
            self._pending = n_done, metrics, learning_rate
        return self._note

    def flush(self) -> None:
        """Read back and write what was taken; waits for the device."""
        if self._pending is None:
            return
        (n_done, metrics, learning_rate), self._pending = self._pending, None
        values = {name: float(value) for name, value in jax.device_get(metrics).items()}
        if not math.isfinite(values["loss"]):
            raise FloatingPointError(f"step {n_done}: loss is {values['loss']}; the last checkpoint is good")
        elapsed = time.monotonic() - self._start
        entry = {"step": n_done, "n_tokens": n_done * self._tokens_per_step} | values
        entry |= {"learning_rate": float(learning_rate)}
        entry |= {"tokens_per_s": (n_done - self._first_step) * self._tokens_per_step / elapsed}
        self._stream.write(json.dumps(entry) + "\n")
        self._stream.flush()
        self._note = f"loss {values['loss']:.3f}"


def _step_of(line: str) -> float:
    """The step of a metrics line; infinite for a line cut off by an interruption."""
    try:
        return json.loads(line)["step"]
    except (ValueError, KeyError, TypeError):
        return math.inf
