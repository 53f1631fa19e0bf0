"""Architectures as columns: flags however they are written, and rows that make no shape."""

import numpy as np
import pandas as pd
import pytest

from ie_scaling.architecture import Architecture
from ie_scaling.tables import latency_table, shape_table
from tests.tables.test_latency_table import SHAPE, record, refusal, write


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        *((word, True) for word in ("True", "TRUE", "true", " true ", "1", "1.0", "yes", "Y", "WAHR", "wahr", "vrai")),
        *((word, False) for word in ("False", "FALSE", "false", "0", "0.0", "no", "n", "FALSCH", "faux")),
    ],
)
def test_booleans_are_what_they_mean(tmp_path, given, expected):
    shape = Architecture.from_fields(SHAPE.to_fields() | {"tied_embeddings": expected})
    frame = latency_table.read_latency(write(tmp_path, record(shape, tied_embeddings=given)))
    assert shape_table.architectures_of(frame) == [shape]


@pytest.mark.parametrize("values", [[True, False], [1, 0], [1.0, 0.0], [np.int8(1), np.int8(0)]])
def test_booleans_of_parquet_too(tmp_path, values):
    tied = Architecture.from_fields(SHAPE.to_fields() | {"tied_embeddings": True})
    frame = pd.DataFrame([record(tied), record()]).assign(tied_embeddings=values)
    frame.to_parquet(tmp_path / "latency.parquet")
    assert shape_table.architectures_of(latency_table.read_latency(tmp_path / "latency.parquet")) == [tied, SHAPE]


def test_cells_that_make_no_shape_are_named_by_their_row(tmp_path):
    assert "row 2: n_heads=6, n_kv_heads=4: n_heads must be divisible" in refusal(
        write(tmp_path, record(), record(n_kv_heads=4))
    )
