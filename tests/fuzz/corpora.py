"""Folders and files of text in every form, damaged: what `prepare_data` makes of them, and that its dry run agrees."""

import dataclasses
import gzip
import io
import json
import random
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ie_scaling.corpus import prepare
from ie_scaling.corpus import tokenizer as tokenizer_lib
from ie_scaling.corpus.config import CorpusConfig
from ie_scaling.errors import InputError
from tests.fuzz.harness import Case

END = "<|endoftext|>"
NAMES = ("a.txt", "a.jsonl", "a.json", "a.jsonl.gz", "a.json.gz", "a.jsonl.zst", "a.parquet", "a.arrow", "b.arrow")
WORDS = ("law", "of", "depth", "é", "漢", "width\r\n", "\n", "\t", "loss", "\ufeff", "Token", '"', "\\")


def draw(rng: random.Random, folder: Path) -> Case:
    """A corpus of one to four files with up to two kinds of damage, and how it is to be prepared."""
    text = folder / "text"
    text.mkdir()
    for name in rng.sample(NAMES, rng.randint(1, 4)):
        (text / name).write_bytes(_file(rng, name))
    config = CorpusConfig(
        text=str(text) if rng.random() < 0.8 else str(rng.choice(sorted(text.iterdir()))),
        directory=str(folder / "out"),
        tokenizer="byte",
        validation_fraction=rng.choice((0.01, 0.1, 0.5, 0.99)),
        max_bytes=rng.choice((0, 1, 300, 20_000_000)),
        shard_bytes=rng.choice((1, 200, 10**6)),
        n_workers=1,
        invalid_utf8=rng.choice(("replace", "skip", "error")),
        null_text=rng.choice(("error", "skip")),
        binary_files=rng.choice(("error", "skip")),
    )
    said = []
    chosen = rng.sample(DAMAGES, rng.randint(0, 2)) + LAST * (rng.random() < 0.1)
    for damage in chosen:
        said.append(damage.__name__.strip("_"))
        config = damage(rng, folder, config) or config
    return Case(", ".join(said) or "nothing", lambda: _dry_then_wet(config))


def _dry_then_wet(config: CorpusConfig) -> dict:
    """Both ways: a dry run that is content before a refusal, or the reverse, is a fault."""
    try:
        prepare.check(config)
        dry = None
    except InputError as error:
        dry = error
    try:
        manifest = prepare.prepare(config)
    except InputError as error:
        if dry is None:
            raise RuntimeError(f"the dry run let this pass: {error}") from None
        raise
    if dry is not None:
        raise RuntimeError(f"only the dry run refuses: {dry}")
    prepare.describe(manifest)
    return prepare.prepare(config)


def _file(rng: random.Random, name: str) -> bytes:
    texts = [" ".join(rng.choices(WORDS, k=rng.randint(0, 40))) for _ in range(rng.randint(0, 12))]
    if name.endswith(".txt"):
        return "\n".join(texts).encode()
    if name.endswith((".parquet", ".arrow")):
        return _columns(name, pa.table({"id": range(len(texts)), "text": pa.array(texts, pa.string())}))
    rows = [{"text": text, "id": index} for index, text in enumerate(texts)]
    lines = "".join(json.dumps(row, ensure_ascii=rng.random() < 0.5) + "\n" for row in rows)
    data = (json.dumps(rows) if name.startswith("a.json") and rng.random() < 0.4 else lines).encode()
    if name.endswith(".zst"):
        return pa.compress(data, codec="zstd", asbytes=True)
    return gzip.compress(data, mtime=0) if name.endswith(".gz") else data


def _columns(name: str, table: pa.Table) -> bytes:
    sink = io.BytesIO()
    if name.endswith(".parquet"):
        pq.write_table(table, sink, row_group_size=5)
        return sink.getvalue()
    with (pa.ipc.new_file if name.startswith("a") else pa.ipc.new_stream)(sink, table.schema) as writer:
        writer.write_table(table, 5)
    return sink.getvalue()


def _one(rng: random.Random, folder: Path) -> Path:
    return rng.choice(sorted(path for path in (folder / "text").rglob("*") if path.is_file()))


def _cut(rng, folder, config):
    path = _one(rng, folder)
    data = path.read_bytes()
    path.write_bytes(data[: rng.randint(0, len(data))])


def _flipped_bytes(rng, folder, config):
    path = _one(rng, folder)
    data = bytearray(path.read_bytes())
    for _ in range(min(rng.randint(1, 8), len(data))):
        data[rng.randrange(len(data))] = rng.randrange(256)
    path.write_bytes(data)


def _zeros(rng, folder, config):
    path = _one(rng, folder)
    data = bytearray(path.read_bytes())
    start = rng.randint(0, len(data))
    data[start : start + rng.randint(1, 64)] = bytes(rng.randint(1, 64))
    path.write_bytes(data)


def _junk_after(rng, folder, config):
    path = _one(rng, folder)
    path.write_bytes(
        path.read_bytes() + rng.choice((rng.randbytes(30), b"\n{", b"]", b"\0", b"{}\n", path.read_bytes()))
    )


def _other_name(rng, folder, config):
    path = _one(rng, folder)
    target = path.with_name(rng.choice((*NAMES, "data", "a.gz", ".hidden", "x.md", "dataset_info.json", "README.md")))
    if not target.exists():
        path.rename(target)


