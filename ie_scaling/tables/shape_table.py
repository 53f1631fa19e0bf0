"""Architectures as columns of a table."""

import dataclasses
from collections.abc import Sequence

import pandas as pd

from ie_scaling import accounting
from ie_scaling.architecture import SHAPE_FIELDS, Architecture

ARCHITECTURE_COLUMNS = tuple(field.name for field in dataclasses.fields(Architecture))


def architectures_of(frame: pd.DataFrame) -> list[Architecture]:
    """The Architecture of each row of a latency or candidate table."""
    rows = frame[list(ARCHITECTURE_COLUMNS)].to_dict("records")
    return [
        Architecture.from_fields(
            row
            | {field: int(row[field]) for field in SHAPE_FIELDS}
            | {field: bool(row[field]) for field in ("tied_embeddings", "qk_norm")}
        )
        for row in rows
    ]


def architecture_table(architectures: Sequence[Architecture], n_tokens: float) -> pd.DataFrame:
    """A row a shape: its name and fields, total parameters, and the tokens asked about."""
    table = pd.DataFrame([{"architecture": a.name} | a.to_fields() for a in architectures])
    return table.assign(n_params_total=[accounting.count_parameters(a) for a in architectures], n_tokens=n_tokens)
