"""Token stores made by hand, and files of documents in every format."""

import gzip
import itertools
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ie_scaling.corpus.tokens import TokenStore
from ie_scaling.running import files

FORMATS = ("folder", "a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "a.json.gz", "a.parquet", "a.arrow")


def write_documents(folder, kind, texts):
    """The texts as one corpus of a kind in FORMATS; returns its path."""
    path = folder / kind
    lines = "".join(json.dumps({"text": text, "id": 7}) + "\n" for text in texts).encode()
    if kind == "folder":
        path.mkdir()
        for number, text in enumerate(texts):
            (path / f"{number:04d}.txt").write_text(text, newline="")
    elif kind.endswith(".gz"):
        path.write_bytes(gzip.compress(lines, mtime=0))
    elif kind.endswith(".zst"):
        path.write_bytes(pa.compress(lines, codec="zstd", asbytes=True))
    elif kind.endswith(".parquet"):
        pq.write_table(pa.table({"id": range(len(texts)), "text": list(texts)}), path, row_group_size=7)
    elif kind.endswith(".arrow"):
        table = pa.table({"id": range(len(texts)), "text": list(texts)})
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table, 7)
    else:
        path.write_bytes(lines)
    return path


def write_store(directory, token_ids, cuts=(), tokenizer="t"):
    """A train split of these tokens, in shards cut at the given places."""
    (directory / "shards").mkdir(parents=True)
    shards = []
    for number, (start, stop) in enumerate(itertools.pairwise([0, *cuts, len(token_ids)])):
        name, part = f"shards/{number}.npy", token_ids[start:stop]
        np.save(directory / name, part)
        said = {"file": name, "n_tokens": len(part), "max_id": int(part.max())}
        shards.append(said | {"sha256": files.sha256(directory / name)})
    manifest = {"vocab_size": int(token_ids.max()) + 1, "end_of_text_id": 0, "tokenizer_sha256": tokenizer}
    manifest["splits"] = {"train": {"shards": shards}}
    (directory / "manifest.json").write_text(json.dumps(manifest))
    return TokenStore.open(directory, "train")


@pytest.fixture
def store_of(tmp_path):
    """A function from token ids (and cuts, and the name of a tokenizer) to a store."""
    numbers = itertools.count()
    return lambda token_ids, **options: write_store(tmp_path / f"store{next(numbers)}", token_ids, **options)
