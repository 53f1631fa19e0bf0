"""Executors of a sweep's runs: a table whose names are those that `executor` may have (no JAX here).

An executor NAME is a module of this folder with `run(config, directory, stop) -> Iterator[Outcome]`, which trains every
run of a sweep in directory/runs/RUN_ID and yields the outcomes in any order. Once `stop` is set, it raises Stopped.
"""

import dataclasses
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ie_scaling.running.stopping import Stop

if TYPE_CHECKING:
    from ie_scaling.train.sweep_config import SweepConfig

Outcome = tuple[int, dict[str, Any] | None]  # the run's index in the sweep; its row, or None where it failed


@dataclasses.dataclass(frozen=True)
class Executor:
    """Whether the runs are on this machine's devices, and the package that is needed besides ("": none)."""

    is_here: bool
    package: str = ""


EXECUTORS = {
    "local": Executor(is_here=True),
    "ray": Executor(is_here=False, package="ray"),
}


def run(config: "SweepConfig", directory: Path, stop: Stop) -> Iterator[Outcome]:
    """The outcomes of the sweep's runs, by the executor that it names.

    Raises:
      InputError: what the executor needs is not there.
      Stopped: by a signal.
    """
    module = importlib.import_module(f"{__name__}.{config.executor}")
    return module.run(config, directory, stop)
