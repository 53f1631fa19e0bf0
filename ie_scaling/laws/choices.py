"""What fields of verbs that fit laws may be, and the one form of a map of columns (no JAX here)."""

import enum
from typing import Any

from ie_scaling.running.config import one_of, positive, require, seeded, within
from ie_scaling.tables import columns

COUNTS = ("total", "non_embedding", "effective")  # which N a law uses
MOST_STARTS, MOST_RESAMPLES = 10_000, 1_000_000


class FitMethod(enum.StrEnum):
    """How a law is fitted."""

    LEAST_SQUARES = enum.auto()
    BAYES = enum.auto()
    BOTH = enum.auto()


class Objective(enum.StrEnum):
    """What least squares minimizes: Huber losses of ln L, or squared nats as published."""

    HUBER_LOG = enum.auto()
    SQUARED = enum.auto()


class Status(enum.StrEnum):
    """How a fit ended: the first four of least squares, the last of a posterior that failed its convergence gate."""

    CONVERGED = enum.auto()
    AT_BOUND = enum.auto()
    NOT_IDENTIFIED = enum.auto()
    MAX_STEPS = enum.auto()
    FAILED_GATE = enum.auto()


class Resample(enum.StrEnum):
    """What a bootstrap draws with replacement: models with all their rows, or rows."""

    MODEL = enum.auto()
    ROW = enum.auto()


class Misses(enum.StrEnum):
    """What a posterior lets its law miss of a model: a number of each model's own, or also what is smooth in its sizes,
    and how its loss falls with tokens."""

    INDEPENDENT = enum.auto()
    SMOOTH = enum.auto()


def check_fitting(config: Any) -> None:
    """The rules of the fields that say how one law is fitted, and the one form of its map of columns.

    Raises:
      InputError: a field that breaks one.
    """
    fix_columns(config)
    options = {"count": ("", *COUNTS), "method": FitMethod, "objective": Objective, "resample": Resample}
    options["misses"] = Misses
    for field, valid in options.items():
        one_of(config, field, valid)
    positive(config, "huber_delta")
    within(config, 1, MOST_STARTS, "n_starts")
    within(config, 0, MOST_RESAMPLES, "n_bootstrap")
    seeded(config)
    if config.objective == Objective.SQUARED:
        require(not config.n_bootstrap, "n_bootstrap", config.n_bootstrap, "needs objective huber_log")


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
    object.__setattr__(config, "columns", columns.canonical(config.columns))
