"""Level: how much of what a law misses a predicted loss includes (no JAX here)."""

import enum


class Level(enum.StrEnum):
    """`law` is the curve f alone, `shape` f·e^u with the shape's own effect, `new_run` f·e^(u + e), one more run."""

    LAW = "law"
    SHAPE = "shape"
    NEW_RUN = "new_run"
