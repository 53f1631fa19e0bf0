"""One training run from its config to its row in the run table; resumable to the bit."""

import contextlib
import threading
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from ie_scaling import accounting
from ie_scaling.corpus import pipeline, prepare
from ie_scaling.corpus.tokens import TokenStore
from ie_scaling.errors import InputError
from ie_scaling.model import sharding
from ie_scaling.running import config as config_lib
from ie_scaling.running import diagnostic, files, workdir
from ie_scaling.running.progress import Progress, say
from ie_scaling.running.stopping import Stop, Stopped
from ie_scaling.tables import cells, run_table
from ie_scaling.train import checkpoint, distributed, metrics, metrics_file, optimizer, run_identity, states, step
from ie_scaling.train.config import RecipeConfig, TrainConfig
from ie_scaling.train.run_identity import MAY_CHANGE, RunIdentity


def run(
    config: TrainConfig,
    directory: Path,
    stop: threading.Event | None = None,
    devices: Sequence[jax.Device] | None = None,
) -> dict[str, Any]:
    """Train, evaluate, and write `directory`; a finished run is read back, an unfinished one goes on.

    Writes metrics.jsonl, checkpoints/ and runs.csv with this run's one row, which it returns. Of several processes
    (jax.distributed, a directory that all see) each calls this, and the first writes.

    Args:
      stop: once set, the run saves its state before the next step and raises Stopped.
      devices: those to train on; all by default.

    Raises:
      InputError: bad configuration or corpus.
      FloatingPointError: the loss is not finite, or a spike.
      OSError: a checkpoint could not be written.
    """
    resolved = {"experiment": "train"} | config_lib.to_plain(config)
    if not workdir.is_done(directory, resolved, MAY_CHANGE, run_identity.corpora(config.recipe)):
        metrics.check(config.runtime.log)
        check_results(directory)
        corpora = open_corpora(config.recipe, config.architecture.vocab_size)
        program = step.build(
            config.architecture, config.recipe, config.runtime, corpora.train[0][0].end_of_text_id, devices
        )
        held_out = pipeline.evaluation_batches(
            corpora.validation, config.recipe.sequence_length, config.recipe.batch_size, config.recipe.eval_tokens
        )
        _batches(config, program, corpora, 0)  # what cannot be trained on is refused before anything is written
        with _locked(config, directory, resolved):
            (directory / states.FAILED).unlink(missing_ok=True)  # of an earlier attempt
            state = _train(config, program, corpora, directory, stop or threading.Event())
            loss, n_tokens = evaluate(program, state, held_out), held_out[..., 1:].size
            if distributed.is_primary():
                say(f"{config.run_id}: validation loss {loss:.4f} nats/token")
                evaluation: states.Evaluation = {"loss": loss, "n_tokens": n_tokens}
                files.write_json(directory / "evaluation.json", evaluation)
                diagnostic.write(directory, run_identity.corpus_diagnostics([config.recipe]))
                run_table.append_run(directory / "runs.csv", _row(config, loss))
        distributed.barrier("run is done")
    return run_table.read_runs(directory / "runs.csv").to_dict("records")[0]


@contextlib.contextmanager
def _locked(config: TrainConfig, directory: Path, resolved: dict[str, Any]) -> Generator[None]:
    """The work directory, locked by the first process for all."""
    inputs = run_identity.corpora(config.recipe)
    with contextlib.ExitStack() as stack:
        distributed.by_primary(
            lambda: stack.enter_context(
                workdir.opened(directory, resolved, MAY_CHANGE, inputs, may_hold=(states.FAILED,))
            )
        )
        yield


def check_results(directory: Path) -> None:
    """Raise an InputError where what an earlier start left in `directory` cannot be gone on with."""
    checkpoints, table = directory / "checkpoints", directory / "runs.csv"
    if checkpoints.exists() and not checkpoints.is_dir():
        raise InputError(f"{checkpoints}: must be a directory of checkpoints; move it away, and the command goes on")
    metrics_file.read(directory)
    if table.exists():
        cells.require_columns(table, cells.read_frame(table), ("run_id",))
    evaluation = directory / "evaluation.json"
    if evaluation.is_dir():
        raise InputError(f"{evaluation}: must be a file; move it away, and the command goes on")


class Corpora:
    """The corpora of a recipe: those trained on with their weights, and the text for validation."""

    def __init__(self, recipe: RecipeConfig):
        weights = recipe.mixture_weights
        self.train = [(TokenStore.open(directory, "train"), weight) for directory, weight in weights.items()]
        self.validation = TokenStore.open(Path(recipe.corpus.directory), "validation")

    @property
    def stores(self) -> list[TokenStore]:
        """All of them."""
        return [*(store for store, _ in self.train), self.validation]


