"""Where the runs of a sweep stand: done, running, failed, stopped or left; writes nothing."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Where a sweep stands: its work directory."""

    sweep: str = "runs/sweep"


def load(config: Config) -> pd.DataFrame:
    """The state of each run.

    Raises:
      InputError: no sweep is there.
    """
    from ie_scaling.train import states

    return states.read(Path(config.sweep))


def answer(table: pd.DataFrame) -> str:
    """A line a run, and the count of each state."""
    from ie_scaling.train.states import State

    counts = table["state"].value_counts()
    lines = table.to_string(index=False, na_rep="", float_format=lambda value: f"{value:.4f}")
    return f"{lines}\n{', '.join(f'{counts.get(state, 0)} {state}' for state in State)}"


def estimate(config: Config, _: pd.DataFrame) -> str:
    """Nothing to pay."""
    return f"reads {config.sweep}"
