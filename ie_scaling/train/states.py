"""State of each run of a sweep, from the files in its directory (no JAX here)."""

import enum
import math
from pathlib import Path
from typing import Any, TypedDict

import pandas as pd

from ie_scaling.errors import InputError
from ie_scaling.running import config as config_lib
from ie_scaling.running import files, workdir
from ie_scaling.train import metrics_file
from ie_scaling.train.config import TrainConfig
from ie_scaling.train.sweep_config import SweepConfig

FAILED = "FAILED.json"


class State(enum.StrEnum):
    """Where a run stands."""

    DONE = enum.auto()
    RUNNING = enum.auto()
    FAILED = enum.auto()
    STOPPED = enum.auto()  # begun, and to be resumed
    LEFT = enum.auto()  # not begun


class Failure(TypedDict):
    """FAILED.json: the error in one line, and where it came from."""

    error: str
    traceback: str


class Evaluation(TypedDict):
    """evaluation.json: nats per token, and of how many tokens."""

    loss: float
    n_tokens: int


class Row(TypedDict):
    """A run of the table of states; `loss` is the final one of a run that is done, else that of `step`."""

    run_id: str
    state: State
    step: int
    n_steps: int
    loss: float | None
    note: str


def path_of(directory: Path, plan: TrainConfig) -> Path:
    """The directory of one run of the sweep in `directory`."""
    return directory / "runs" / plan.run_id


def read(directory: Path) -> pd.DataFrame:
    """A Row for each run of the sweep in `directory`. What a run's files cannot say, its note does.

    Raises:
      InputError: no sweep there, or one that this version does not understand.
    """
    path = directory / "config.json"
    values = files.read_json(path)
    if not isinstance(values, dict) or values.pop("experiment", None) != "sweep":
        raise InputError(f"sweep={str(directory)!r}: holds no sweep")
    try:
        plans = config_lib.build(SweepConfig, values, "sweep").plans
    except InputError as error:
        raise InputError(f"{path}: not a sweep of this version ({error})") from None
    return pd.DataFrame([_row(plan, path_of(directory, plan)) for plan in plans])


def failure(directory: Path, plan: TrainConfig) -> str:
    """Why a run of the sweep in `directory` failed, in one line."""
    _, _, note = _state(path_of(directory, plan))
    return note or "it is under way in another process"


def _row(plan: TrainConfig, path: Path) -> Row:
    step, logged_loss, damage = _logged(plan, path)
    state, final_loss, note = _state(path)
    return {
        "run_id": plan.run_id,
        "state": state,
        "step": step,
        "n_steps": plan.n_steps,
        "loss": logged_loss if final_loss is None else final_loss,
        "note": "; ".join(filter(None, (damage, note))),
    }


def _logged(plan: TrainConfig, path: Path) -> tuple[int, float | None, str]:
    """The newest step that metrics.jsonl has, its loss, and what is wrong with the file."""
    try:
        logged = metrics_file.read(path)
    except InputError as error:
        return 0, None, str(error)
    entries = logged.up_to(plan.n_steps).entries
    return (entries[-1]["step"], entries[-1]["loss"], logged.damage) if entries else (0, None, logged.damage)


def _state(path: Path) -> tuple[State, float | None, str]:
    """The state of the run in `path`, the final loss of one that is done, and in words what is wrong."""
    is_done = (path / "DONE").is_file()
    try:
        if is_done:
            return State.DONE, _field(path / "evaluation.json", "loss", float), ""
        if workdir.is_locked(path):
            return State.RUNNING, None, ""
        if _failed_last(path):
            return State.FAILED, None, _field(path / FAILED, "error", str)
    except InputError as error:
        return (State.DONE if is_done else State.FAILED), None, str(error)
    begun = any((path / name).exists() for name in ("config.json", metrics_file.NAME))
    return (State.STOPPED if begun else State.LEFT), None, ""


def _failed_last(path: Path) -> bool:
    """Whether FAILED.json is of the newest attempt: each begins with a new environment.json, and logs."""
    failed = path / FAILED
    begun = [path / name for name in ("environment.json", metrics_file.NAME)]
    return failed.exists() and all(
        file.stat().st_mtime_ns <= failed.stat().st_mtime_ns for file in begun if file.exists()
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
