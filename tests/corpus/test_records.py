"""Records of what was written: a file is ours where a record lists it, and no other is."""

import pytest

from ie_scaling.corpus import records
from ie_scaling.errors import InputError


def test_a_record_names_a_shard_before_it_is_written(tmp_path):
    record = records.UnitRecord(tmp_path, 3, "key")
    record.begin()
    path = record.claim("shards/train-00003-000.npy")
    temporary = path.with_name(f".{path.name}.17-abcdefgh.tmp")
    temporary.touch()
    assert set(records.written(tmp_path)) >= {path, temporary}
    records.remove(tmp_path)
    assert not list((tmp_path / "shards").iterdir())


def test_what_became_of_a_unit_is_read_back_for_the_same_unit_alone(tmp_path):
    record = records.UnitRecord(tmp_path, 0, "key")
    record.begin()
    record.finish({"splits": {}})
    assert records.UnitRecord(tmp_path, 0, "key").result == {"splits": {}}
    assert records.UnitRecord(tmp_path, 0, "other").result is None


def test_a_file_in_the_way_is_refused_and_left(tmp_path):
    record = records.UnitRecord(tmp_path, 0, "key")
    record.begin()
    path = tmp_path / "shards" / "train-00000-000.npy"
    path.write_text("mine")
    with pytest.raises(InputError, match="not written by this command"):
        record.claim("shards/train-00000-000.npy")
    with pytest.raises(InputError, match="not written by this command"):
        records.check(tmp_path, 1)
    records.remove(tmp_path)
    assert path.read_text() == "mine"


@pytest.mark.parametrize("content", ["[]", "{", '{"format": "another"}', '{"format": "ie_scaling corpus unit"}'])
def test_a_record_that_is_none_is_refused(tmp_path, content):
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards" / "00000.json").write_text(content)
    with pytest.raises(InputError, match=r"00000.json: not written by this command"):
        records.UnitRecord(tmp_path, 0, "key")
    assert list(records.written(tmp_path)) == []
