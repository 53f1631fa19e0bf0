"""Documents in a text column of Parquet (by row group) or Arrow files and streams (by record batch)."""

import contextlib
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ie_scaling.corpus import json_text, utf8
from ie_scaling.corpus.config import CorpusConfig
from ie_scaling.corpus.kinds import Form, naming
from ie_scaling.corpus.utf8 import Notes
from ie_scaling.errors import InputError

PARQUET_ROWS = 256
BATCH_BYTES = 1 << 26


def row_groups(path: Path, config: CorpusConfig) -> Iterator[tuple[int, int, int, int]]:
    """(row group, the next, number of the first row, bytes of text) of each row group of a Parquet file."""
    with naming(path, "broken Parquet file"), pq.ParquetFile(path) as file:
        _require_text(path, file.schema_arrow, config.text_field)
        rows = 1
        for group in range(file.metadata.num_row_groups):
            row_group = file.metadata.row_group(group)
            size = _text_bytes(row_group, config.text_field)
            utf8.require_size(size // max(row_group.num_rows, 1), f"{path}: rows from {rows} on", config)
            yield group, group + 1, rows, size
            rows += row_group.num_rows


def read_parquet(
    path: str, groups: range, first: int, config: CorpusConfig, notes: Notes
) -> Iterator[tuple[int, str | None]]:
    """(row, text) of these row groups, rows numbered from `first`."""
    with naming(path, "broken Parquet file"), pq.ParquetFile(path) as file:
        sizes = [_text_bytes(file.metadata.row_group(group), config.text_field) for group in groups]
        n_rows = sum(file.metadata.row_group(group).num_rows for group in groups)
        n_batch = max(1, min(PARQUET_ROWS, BATCH_BYTES * n_rows // max(sum(sizes), 1)))
        for batch in file.iter_batches(n_batch, row_groups=list(groups), columns=[config.text_field]):
            yield from _texts(batch.column(0), path, first, config, notes)
            first += batch.num_rows


def read_arrow(path: str, form: Form, config: CorpusConfig, notes: Notes) -> Iterator[tuple[int, str | None]]:
    """(row, text) of an Arrow file or stream, rows numbered from 1."""
    first = 1
    with naming(path, "broken Arrow file"), _arrow_batches(path, form) as (schema, batches):
        _require_text(path, schema, config.text_field)
        for batch in batches:
            column = batch.column(schema.get_field_index(config.text_field))
            column.validate(full=True)  # offsets beyond the buffer would crash the process
            yield from _texts(column, path, first, config, notes)
            first += batch.num_rows


@contextlib.contextmanager
def _arrow_batches(path: str, form: Form) -> Generator[tuple[pa.Schema, Iterator[pa.RecordBatch]]]:
    with pa.OSFile(path) as source:
        if form == Form.ARROW_STREAM:
            with pa.ipc.open_stream(source) as stream:
                yield stream.schema, iter(stream)
            return
        with pa.ipc.open_file(source) as file:
            yield file.schema, (file.get_batch(index) for index in range(file.num_record_batches))


def _texts(column: Any, path: str, first: int, config: CorpusConfig, notes: Notes) -> Iterator[tuple[int, str | None]]:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    is_bytes = pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type)
    for row, data in enumerate(column.cast(pa.large_binary()).to_pylist(), start=first):
        where = f"{path}: row {row}"
        if data is None:
            yield row, json_text.null(where, config, notes)
            continue
        if is_bytes and b"\0" in data:
            raise InputError(f'{where}: "{config.text_field}" holds NUL bytes, must be text')
        utf8.require_size(len(data), where, config)
        yield row, utf8.decode(data, where, config, notes)


def _text_bytes(row_group: Any, field: str) -> int:
    columns = (row_group.column(index) for index in range(row_group.num_columns))
    return sum(column.total_uncompressed_size for column in columns if column.path_in_schema == field)


def _require_text(path: Path | str, schema: pa.Schema, field: str) -> None:
    """Raise an InputError where the schema has no single column of text of this name."""
    n_columns = schema.names.count(field)
    if n_columns != 1:
        has = f"has no column {field!r}" if not n_columns else f"has {n_columns} columns {field!r}"
        names = ", ".join(schema.names)
        raise InputError(f"{path}: {has}; its columns are {names[:400]}")
    kind = schema.field(field).type
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    if not any(test(kind) for test in (*tests, pa.types.is_binary, pa.types.is_large_binary)):
        raise InputError(f"{path}: column {field!r} is {str(kind)[:80]}, must be a string")
