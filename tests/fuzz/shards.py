"""A small prepared corpus, damaged after the fact: what training, and another start of `prepare_data`, make of it."""

import atexit
import functools
import io
import json
import os
import pickle
import random
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ie_scaling.corpus import manifest, prepare
from ie_scaling.corpus.config import CorpusConfig
from ie_scaling.corpus.tokens import TokenStore
from tests.fuzz import harness
from tests.fuzz.harness import Case

VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    1,
    2**80,
    1.5,
    "",
    "x",
    "../x",
    "/etc/passwd",
    [],
    [1],
    {},
    {"a": 1},
    "shards/\0",
)
NAMED = ("manifest.json", "tokenizer.json", "tokenizer_made.json", "00001.json", "DONE", "train-00001-000.npy")


class Armed:
    """An object whose unpickling sets the canary."""

    def __reduce__(self) -> tuple:
        return os.putenv, (harness.CANARY, "1")


@functools.cache
def _prepared(finished: bool) -> Path:
    """A corpus of 12 documents in three units, finished or broken off before its manifest."""
    root = Path(tempfile.mkdtemp(prefix="fuzz-shards-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    (root / "text").mkdir()
    for number in range(12):
        (root / "text" / f"{number}.txt").write_text(f"the law of document {number}\n" * 4)
    whole = prepare._describe_units
    try:
        if not finished:
            prepare._describe_units = _break_off
        prepare.prepare(_config(root))
    except KeyboardInterrupt:
        pass
    finally:
        prepare._describe_units = whole
    return root


def _break_off(*_: object) -> dict:
    raise KeyboardInterrupt


def _config(root: Path) -> CorpusConfig:
    return CorpusConfig(
        text=str(root / "text"),
        directory=str(root / "out"),
        tokenizer="byte",
        validation_fraction=0.3,
        shard_bytes=400,
        n_workers=1,
    )


def draw(rng: random.Random, folder: Path) -> Case:
    """One damage to a corpus, finished or not, and one way to read it."""
    finished = rng.random() < 0.8
    source = _prepared(finished)
    shutil.copytree(source, folder, dirs_exist_ok=True, copy_function=shutil.copy2)
    _readdress(folder, source)
    damage = rng.choice(DAMAGES if finished else UNFINISHED)
    damage(rng, folder / "out")
    call = rng.choice(CALLS if finished else CALLS[1:])
    changed = finished and any(
        path.read_bytes() != (source / "out" / "shards" / path.name).read_bytes()
        for path in (folder / "out" / "shards").glob("*-*-*.npy")
        if path.is_file() and (source / "out" / "shards" / path.name).is_file()
    )
    return Case(
        f"{damage.__name__.strip('_')}, then {call.__name__.strip('_')}",
        lambda: call(folder),
        "a shard is not what was written" * changed,
    )


def _readdress(folder: Path, source: Path) -> None:
    """The copy's own text, as its configuration names it."""
    path = folder / "out" / "config.json"
    path.write_text(path.read_text().replace(str(source), str(folder)))


def _train(folder: Path) -> None:
    manifest.identity(folder / "out")
    for split in prepare.SPLITS:
        store = TokenStore.open(folder / "out", split)
        tokens = store.read(0, len(store))
        whole = TokenStore.open(_prepared(True) / "out", split)
        if not np.array_equal(tokens, whole.read(0, len(whole))):
            raise RuntimeError("other tokens than were written")


def _prepare(folder: Path) -> None:
    prepare.prepare(_config(folder))
    _train(folder)


def _check(folder: Path) -> None:
    prepare.check(_config(folder))


CALLS: list[Callable] = [_train, _prepare, _check]


def _shard(rng: random.Random, out: Path) -> Path:
    return rng.choice(sorted((out / "shards").glob("*.npy")))


def _cut_shard(rng, out):
    path = _shard(rng, out)
    data = path.read_bytes()
    path.write_bytes(data[: rng.choice((0, rng.randint(0, len(data) - 1)))])


def _flipped_shard(rng, out):
    path = _shard(rng, out)
    data = bytearray(path.read_bytes())
    data[rng.choice((rng.randrange(len(data)), rng.randrange(128)))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


def _zeroed_shard(rng, out):
    path = _shard(rng, out)
    data = bytearray(path.read_bytes())
    start = rng.randrange(len(data))
    data[start : start + 64] = bytes(len(data[start : start + 64]))
    path.write_bytes(data)


def _longer_shard(rng, out):
    path = _shard(rng, out)
    path.write_bytes(path.read_bytes() + bytes(rng.randint(1, 9)))


def _other_array(rng, out):
    path = _shard(rng, out)
    ids = np.load(path)
    arrays = (ids.astype(np.int64), ids.astype(">u2"), ids.reshape(1, -1), ids + 200, ids.astype(np.float32), ids[:0])
    with path.open("wb") as stream:
        np.save(stream, rng.choice((*arrays, ids[::-1], ids[:-1], np.array(3, np.uint16), ids.astype("U3"))))


def _objects(rng, out):
    with _shard(rng, out).open("wb") as stream:
        np.save(stream, np.array([Armed()], object), allow_pickle=True)


def _pickle(rng, out):
    _shard(rng, out).write_bytes(pickle.dumps(Armed()))


def _archive(rng, out):
    path = _shard(rng, out)
    sink = io.BytesIO()
    if rng.random() < 0.5:
        np.savez(sink, ids=np.load(path))
    else:
        with zipfile.ZipFile(sink, "w") as archive:
            archive.writestr("a.txt", "text")
    path.write_bytes(sink.getvalue())


def _swapped_shards(rng, out):
    first, second = rng.sample(sorted((out / "shards").glob("*.npy")), 2)
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(data)


def _no_shard(rng, out):
    path = _shard(rng, out)
    path.unlink()
    choice = rng.randrange(3)
    if choice == 1:
        path.mkdir()
    elif choice == 2:
        path.symlink_to(path)


def _junk_header(rng, out):
    path = _shard(rng, out)
    header = rng.choice(
        (b"{'descr': __import__('os')}", b"{'descr': '<u2', 'shape': (-1,)}", b"(" * 118, rng.randbytes(118))
    )
    data = path.read_bytes()
    path.write_bytes(data[:10] + header.ljust(118)[:118] + data[128:])


def _changed_json(name: str) -> Callable:
    def changed(rng, out):
        path = rng.choice(sorted(out.glob(name)))
        value = json.loads(path.read_text())
        _change(rng, value)
        if name == "manifest.json" and rng.random() < 0.7:
            value = manifest.seal(value)
        path.write_text(json.dumps(value))

    changed.__name__ = f"changed {name}"
    return changed


def _change(rng: random.Random, value: Any) -> None:
    """Another value, or none, somewhere inside."""
    places = list(value) if isinstance(value, dict) else list(range(len(value)))
    inner = [place for place in places if isinstance(value[place], dict | list) and value[place]]
    if inner and rng.random() < 0.8:
        _change(rng, value[rng.choice(inner)])
    elif places and rng.random() < 0.3:
        del value[rng.choice(places)]
    elif places:
        value[rng.choice(places)] = rng.choice(VALUES)


def _broken_json(name: str) -> Callable:
    def broken(rng, out):
        path = rng.choice(sorted(out.glob(name)))
        data = path.read_bytes()
        junk = (
            b"",
            b"[]",
            b"null",
            b"5",
            b'"a"',
            b"\xff",
            b"[" * 100_000,
            b"9" * 5000,
            data[: len(data) // 2],
            rng.randbytes(9),
        )
        path.write_bytes(rng.choice(junk))

    broken.__name__ = f"broken {name}"
    return broken


def _lost_file(rng, out):
    (out / rng.choice(("manifest.json", "tokenizer.json", "DONE", "config.json", "environment.json"))).unlink()


def _foreign_file(rng, out):
    name = rng.choice(
        ("shards/mine.npy", "shards/00009.json", "shards/train-00009-000.npy", "notes.txt", "shards/a/b.txt")
    )
    (out / name).parent.mkdir(exist_ok=True)
    (out / name).write_text("the user's own")


def _foreign_in_the_way(rng, out):
    for name in ("shards/00001.json", "tokenizer.json", "manifest.json", "shards/train-00001-000.npy"):
        if rng.random() < 0.5:
            (out / name).write_text("the user's own")


def _directory_for_file(rng, out):
    path = rng.choice(sorted(path for path in out.rglob("*") if path.is_file() and path.name in NAMED))
    path.unlink()
    path.mkdir()


BOTH: list[Callable] = [
    *(_cut_shard, _flipped_shard, _zeroed_shard, _longer_shard, _other_array, _objects, _pickle, _archive),
    *(_swapped_shards, _no_shard, _junk_header, _foreign_file, _directory_for_file),
    *(_changed_json("tokenizer.json"), _broken_json("tokenizer.json"), _changed_json("config.json")),
    _broken_json("config.json"),
]
DAMAGES = [
    *BOTH,
    _lost_file,
    _changed_json("manifest.json"),
    _changed_json("manifest.json"),
    _broken_json("manifest.json"),
]
UNFINISHED = [
    *BOTH,
    _changed_json("shards/*.json"),
    _broken_json("shards/*.json"),
    _changed_json("tokenizer_made.json"),
    _foreign_in_the_way,
]
