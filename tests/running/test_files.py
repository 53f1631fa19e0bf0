"""Files appear whole or not at all, and broken ones are named."""

import math
import os

import pytest

from ie_scaling.errors import InputError
from ie_scaling.running import files


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "value.json"
    files.write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(path, {"a": float("nan")})
    with pytest.raises(RuntimeError), files.replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert files.read_json(path) == {"a": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["value.json"]


def test_broken_json_is_named(tmp_path):
    path = tmp_path / "value.json"
    path.write_text("{")
    with pytest.raises(ValueError, match=r"value.json: not valid JSON"):
        files.read_json(path)


def test_names_and_contents_are_on_the_disk_before_a_rename_is(tmp_path, monkeypatch):
    order, fsync, replace = [], os.fsync, os.replace
    monkeypatch.setattr(
        os, "fsync", lambda handle: (order.append(os.readlink(f"/proc/self/fd/{handle}")), fsync(handle))
    )
    monkeypatch.setattr(os, "replace", lambda *paths: (order.append("rename"), replace(*paths)))
    files.write_text(tmp_path / "a.txt", "1")
    assert order[0].startswith(str(tmp_path / ".a.txt."))
    assert order[1:] == ["rename", str(tmp_path)]


def test_text_that_is_none_is_named(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"ab\xff")
    with pytest.raises(InputError, match=r"a.txt: not UTF-8 text \(byte 2: "):
        files.read_text(tmp_path / "a.txt")
    with pytest.raises(InputError, match=r"b.txt: no such file"):
        files.read_text(tmp_path / "b.txt")
    with pytest.raises(InputError, match="cannot be read"):
        files.read_text(tmp_path)


def test_what_json_cannot_hold_becomes_null():
    value = {"a": [1.5, math.nan, (math.inf, 2)], "b": "nan", "c": None}
    assert files.finite(value) == {"a": [1.5, None, [None, 2]], "b": "nan", "c": None}


def test_a_temporary_is_a_leftover_once_its_process_is_dead(tmp_path):
    with files.replacing(tmp_path / "a") as temporary:
        assert files.is_temporary(temporary.name)
        assert not files.is_leftover(temporary)
        assert files.is_leftover(temporary, ended=os.getpid())
    assert not files.is_temporary("a.tmp")
    assert files.is_leftover(tmp_path / f".a.{10**9}-abcdefgh.tmp")
