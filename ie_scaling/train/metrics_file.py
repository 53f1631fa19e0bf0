"""Reading metrics.jsonl: the entries of a run's logged steps, and what is damaged."""

import dataclasses
import json
import math
import shutil
import time
from pathlib import Path
from typing import Any, NotRequired, TypedDict, cast

from ie_scaling.errors import InputError
from ie_scaling.running.progress import say

NAME = "metrics.jsonl"


class StepMetrics(TypedDict):
    """A line: nats per token of a step's batch, and what else is measured at it."""

    step: int
    loss: float
    n_tokens: NotRequired[int]
    grad_norm: NotRequired[float]
    learning_rate: NotRequired[float]
    memory_bytes: NotRequired[float]
    tokens_per_s: NotRequired[float]
    mfu: NotRequired[float]


@dataclasses.dataclass(frozen=True)
class MetricsFile:
    """The entries in ascending steps with the lines they came from, and in words what is wrong with the rest ("")."""

    entries: tuple[StepMetrics, ...]
    lines: tuple[str, ...]
    damage: str

    def up_to(self, step: int) -> "MetricsFile":
        """Without what was logged after `step`."""
        n = sum(entry["step"] <= step for entry in self.entries)
        return MetricsFile(self.entries[:n], self.lines[:n], self.damage)


def read(directory: Path) -> MetricsFile:
    """The metrics of the run in `directory`; none where it has none yet.

    A last line that an interruption cut off is passed over in silence; other lines that are no metrics are counted in
    `damage`.

    Raises:
      InputError: metrics.jsonl is no file.
    """
    path = directory / NAME
    if not path.exists():
        return MetricsFile((), (), "")
    if not path.is_file():
        raise InputError(f"{path}: must be a file of JSON lines; move it away, and the command goes on")
    lines = path.read_bytes().decode("utf-8", errors="replace").split("\n")
    cut_off = lines.pop().strip("\0 \r")
    entries: list[tuple[StepMetrics, str]] = []
    bad = []
    for number, line in enumerate(lines, start=1):
        entry = _entry(line)
        if entry is not None and (not entries or entry["step"] > entries[-1][0]["step"]):
            entries.append((entry, line))
        else:
            bad.append(number)
    last = _entry(cut_off) if cut_off else None
    if last is not None and (not entries or last["step"] > entries[-1][0]["step"]):
        entries.append((last, cut_off))
    damage = f"{path}: {len(bad)} of {len(lines)} lines are no metrics, the first line {bad[0]}" if bad else ""
    return MetricsFile(tuple(entry for entry, _ in entries), tuple(line for _, line in entries), damage)


def keep_damaged(directory: Path, damage: str) -> None:
    """Say what is wrong with metrics.jsonl and copy it aside, as its whole lines alone will be written anew."""
    aside = directory / f"{NAME}.broken-{time.time_ns()}"
    shutil.copyfile(directory / NAME, aside)  # not renamed: other processes may be about to read it
    say(f"{damage}: left out; the file as it was is {aside.name}")


def _entry(line: str) -> StepMetrics | None:
    """The metrics in a line, or None where it holds no step from 1 on with a finite loss."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(entry, dict) or not _is_step(entry.get("step")) or not _is_finite(entry.get("loss")):
        return None
    return cast(StepMetrics, entry) if _is_finite(entry.get("grad_norm", 0.0)) else None


def _is_step(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**63


def _is_finite(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < 1e300 and math.isfinite(value)
