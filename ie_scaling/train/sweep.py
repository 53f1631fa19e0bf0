"""A sweep: a list of runs over one recipe, run here or on a Ray cluster, into one run table."""

import concurrent.futures
import math
import queue
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import pandas as pd

from ie_scaling.corpus import prepare
from ie_scaling.errors import InputError
from ie_scaling.running import config as config_lib
from ie_scaling.running import files, identity, stopping, workdir
from ie_scaling.running.progress import Progress, say
from ie_scaling.shapes import lookup
from ie_scaling.tables import cells, run_table
from ie_scaling.train import loop, metrics_file, run_identity
from ie_scaling.train.config import TrainConfig
from ie_scaling.train.sweep_config import SweepConfig

MAY_CHANGE = ("runtime", "executor", "n_parallel", "retries", "ray")
STATES = ("done", "running", "failed", "stopped", "left")
Outcome = tuple[int, dict[str, Any] | None]  # which run; its row, or None where it failed


class FailedRuns(InputError):
    """Some runs of a sweep failed; the others are in its table, and the same call tries the failed ones again."""


def inputs_of(config: SweepConfig) -> workdir.Inputs:
    """What a sweep reads, by name: corpora (None for one that is still to be prepared) and config.json files."""
    return {**run_identity.corpora(config.recipe), **identity.named("runs", lookup.files_of(config.shape_specs))}


def run(config: SweepConfig, directory: Path) -> pd.DataFrame:
    """Every run of the sweep in runs/RUN_ID, those that are done read back; returns and writes runs.csv.

    Interrupted, the runs under way save their state and none is begun.

    Raises:
      FailedRuns: after all others are done.
      Stopped: by a signal.
    """
    resolved = {"experiment": "sweep"} | config_lib.to_plain(config)
    if not workdir.is_done(directory, resolved, MAY_CHANGE, inputs_of(config)):
        with stopping.broken_off():
            prepare.prepare(config.recipe.corpus)
        with workdir.opened(directory, resolved, MAY_CHANGE, inputs_of(config)), stopping.on_signals() as stop:
            execute = run_here if config.executor == "local" else _on_ray
            _collect(config, directory, execute(config, directory, stop))
    return run_table.read_runs(directory / "runs.csv")


def _on_ray(config: SweepConfig, directory: Path, stop: stopping.Stop) -> Iterator[Outcome]:
    from ie_scaling.train import ray_executor  # Ray is an optional extra

    return ray_executor.run(config, directory, stop)


def _collect(config: SweepConfig, directory: Path, outcomes: Iterator[Outcome]) -> None:
    """Rows into runs.csv as they come, in the order of the plan, each once."""
    rows: dict[int, dict[str, Any]] = {}
    failed = []
    with Progress("sweep", len(config.plans), "runs") as progress:
        for index, row in outcomes:
            progress.advance()
            if row is None:
                failed.append(config.plans[index].run_id)
                continue
            rows[index] = row
            cells.write_table(directory / "runs.csv", [rows[done] for done in sorted(rows)])
    if failed:
        first = _state(directory / "runs" / failed[0])[1] or "it is under way in another process"
        raise FailedRuns(f"{len(failed)} of {len(config.plans)} runs failed; the first, {failed[0]}: {first}")


def run_here(config: SweepConfig, directory: Path, stop: stopping.Stop) -> Iterator[Outcome]:
    """The runs on this process's devices, n_parallel at once, each on a block of devices as its mesh wants."""
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


