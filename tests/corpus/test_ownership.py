"""Preparing never touches a file that it did not write, and uses none that it did not make."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from ie_scaling.corpus import made_tokenizer, prepare, shards
from ie_scaling.corpus import tokenizer as tokenizer_lib
from ie_scaling.corpus.config import CorpusConfig
from ie_scaling.errors import InputError
from ie_scaling.running import files
from tests.fuzz.harness import snapshot

END = "<|endoftext|>"


@pytest.fixture
def config(tmp_path):
    """Twelve documents in some four units."""
    (tmp_path / "text").mkdir()
    for number in range(12):
        (tmp_path / "text" / f"{number}.txt").write_text(f"the law of document {number}\n" * 4)
    return CorpusConfig(
        text=str(tmp_path / "text"),
        directory=str(tmp_path / "corpus"),
        tokenizer="byte",
        validation_fraction=0.3,
        shard_bytes=400,
        n_workers=1,
    )


def break_off(config, monkeypatch, at="_describe_units"):
    """A start that is broken off at a function of `prepare`."""

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(prepare, at, interrupted)
        with pytest.raises(KeyboardInterrupt):
            prepare.prepare(config)
    return Path(config.directory)


@pytest.mark.parametrize(
    "name", ["shards/mine.npy", "shards/train-00000-000.npy", "tokenizer.json", "manifest.json", "notes"]
)
def test_a_directory_of_the_user_s_is_refused_and_left_as_it_is(config, tmp_path, name):
    path = Path(config.directory) / name
    path.parent.mkdir(parents=True)
    path.write_text("the user's own")
    before = snapshot(tmp_path)
    for verb in (prepare.check, prepare.prepare):
        with pytest.raises(InputError, match=r"holds .*, which this program did not write; choose another one"):
            verb(config)
        assert snapshot(tmp_path) == before


def test_files_of_the_user_s_in_shards_outlive_success_and_failure(config, monkeypatch):
    directory = break_off(config, monkeypatch)
    mine = [directory / "shards" / name for name in ("mine.npy", "00099.json", ".x.npy.1-abcdefgh.tmp", "deep/a.txt")]
    for path in mine:
        path.parent.mkdir(exist_ok=True)
        path.write_text("the user's own")
    with monkeypatch.context() as patch:
        patch.setattr(prepare, "_describe_units", lambda *_: (_ for _ in ()).throw(InputError("late")))
        with pytest.raises(InputError, match="late"):
            prepare.prepare(config)
    assert all(path.read_text() == "the user's own" for path in mine)
    manifest = prepare.prepare(config)
    assert all(path.read_text() == "the user's own" for path in mine)
    ours = {path.name for path in directory.glob("shards/*") if path not in mine and path.is_file()}
    listed = {shard["file"] for split in prepare.SPLITS for shard in manifest["splits"][split]["shards"]}
    assert {f"shards/{name}" for name in ours} == listed


@pytest.mark.parametrize("name", ["shards/00001.json", "shards/train-00001-000.npy", "tokenizer.json", "manifest.json"])
def test_a_file_in_the_way_of_an_unfinished_corpus_is_refused(config, tmp_path, monkeypatch, name):
    directory = break_off(config, monkeypatch)
    if name.endswith("npy"):
        (directory / "shards" / "00001.json").unlink()
    (directory / name).write_text("the user's own")
    before = snapshot(tmp_path)
    for verb in (prepare.check, prepare.prepare):
        with pytest.raises(InputError, match=f"{Path(name).name}: not written by this command and in its way"):
            verb(config)
        assert snapshot(tmp_path) == before


def test_a_tokenizer_that_another_command_made_is_never_used(config, monkeypatch):
    pairs = dataclasses.replace(config, tokenizer="bpe", vocab_size=270)
    directory = break_off(pairs, monkeypatch)
    (directory / "tokenizer.json").write_text(tokenizer_lib.byte_level(END).to_str())
    with pytest.raises(InputError, match=r"tokenizer.json: not written by this command and in its way"):
        prepare.prepare(pairs)


def test_a_tokenizer_of_an_unfinished_corpus_is_made_anew_where_the_text_has_changed(config, tmp_path, monkeypatch):
    pairs = dataclasses.replace(config, tokenizer="bpe", vocab_size=270)
    directory = break_off(pairs, monkeypatch)
    first = (directory / "tokenizer.json").read_bytes()
    assert made_tokenizer.reusable(directory, json.loads((directory / "tokenizer_made.json").read_text())["made_by"])
    for path in (tmp_path / "text").iterdir():
        path.write_text("quite other words, with other pairs in them " * 3)
    manifest = prepare.prepare(pairs)
    assert (directory / "tokenizer.json").read_bytes() != first
    assert manifest["tokenizer_sha256"] == files.sha256(directory / "tokenizer.json")
    assert not (directory / "tokenizer_made.json").exists()


def test_a_start_broken_off_just_before_its_end_is_finished_by_the_next(config, tmp_path, monkeypatch):
    whole = prepare.prepare(dataclasses.replace(config, directory=str(tmp_path / "whole")))
    break_off(config, monkeypatch, at="_tidy")
    for path in (Path(config.directory) / "shards").glob("*.json"):
        path.unlink()  # as when it was broken off while it tidied
    (Path(config.directory) / "tokenizer_made.json").unlink()
    assert prepare.prepare(config)["splits"] == whole["splits"]


def test_shards_damaged_since_a_start_was_broken_off_are_written_again(config, tmp_path, monkeypatch):
    whole = prepare.prepare(dataclasses.replace(config, directory=str(tmp_path / "whole")))
    directory = break_off(config, monkeypatch)
    path = sorted(directory.glob("shards/*.npy"))[0]
    path.write_bytes(path.read_bytes()[:-1] + b"\7")
    assert prepare.prepare(config)["splits"] == whole["splits"]


def test_a_changed_text_is_told_by_its_hash_and_a_touched_one_is_not(config, tmp_path):
    manifest = prepare.prepare(config)
    path = tmp_path / "text" / "3.txt"
    path.write_text(path.read_text())
    assert prepare.prepare(config) == manifest
    path.write_text("another text of the same name")
    before = snapshot(tmp_path)
    message = (
        r"text='.*text': is not what .*corpus was made from \(sha256 [0-9a-f]{12}, now [0-9a-f]{12}\); choose another"
    )
    for verb in (prepare.check, prepare.prepare):
        with pytest.raises(InputError, match=message):
            verb(config)
        assert snapshot(tmp_path) == before
    shutil.rmtree(tmp_path / "text")
    assert prepare.prepare(config) == manifest  # the corpus serves without the text


def test_a_given_tokenizer_that_has_changed_is_told_by_its_hash(config, tmp_path):
    given = tmp_path / "t.json"
    given.write_text(tokenizer_lib.byte_level(END).to_str())
    config = dataclasses.replace(config, tokenizer=str(given))
    prepare.prepare(config)
    given.write_text(tokenizer_lib.train(["the law"], 260, END).to_str())
    with pytest.raises(InputError, match=r"made from other content of tokenizer .*t.json \(sha256"):
        prepare.prepare(config)


def test_a_finished_corpus_whose_files_were_changed_is_refused(config):
    manifest = prepare.prepare(config)
    tokenizer = Path(config.directory) / shards.TOKENIZER
    whole = tokenizer.read_text()
    tokenizer.write_text(tokenizer_lib.byte_level("</s>").to_str())
    with pytest.raises(InputError, match=r"tokenizer.json: is not the tokenizer that the corpus was made with"):
        prepare.prepare(config)
    tokenizer.write_text(whole)
    shard = Path(config.directory) / manifest["splits"]["train"]["shards"][0]["file"]
    shard.write_bytes(shard.read_bytes()[:-1] + b"\0")
    with pytest.raises(InputError, match=r"npy: is not what was written|largest token id"):
        prepare.prepare(config)


def test_a_manifest_that_was_changed_is_refused_whatever_was_changed(config):
    prepare.prepare(config)
    path = Path(config.directory) / "manifest.json"
    whole = path.read_text()
    for field in ("n_skipped", "text_files", "warnings"):
        value = json.loads(whole)
        value[field] = None if field != "warnings" else ["another"]
        path.write_text(json.dumps(value))
        with pytest.raises(InputError, match=r"manifest.json: (is not what was written|warnings: is no list)"):
            prepare.prepare(config)
    value = json.loads(whole)
    del value["sha256_of_the_others"]
    path.write_text(json.dumps(value))
    with pytest.raises(InputError, match=r"manifest.json: was not written by this version"):
        prepare.prepare(config)
