"""Text to shards and a manifest: the same however it is done, taken up where it was left, nothing left when refused."""

import dataclasses
import gzip
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import tokenizers

from ie_scaling.corpus import documents, prepare, shards, splits
from ie_scaling.corpus import tokenizer as tokenizer_lib
from ie_scaling.corpus.config import CorpusConfig
from ie_scaling.corpus.tokens import TokenStore
from ie_scaling.errors import InputError
from ie_scaling.running import files
from tests.corpus.conftest import FORMATS, write_documents

CASES = Path(__file__).parent.parent / "cases"
TEXTS = [f"document {number} of the law, é 漢 {'x' * (number % 7)}" for number in range(50)]


@pytest.fixture
def config(text_folder, tmp_path):
    """Some twelve units of five files each."""
    return CorpusConfig(
        text=str(text_folder),
        directory=str(tmp_path / "corpus"),
        vocab_size=270,
        validation_fraction=0.2,
        shard_bytes=12_000,
        n_workers=1,
    )


def contents(directory, but=()):
    """Relative path -> bytes of all that a preparation writes, but for what depends on place and time."""
    unwanted = {"config.json", "environment.json", ".lock", *but}
    paths = (path for path in Path(directory).rglob("*") if path.is_file() and path.name not in unwanted)
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in paths}


def tokens(directory, split):
    store = TokenStore.open(directory, split)
    return store.read(0, len(store))


def decoded(directory, split):
    """The documents of a split, from its tokens."""
    tokenizer = tokenizers.Tokenizer.from_file(f"{directory}/tokenizer.json")
    ids = tokens(directory, split)
    end = TokenStore.open(directory, split).end_of_text_id
    pieces = np.split(ids, np.flatnonzero(ids == end) + 1)[:-1]
    return [tokenizer.decode(piece[:-1].tolist(), skip_special_tokens=False) for piece in pieces]


def test_the_manifest_says_what_the_shards_hold(config):
    manifest = prepare.prepare(config)
    directory = Path(config.directory)
    assert manifest["tokenizer_sha256"] == files.sha256(directory / "tokenizer.json")
    assert (manifest["vocab_size"], manifest["end_of_text"]) == (270, "<|endoftext|>")
    listed = {shard["file"] for split in prepare.SPLITS for shard in manifest["splits"][split]["shards"]}
    assert {path.relative_to(directory).as_posix() for path in directory.glob("shards/*")} == listed
    for split in prepare.SPLITS:
        of_split, ids = manifest["splits"][split], tokens(directory, split)
        assert len(of_split["shards"]) > 3
        assert of_split["n_tokens"] == len(ids)
        assert of_split["n_documents"] == (ids == manifest["end_of_text_id"]).sum()
        assert of_split["unigram_entropy"] == prepare.entropy(np.bincount(ids))
        for shard in of_split["shards"]:
            assert shard["sha256"] == files.sha256(directory / shard["file"])
            assert shard["max_id"] == np.load(directory / shard["file"]).max()
    assert prepare.describe(manifest).startswith(f"corpus {config.text}: ")


@pytest.mark.parametrize("tokenizer", ["bpe", "byte"])
def test_tokens_decode_to_the_documents(config, tokenizer):
    config = dataclasses.replace(config, tokenizer=tokenizer)
    prepare.prepare(config)
    found = list(documents.read_all(documents.plan(config), config))
    for split in prepare.SPLITS:
        of_split = [text for name, text in found if splits.split_of(name, config.validation_fraction) == split]
        assert decoded(config.directory, split) == of_split


def test_two_workers_write_the_same_bytes_as_one(config, tmp_path):
    prepare.prepare(config)
    prepare.prepare(dataclasses.replace(config, directory=str(tmp_path / "two"), n_workers=2))
    assert contents(config.directory) == contents(tmp_path / "two")