def attempt(
    plan: TrainConfig,
    directory: Path,
    retries: int,
    stop: stopping.Stop,
    devices: list[jax.Device] | None = None,
) -> dict[str, Any] | None:
    """The run's row, or None and runs/RUN_ID/FAILED.json where it failed once more than `retries` times.

    A loss that is not finite or a spike would come again, so it is not tried again.
    """
    place = directory / "runs" / plan.run_id
    for left in reversed(range(retries + 1)):
        if stop.is_set():
            raise stopping.Stopped(f"{plan.run_id}: not begun")
        try:
            say(f"run {plan.run_id}")
            row = loop.run(plan, place, stop, devices)
        except stopping.Stopped:
            raise
        except Exception as error:  # one run must not take the others with it
            again = left > 0 and not isinstance(error, FloatingPointError)
            say(f"run {plan.run_id} failed: {error}" + "; trying again" * again)
            if not again:
                mark_failed(place, error)
                return None
        else:
            return row
    return None


def mark_failed(place: Path, error: BaseException) -> None:
    """Leave FAILED.json in a run's directory: the error in one line, and where it came from.

    Not where the run is under way in another process, which is no failure of it.
    """
    if workdir.is_locked(place) or (place / "DONE").exists():
        return
    lines = str(error).strip().splitlines() or [type(error).__name__]
    report = {"error": lines[0], "traceback": "".join(traceback.format_exception(error))}
    files.write_json(place / loop.FAILED, report)


def status(directory: Path) -> pd.DataFrame:
    """Where each run of the sweep in `directory` stands: done, running, failed, stopped (to be resumed) or left.

    What a run's files cannot say, its note does.

    Raises:
      InputError: no sweep there, or one that this version does not understand.
    """
    path = directory / "config.json"
    values = files.read_json(path)
    if not isinstance(values, dict) or values.pop("experiment", None) != "sweep":
        raise InputError(f"sweep={str(directory)!r}: holds no sweep")
    try:
        plans = config_lib.build(SweepConfig, values, "sweep").plans
    except ValueError as error:
        raise InputError(f"{path}: not a sweep of this version ({error})") from None
    return pd.DataFrame([_status(plan, directory / "runs" / plan.run_id) for plan in plans])


def _status(plan: TrainConfig, place: Path) -> dict[str, Any]:
    row = {"run_id": plan.run_id, "state": "left", "step": 0, "n_steps": plan.n_steps, "loss": None, "note": ""}
    notes: list[str] = []
    try:
        logged = metrics_file.read(place)
        if newest := logged.up_to(plan.n_steps).entries:
            row |= {"step": newest[-1]["step"], "loss": newest[-1]["loss"]}
        notes.append(logged.damage)
    except InputError as error:
        notes.append(str(error))
    state, detail = _state(place)
    row["state"] = state
    if isinstance(detail, float):
        row["loss"] = detail
    else:
        notes.append(str(detail))
    return row | {"note": "; ".join(note for note in notes if note)}


def _state(place: Path) -> tuple[str, float | str]:
    """One of STATES with the final loss or, in words, what is wrong ("")."""
    try:
        if (place / "DONE").is_file():
            return "done", _field(place / "evaluation.json", "loss", float)
        if workdir.is_locked(place):
            return "running", ""
        if _failed_last(place):
            return "failed", _field(place / loop.FAILED, "error", str)
    except InputError as error:
        return ("done" if (place / "DONE").is_file() else "failed"), str(error)
    begun = any((place / name).exists() for name in ("config.json", metrics_file.NAME))
    return ("stopped" if begun else "left"), ""


def _failed_last(place: Path) -> bool:
    """Whether FAILED.json is of the newest attempt: each begins with a new environment.json, and logs."""
    failed = place / loop.FAILED
    begun = [place / name for name in ("environment.json", metrics_file.NAME)]
    return failed.exists() and all(
        path.stat().st_mtime_ns <= failed.stat().st_mtime_ns for path in begun if path.exists()
    )


def _field(path: Path, name: str, kind: type) -> Any:
    """A field of one of a run's own JSON files.

    Raises:
      InputError: it is not there, or of another type.
    """
    values = files.read_json(path)
    value = values.get(name) if isinstance(values, dict) else None
    if not isinstance(value, kind) or (isinstance(value, float) and not math.isfinite(value)):
        raise InputError(f"{path}: does not say its {name}; it is not what was written")
    return value