def _bad_line(rng, folder, config):
    path = folder / "text" / rng.choice(("a.jsonl", "n.jsonl", "n.json"))
    lines = (
        "null",
        "5",
        '"a"',
        "[]",
        "{",
        '{"txt": "a"}',
        '{"text": 5}',
        '{"text": null}',
        '{"text": NaN}',
        "[" * 9999,
    )
    more = ('{"text": "\\ud800"}', '{"text": {}}', "9" * 5000, '{"text": "a", "text": null}', '{"text": "\\u0000"}')
    with path.open("ab") as stream:
        stream.write(f"\n{rng.choice(lines + more)}\n".encode())


def _bad_items(rng, folder, config):
    items = (
        "[1]",
        '[{"text": "a"} {"text": "b"}]',
        '["a", null, "b"]',
        '["a",]',
        "[,]",
        "[]",
        "[[",
        '["a"]x',
        '["a',
        "[nul]",
    )
    (folder / "text" / "items.json").write_text(rng.choice(items))


def _invalid_utf8(rng, folder, config):
    path = folder / "text" / rng.choice(("u.txt", "u.jsonl"))
    path.write_bytes(
        rng.choice((b"a\xffb\n", b'{"text": "a\xff"}\n', "привет мир, как дела".encode("cp1251"), b"\xc3"))
    )


def _wide_or_marked(rng, folder, config):
    encoding = rng.choice(("utf-16", "utf-16-le", "utf-32", "utf-8-sig"))
    (folder / "text" / rng.choice(("w.txt", "w.jsonl"))).write_bytes('{"text": "words"}\n'.encode(encoding))


def _stray_binary(rng, folder, config):
    heads = (
        b"\x89PNG\r\n\x1a\n",
        b"%PDF-1.7\n",
        b"PK\x03\x04",
        b"\xfd7zXZ\x00",
        b"BZh91AY&SY",
        b"\x80\x04\x95",
        b"\x93NUMPY",
    )
    (folder / "text" / rng.choice(("x.bin", "x.txt", "x", "x.json"))).write_bytes(rng.choice(heads) + rng.randbytes(40))


def _archive(rng, folder, config):
    with zipfile.ZipFile(folder / "text" / rng.choice(("z.zip", "z.txt.gz", "z.parquet")), "w") as archive:
        archive.writestr("a.txt", "text")


def _odd_entries(rng, folder, config):
    text = folder / "text"
    choice = rng.randrange(4)
    if choice == 0:
        (text / "broken.txt").symlink_to(folder / "nowhere")
    elif choice == 1:
        (text / "loop").symlink_to(text)
    elif choice == 2:
        (text / ".git").mkdir()
        (text / ".git" / "index").write_bytes(b"\0\1")
    else:
        (text / "deep" / "deeper").mkdir(parents=True)
        (text / "deep" / "deeper" / "a\nb.txt").write_text("text")


def _other_column(rng, folder, config):
    values = rng.choice(([1, 2], [None, None], [[1]], ["a", None], [b"\0\1"], [True], [{"a": 1}]))
    name = rng.choice(("text", "body"))
    file = rng.choice(("c.parquet", "a.c.arrow", "c.arrow"))
    (folder / "text" / file).write_bytes(_columns(file, pa.table({name: values})))


def _twins(rng, folder, config):
    table = pa.table([["a", "b"], ["c", "d"]], names=["text", "text"])
    name = rng.choice(("t.parquet", "t.arrow"))
    (folder / "text" / name).write_bytes(_columns(name, table))


def _other_field(rng, folder, config):
    return dataclasses.replace(config, text_field=rng.choice(("id", "body", "é", "text ")))


def _no_text(rng, folder, config):
    return dataclasses.replace(
        config, text=rng.choice((str(folder / "nowhere"), "\0", "x" * 5000, str(folder), "/dev/null"))
    )


def _users_directory(rng, folder, config):
    out = folder / "out" / rng.choice(("", "shards", "deep"))
    out.mkdir(parents=True, exist_ok=True)
    name = rng.choice(("notes.txt", "tokenizer.json", "manifest.json", "00000.json", "train-00000-000.npy", "DONE"))
    (out / name).write_text("the user's own")


def _directory_in_the_text(rng, folder, config):
    return dataclasses.replace(config, directory=str(folder / "text" / rng.choice(("", "out", "a.txt"))))


def _given_tokenizer(rng, folder, config):
    tokenizer = tokenizer_lib.byte_level(END).to_str()
    path = folder / "t.json"
    if rng.random() < 0.7:
        start = rng.randrange(len(tokenizer))
        tokenizer = tokenizer[:start] + rng.choice(("", "0", "null", "}", '"')) + tokenizer[start + rng.randint(0, 9) :]
    path.write_text(tokenizer)
    return dataclasses.replace(config, tokenizer=str(path), end_of_text=rng.choice((END, END, "</s>")))


def _small_text_for_pairs(rng, folder, config):
    return dataclasses.replace(config, tokenizer="bpe", vocab_size=rng.choice((257, 260, 5000)))


def _finished_and_changed(rng, folder, config):
    try:
        prepare.prepare(config)
    except InputError:
        return
    if rng.random() < 0.5:
        (folder / "text" / "late.txt").write_text("more text")
    else:
        shutil.rmtree(folder / "text")


DAMAGES: list[Callable] = [
    *(_cut, _flipped_bytes, _zeros, _junk_after, _other_name, _bad_line, _bad_items, _invalid_utf8, _wide_or_marked),
    *(_stray_binary, _archive, _odd_entries, _other_column, _twins, _other_field, _no_text, _users_directory),
    *(_directory_in_the_text, _given_tokenizer, _small_text_for_pairs),
]
LAST: list[Callable] = [_finished_and_changed]
