"""One run of a sweep with its retries; what fails leaves FAILED.json and does not stop the others."""

import traceback
from pathlib import Path
from typing import Any

import jax

from ie_scaling.running import files, workdir
from ie_scaling.running.progress import say
from ie_scaling.running.stopping import Stop, Stopped
from ie_scaling.train import loop, states
from ie_scaling.train.config import TrainConfig


def attempt(
    plan: TrainConfig, directory: Path, retries: int, stop: Stop, devices: list[jax.Device] | None = None
) -> dict[str, Any] | None:
    """The run's row, or None and runs/RUN_ID/FAILED.json where it failed once more than `retries` times.

    A loss that is not finite or a spike would come again, so it is not tried again.

    Raises:
      Stopped: `stop` is set.
    """
    path = states.path_of(directory, plan)
    for left in reversed(range(retries + 1)):
        if stop.is_set():
            raise Stopped(f"{plan.run_id}: not begun")
        try:
            say(f"run {plan.run_id}")
            return loop.run(plan, path, stop, devices)
        except Stopped:
            raise
        except Exception as error:  # one run must not take the others with it
            again = left > 0 and not isinstance(error, FloatingPointError)
            say(f"run {plan.run_id} failed: {error}{'; trying again' if again else ''}")
            if not again:
                mark_failed(path, error)
                break
    return None


def mark_failed(path: Path, error: BaseException) -> None:
    """Leave FAILED.json in a run's directory: the error in one line, and where it came from.

    Not where the run is under way in another process, which is no failure of it.
    """
    if workdir.is_locked(path) or (path / "DONE").exists():
        return
    lines = str(error).strip().splitlines() or [type(error).__name__]
    report: states.Failure = {"error": lines[0], "traceback": "".join(traceback.format_exception(error))}
    files.write_json(path / states.FAILED, report)