def test_tokens_do_not_depend_on_how_the_corpus_is_cut(config, tmp_path):
    prepare.prepare(config)
    whole = dataclasses.replace(config, directory=str(tmp_path / "whole"), shard_bytes=10**9)
    prepare.prepare(whole)
    for split in prepare.SPLITS:
        np.testing.assert_array_equal(tokens(config.directory, split), tokens(whole.directory, split))


def test_a_large_unit_is_written_in_several_shards(config, tmp_path):
    lines = "".join(json.dumps({"text": text}) + "\n" for text in TEXTS * 9)
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(lines.encode(), mtime=0))
    config = dataclasses.replace(config, text=str(tmp_path / "a.jsonl.gz"), shard_bytes=2000)
    names = [shard["file"] for shard in prepare.prepare(config)["splits"]["train"]["shards"]]
    assert names[:2] == ["shards/train-00000-000.npy", "shards/train-00000-001.npy"]
    assert sorted(decoded(config.directory, "train") + decoded(config.directory, "validation")) == sorted(TEXTS * 9)


def test_an_interrupted_preparation_goes_on_to_the_same_files(config, tmp_path, monkeypatch):
    prepare.prepare(config)
    again = dataclasses.replace(config, directory=str(tmp_path / "again"))
    encode_unit, encoder = shards.encode_unit, shards.tokenizer.encoder

    def interrupted(numbered, **options):
        if numbered[0] == 4:
            raise KeyboardInterrupt
        return encode_unit(numbered, **options)

    monkeypatch.setattr(shards, "encode_unit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prepare.prepare(again)
    monkeypatch.setattr(shards, "encode_unit", encode_unit)
    (tmp_path / "again" / "shards" / ".train-00003-000.npy.1-abcdefgh.tmp").touch()  # what a killed worker leaves
    encoded = []
    monkeypatch.setattr(shards.tokenizer, "encoder", lambda *of: encoded.append(of) or encoder(*of))
    prepare.prepare(again)
    n_units = len(documents.plan(config))
    assert len(encoded) == n_units - 4 > 4
    assert contents(config.directory) == contents(again.directory)


def test_a_unit_whose_files_changed_meanwhile_is_encoded_anew(config, tmp_path, monkeypatch):
    folder = write_documents(tmp_path, "folder", TEXTS)
    config = dataclasses.replace(config, text=str(folder), tokenizer="byte", shard_bytes=300)
    with monkeypatch.context() as patch:
        patch.setattr(prepare, "_describe_units", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            prepare.prepare(config)
    (folder / "0000.txt").write_text("another beginning")
    prepare.prepare(config)
    assert "another beginning" in decoded(config.directory, "train") + decoded(config.directory, "validation")


def test_a_finished_corpus_is_not_made_again_and_another_is_refused(config, monkeypatch):
    manifest = prepare.prepare(config)
    monkeypatch.setattr(documents, "plan", None)
    assert prepare.prepare(dataclasses.replace(config, n_workers=7)) == manifest
    with pytest.raises(InputError, match="started with vocab_size=270, now 300"):
        prepare.prepare(dataclasses.replace(config, vocab_size=300))


def test_every_format_gives_the_same_tokens(config, tmp_path):
    prepared = {}
    for kind in FORMATS:
        path = write_documents(tmp_path, kind, TEXTS)
        made = dataclasses.replace(config, text=str(path), directory=str(tmp_path / f"{kind}.out"), tokenizer="byte")
        prepare.prepare(made)
        prepared[kind] = sorted(decoded(made.directory, "train") + decoded(made.directory, "validation"))
        assert len(tokens(made.directory, "train")) + len(tokens(made.directory, "validation")) == sum(
            len(text.encode()) + 1 for text in TEXTS
        )
    assert all(found == sorted(TEXTS) for found in prepared.values())


def test_a_tokenizer_made_by_one_corpus_serves_another(config, tmp_path):
    first = prepare.prepare(config)
    path = write_documents(tmp_path, "a.parquet", TEXTS)
    given = f"{config.directory}/tokenizer.json"
    other = dataclasses.replace(config, text=str(path), directory=str(tmp_path / "other"), tokenizer=given)
    second = prepare.prepare(other)
    assert second["tokenizer_sha256"] == first["tokenizer_sha256"]
    assert set(decoded(other.directory, "train")) <= set(TEXTS)


def test_skipped_documents_are_counted(config, tmp_path):
    folder = write_documents(tmp_path, "folder", TEXTS)
    for number in (3, 5):
        (folder / f"{number:04d}.txt").write_bytes(b"\xff")
    config = dataclasses.replace(config, text=str(folder), tokenizer="byte", invalid_utf8="skip")
    manifest = prepare.prepare(config)
    assert manifest["n_skipped"] == 2
    assert sum(manifest["splits"][split]["n_documents"] for split in prepare.SPLITS) == 48
    assert "2 documents skipped" in prepare.describe(manifest)


def test_entropy_of_known_counts():
    assert prepare.entropy(np.array([2, 1, 1, 0, 0])) == pytest.approx(1.5 * math.log(2))


def bad_corpora(folder):
    """Name -> what is said of it. Some show at once, some only when most of the corpus has been encoded."""
    good = "".join(json.dumps({"text": text}) + "\n" for text in TEXTS).encode()
    (folder / "empty").mkdir()
    (folder / "cut.jsonl.gz").write_bytes(gzip.compress(good, mtime=0)[:-9])
    (folder / "late.jsonl").write_bytes(good + b'{"txt": "b"}\n')
    write_documents(folder, "a.parquet", TEXTS)
    (folder / "a.parquet").write_bytes((folder / "a.parquet").read_bytes()[:-20])
    return {
        "nowhere": "must be",
        "empty": "holds no documents",
        "cut.jsonl.gz": "broken gzip",
        "late.jsonl": "line 51: must be a JSON object",
        "a.parquet": "broken Parquet",
    }


@pytest.mark.parametrize("max_bytes", [0, 20_000_000])
def test_bad_corpora_are_one_line_and_leave_nothing(config, tmp_path, max_bytes):
    (tmp_path / "in").mkdir()
    for name, message in bad_corpora(tmp_path / "in").items():
        text = str(tmp_path / "in" / name)
        bad = dataclasses.replace(config, text=text, tokenizer="byte", max_bytes=max_bytes, shard_bytes=100)
        with pytest.raises(InputError, match=message) as caught:
            prepare.prepare(bad)
        assert "\n" not in str(caught.value)
        assert not Path(config.directory).exists()


def test_a_worker_s_error_is_the_same_line_and_leaves_nothing(config, tmp_path):
    bad_corpora(tmp_path)
    text = str(tmp_path / "late.jsonl")
    bad = dataclasses.replace(config, text=text, tokenizer="byte", max_bytes=0, shard_bytes=500, n_workers=2)
    with pytest.raises(InputError, match=r"late.jsonl: line 51: must be a JSON object"):
        prepare.prepare(bad)
    assert not Path(config.directory).exists()


def test_a_directory_that_was_there_is_left_as_it_was(config):
    Path(config.directory).mkdir()
    with pytest.raises(InputError, match="vocab_size=9000: the text yields only"):
        prepare.prepare(dataclasses.replace(config, vocab_size=9000))
    assert contents(config.directory) == {}
    prepare.prepare(config)


GOLDEN = {"train": ["d13e45662a96ed45", "1de05c1f81f2d060"], "validation": ["09dd82a1b39a711e", "9de64c14146c4118"]}


def test_a_folder_of_text_and_source_files_gives_the_shards_that_it_always_gave(tmp_path):
    for number in range(40):
        name = f"{'deep/' if number % 3 else ''}{number:02d}.{'py' if number % 5 else 'txt'}"
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes((f"line {number} é\r\nwords" * (number % 7)).encode())
    text, directory = str(tmp_path / "in"), str(tmp_path / "out")
    config = CorpusConfig(text=text, directory=directory, tokenizer="byte", validation_fraction=0.2, shard_bytes=1000)
    manifest = prepare.prepare(dataclasses.replace(config, n_workers=1))
    found = {split: [shard["sha256"][:16] for shard in manifest["splits"][split]["shards"]] for split in prepare.SPLITS}
    assert found == GOLDEN


def test_what_is_skipped_and_left_out_is_in_the_manifest_and_the_result_line(config, tmp_path):
    folder = write_documents(tmp_path, "folder", TEXTS)
    shutil.copy(CASES / "null_text.jsonl", folder)
    (folder / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / ".hidden").touch()
    (folder / "latin.txt").write_bytes(("il était une fois " * 9).encode("latin-1"))
    config = dataclasses.replace(config, text=str(folder), tokenizer="byte", null_text="skip", binary_files="skip")
    manifest = prepare.prepare(config)
    assert manifest["skipped"] == {"invalid UTF-8": 0, "null": 1}
    assert manifest["files"]["read"] == {"JSON lines": 1, "text": 51}
    assert [(part["reason"], part["n_files"]) for part in manifest["files"]["left_out"]] == [
        ("binary", 1),
        ("hidden", 1),
    ]
    assert ["several kinds are read together" in manifest["warnings"][0], len(manifest["warnings"])] == [True, 2]
    assert "9 characters of" in manifest["warnings"][1]
    line = prepare.describe(manifest)
    assert "1 documents skipped (1 null)" in line
    assert "files left out: 1 binary, as a.png, 1 hidden, as .hidden" in line


def test_a_tokenizer_that_loses_text_is_warned_of_before_and_after(config, tmp_path):
    words = {word: index for index, word in enumerate(["[UNK]", "the", "law", "of", "<|endoftext|>"])}
    lossy = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="[UNK]"))
    lossy.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    lossy.save(str(tmp_path / "t.json"))
    config = dataclasses.replace(config, tokenizer=str(tmp_path / "t.json"))
    [before] = prepare.check(config)
    assert "of the characters in a sample of" in before
    assert prepare.prepare(config)["warnings"] == [before]
    assert prepare.check(config) == [before]