def open_corpora(recipe: RecipeConfig, vocab_size: int) -> Corpora:
    """The recipe's corpora, the first prepared where it is not there yet.

    Raises:
      InputError: a corpus that is bad or not there, or has tokens beyond `vocab_size`.
    """
    distributed.by_primary(lambda: prepare.prepare(recipe.corpus))
    corpora = Corpora(recipe)
    for store in corpora.stores:
        store.require_vocabulary(vocab_size)
    return corpora


def _train(
    config: TrainConfig, program: step.Program, corpora: Corpora, directory: Path, stop: threading.Event
) -> step.TrainState:
    """Every step from the newest whole checkpoint (or from nothing) to the last one."""
    n_steps = config.n_steps
    rates = optimizer.learning_rates(config.recipe.optimizer, n_steps)
    with (
        contextlib.ExitStack() as unsaved,
        checkpoint.opened(directory / "checkpoints", config.runtime.checkpoint, RunIdentity.of(config)) as saved,
    ):
        state, first = _begin(config, program, saved)
        batches = _batches(config, program, corpora, first)
        with (
            metrics.MetricsLog(directory, config, first, distributed.is_primary()) as log,
            metrics.Profiler(config.runtime.log, directory, first) as profiler,
            Progress(config.run_id, n_steps - first, "steps") as progress,
            _naming_good_checkpoint(config, saved, log),
        ):
            for index in range(first, n_steps):
                preempted = distributed.preempted(index, stop.is_set())
                if index > first and (preempted or saved.due(index)):
                    log.require_good(index)
                    saved.save(index, state)
                if preempted:
                    what = "saved" if index > first else "nothing new to save"
                    raise Stopped(f"{config.run_id}: stopped at step {index} of {n_steps}, {what}")
                profiler.before(index, state)
                state, measured = program.train(state, program.place_batch(next(batches)), rates[index])
                if index == first and isinstance(stop, Stop):  # before, a signal may end the compiler where it stands
                    unsaved.enter_context(stop.saving_first())
                progress.advance(note=log.push(index + 1, measured, rates[index]))
            log.flush()
        if first < n_steps:
            saved.save(n_steps, state)
    return state


def _batches(config: TrainConfig, program: step.Program, corpora: Corpora, first: int) -> Iterator[np.ndarray]:
    """This process's rows of each batch from number `first` on.

    A batch is a function of its number, so where the data stand is the number of steps done, on any hosts.
    """
    recipe = config.recipe
    host = sharding.hosts_of_batch(program.mesh, recipe.batch_size)
    return pipeline.training_batches(
        corpora.train, recipe.sequence_length, recipe.batch_size, config.seed, first, *host
    )


@contextlib.contextmanager
def _naming_good_checkpoint(
    config: TrainConfig, saved: checkpoint.Checkpoints, log: metrics.MetricsLog
) -> Generator[None]:
    try:
        yield
    except FloatingPointError as error:
        # The loss of step k is that of the parameters after k − 1 steps.
        good = [at for at in saved.steps if at < log.last_good_step]
        known = f"the checkpoint at step {good[-1]} is good" if good else "no checkpoint was saved before it"
        raise FloatingPointError(f"{config.run_id}: {error}; {known}") from None


def _begin(config: TrainConfig, program: step.Program, saved: checkpoint.Checkpoints) -> tuple[step.TrainState, int]:
    """The state to start from and the steps already done."""
    key = jax.random.key(config.seed)
    restored = None
    if saved.steps:
        restored = saved.restore_newest(checkpoint.abstract(jax.eval_shape(program.init, key), program.shardings))
    if restored is None:
        return program.init(key), 0
    state, first = restored
    say(f"{config.run_id}: resumed at step {first} of {config.n_steps}")
    return state, first


def evaluate(program: step.Program, state: step.TrainState, batches: np.ndarray) -> float:
    """Cross-entropy in nats per token over (batches, B, T+1) windows, summed in float64 on the host."""
    host, n_hosts = sharding.hosts_of_batch(program.mesh, batches.shape[1])
    own = batches.reshape(len(batches), n_hosts, -1, batches.shape[-1])[:, host]
    sums = [program.evaluate(state.parameters, program.place_batch(batch)) for batch in own]
    return float(np.sum(jax.device_get(sums), dtype=np.float64) / batches[..., 1:].size)


def _row(config: TrainConfig, loss: float) -> dict[str, Any]:
    recipe = config.recipe
    n_tokens = config.n_trained_tokens
    # model_id names the shape: runs of one shape share what the law misses about it (laws: the per-model effect).
    return run_table.run_record(
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
