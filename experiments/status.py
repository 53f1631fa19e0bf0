"""Where the runs of a sweep stand."""

from pathlib import Path

from ie_scaling.train import sweep
from ie_scaling.train.sweep_config import StatusConfig as Config

HAS_DIRECTORY = False


def main(config: Config, _: Path) -> list[str]:
    """Print a row a run and the count of each state; nothing is written."""
    table = sweep.status(Path(config.sweep))
    print(table.to_string(index=False, na_rep="", float_format=lambda value: f"{value:.4f}"))
    counts = table["state"].value_counts()
    print(", ".join(f"{counts.get(state, 0)} {state}" for state in sweep.STATES))
    return []


def check(config: Config, _: Path) -> list[str]:
    """Raise where there is no sweep."""
    sweep.status(Path(config.sweep))
    return []


def estimate(config: Config) -> str:
    """Nothing to pay."""
    return f"reads {config.sweep}"