BEFORE_TOKENIZING = {
    "text": ({"text": "nowhere"}, "must be"),
    "end": ({"tokenizer": "given", "end_of_text": "</s>"}, "end_of_text='</s>': must be a token of"),
    "absent": ({"tokenizer": "absent.json"}, "tokenizer='absent.json': no such file"),
    "vocabulary": ({"tokenizer": "bpe", "vocab_size": 9000}, "vocab_size=9000: the text yields only"),
    "line": ({"text": "late.jsonl", "max_bytes": 0}, "line 51: must be a JSON object"),
    "null": ({"text": str(CASES / "null_text.jsonl")}, 'line 38: "text" is null'),
}


@pytest.mark.parametrize("name", BEFORE_TOKENIZING)
def test_a_dry_run_refuses_what_the_real_run_would_and_writes_nothing(config, tmp_path, monkeypatch, name):
    fields, message = BEFORE_TOKENIZING[name]
    bad_corpora(tmp_path)
    tokenizer_lib.byte_level("<|endoftext|>").save(str(tmp_path / "given.json"))
    fields = {"tokenizer": "byte"} | fields
    for field in ("text", "tokenizer"):
        given = tmp_path / (fields.get(field, "") + ".json" * (fields.get(field) == "given"))
        fields |= {field: str(given)} if given.is_file() else {}
    monkeypatch.setattr(shards, "encode_unit", None)
    bad = dataclasses.replace(config, **fields)
    for verb in (prepare.check, prepare.prepare):
        with pytest.raises(InputError, match=message):
            verb(bad)
        assert not Path(config.directory).exists()
        if name == "line":
            break  # the real run of a text without max_bytes finds it while it tokenizes
