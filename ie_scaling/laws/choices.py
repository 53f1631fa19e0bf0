"""What fields of verbs that fit laws may be, and the one form of a map of columns (no JAX here)."""

import enum
from typing import Any

from ie_scaling.running.config import require
from ie_scaling.tables import columns as table_columns

COUNTS = ("total", "non_embedding", "effective")  # which N a law uses
MOST_STARTS, MOST_RESAMPLES = 10_000, 1_000_000


class Method(enum.StrEnum):
    """How a law is fitted."""

    LEAST_SQUARES = enum.auto()
    BAYES = enum.auto()
    BOTH = enum.auto()


class Objective(enum.StrEnum):
    """What least squares minimizes: Huber losses of ln L, or squared nats as published."""

    HUBER_LOG = enum.auto()
    SQUARED = enum.auto()


class Resample(enum.StrEnum):
    """What a bootstrap draws with replacement: models with all their rows, or rows."""

    MODEL = enum.auto()
    ROW = enum.auto()


def require_some(config: Any, *fields: str) -> None:
    """Each of these lists has an entry.

    Raises:
      InputError: one is empty.
    """
    for field in fields:
        require(bool(getattr(config, field)), field, getattr(config, field), "must name at least one")


def fix_columns(config: Any) -> None:
    """Check a configuration's map of columns and write it in one way, so that equal maps are one configuration.

    Raises:
      InputError: a map that cannot be, by entry and rule.
    """
    object.__setattr__(config, "columns", table_columns.canonical(config.columns))
