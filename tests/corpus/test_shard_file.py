"""A shard that is not what was written never reaches training."""

import io
import os
import zipfile

import numpy as np
import pytest

from ie_scaling.corpus import shard_file
from ie_scaling.corpus.shard_file import ShardFile
from ie_scaling.errors import InputError
from ie_scaling.running import files

IDS = (np.arange(3000) % 300).astype(np.uint16)


def saved(ids, save=np.save):
    sink = io.BytesIO()
    save(sink, ids)
    return sink.getvalue()


def archive():
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as opened:
        opened.writestr("a.txt", "text")
    return sink.getvalue()


@pytest.fixture
def shard(tmp_path):
    (tmp_path / "a.npy").write_bytes(saved(IDS))
    return ShardFile(tmp_path / "a.npy", 3000, 299, files.sha256(tmp_path / "a.npy"), 512)


DATA = saved(IDS)
BAD = {
    "empty": (b"", "no NumPy array"),
    "cut": (DATA[:-100], "no NumPy array"),
    "header": (DATA[:40], "no NumPy array"),
    "longer": (DATA + b"\0", "has 6129 bytes, must have 6128"),
    "zip": (archive(), "no NumPy array"),
    "npz": (saved(IDS, np.savez), "no NumPy array"),
    "text": (b"text", "no NumPy array"),
    "brackets": (DATA[:10] + b"(" * 118 + DATA[128:], "no NumPy array"),
    "signed": (saved(IDS.astype(np.int64)), "holds int64 of shape .*, must be uint16 or uint32"),
    "bytes": (saved(IDS.astype(">u2")), "must be uint16 or uint32"),
    "rows": (saved(IDS.reshape(2, -1)), "must be uint16 or uint32 in one row"),
    "fewer": (saved(IDS[:7]), "holds 7 tokens, must hold the manifest's 3000"),
    "objects": (saved(IDS.astype(object)), "no NumPy array"),
    "another": (saved(IDS[::-1].copy()), r"is not what was written \(sha256 [0-9a-f]{12}, the manifest's is"),
    "beyond": (saved(IDS + np.uint16(300)), "holds token id 599, beyond the vocabulary of 512"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_the_shard_that_was_written_is_one_line(shard, name):
    data, message = BAD[name]
    shard.path.write_bytes(data)
    with pytest.raises(InputError, match=message) as caught:
        shard.verify()
    assert str(caught.value).startswith(f"{shard.path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("place", range(128, len(DATA), 997))
def test_one_changed_bit_is_found_wherever_it_is(shard, place):
    data = bytearray(DATA)
    data[place] ^= 1
    shard.path.write_bytes(data)
    with pytest.raises(InputError, match=r"is not what was written|beyond the vocabulary"):
        shard.verify()


def test_a_shard_is_hashed_once_as_long_as_it_does_not_change(shard, monkeypatch):
    shard.verify()
    monkeypatch.setattr(shard_file.ShardFile, "_largest_id", None)
    shard.verify()
    os.utime(shard.path, ns=(1, 1))
    with pytest.raises(TypeError):
        shard.verify()


def test_a_largest_id_that_the_manifest_does_not_have_is_refused(shard):
    wrong = ShardFile(shard.path, shard.n_tokens, 7, shard.sha256, 512)
    with pytest.raises(InputError, match="has the largest token id 299, must have the manifest's 7"):
        wrong.verify()
