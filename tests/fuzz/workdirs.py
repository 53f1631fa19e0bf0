"""Work directories, finished or not, with records, inputs and surroundings damaged: opened, asked and shown."""

import contextlib
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ie_scaling.running import files, identity, workdir
from tests.fuzz.harness import Case

CONFIG: dict[str, Any] = {"experiment": "fit", "runs": "runs.csv", "nuts": {"n_chains": 4}, "where": "", "seed": 0}
RECORDS = ("config.json", "inputs.json", "unfinished.json", "environment.json", "DONE", ".lock")
CONTENTS = (
    *(
        b"",
        b"{",
        b"[]",
        b"null",
        b"3",
        b"\xff\xfe\x00",
        b"\xef\xbb\xbf{}",
        b"{}",
        b'{"experiment": null}',
        b"[" * 50_000,
    ),
    *(
        b'{"experiment": "rank"}',
        b'{"experiment": ["fit"]}',
        b'{"a": 1}',
        b'{"a": null}',
        b'{"nuts": 3}',
        b"NaN",
        b'"x"',
    ),
    *(b"1" * 5000, b'{"runs": "a", "runs": "b"}', b"\x00" * 100, b'["x"]', b"[1]", b'{"runs": "' + b"a" * 64 + b'"}'),
)


def draw(rng: random.Random, folder: Path) -> Case:
    """A directory that a verb left, damaged once to three times, and one way of asking for it."""
    table, directory = folder / "runs.csv", folder / "w"
    table.write_text("loss\n2\n")
    inputs: dict[str, Path | str | None] = {**identity.named("runs", [table])}
    if rng.random() < 0.3:
        inputs["corpus"] = "a" * 64
    _leave(rng, directory, inputs)
    done = [rng.choice(DAMAGES)(rng, directory, table) for _ in range(rng.randint(1, 3))]
    config = json.loads(json.dumps(CONFIG))
    if rng.random() < 0.2:
        config[rng.choice(("seed", "runs", "where", "experiment", "new"))] = rng.choice((1, "", "x", None, {"a": 1}))
    if rng.random() < 0.1:
        config["allow_unfinished"] = True
    if rng.random() < 0.1:
        inputs = {name: rng.choice((None, "b" * 64, table, folder, folder / "absent")) for name in inputs}
    ask = rng.choice((_open, _open, workdir.is_done, workdir.check, _show, _require))
    return Case(f"{ask.__name__} {done}", lambda: ask(directory, config, (), inputs))


def _leave(rng: random.Random, directory: Path, inputs: workdir.Inputs) -> None:
    """What a start leaves: nothing, records and half a result, or a finished one."""
    kind = rng.random()
    if kind < 0.1:
        return
    files.write_json(directory / "config.json", CONFIG)
    files.write_json(directory / "inputs.json", identity.digests_of(inputs))
    files.write_text(directory / "result.json", "{}")
    if kind > 0.4:
        files.write_text(directory / "DONE", "")


def _open(directory: Path, config: dict, may_change: tuple, inputs: workdir.Inputs) -> None:
    with workdir.opened(directory, config, may_change, inputs):
        files.write_text(directory / "result.json", "{}")


def _show(directory: Path, config: dict, may_change: tuple, inputs: workdir.Inputs) -> list[str]:
    if workdir.is_done(directory, config, may_change, inputs):
        return workdir.warnings(directory, inputs)
    return []


def _require(directory: Path, config: dict, _: tuple, __: workdir.Inputs) -> list[str]:
    return workdir.require_done(directory, bool(config.get("allow_unfinished")))


def _rewrite(rng: random.Random, directory: Path, _: Path) -> str:
    name, content = rng.choice(RECORDS), rng.choice(CONTENTS)
    content = content or b"x" * (name == ".lock")  # an empty one is a lock of this program's
    with contextlib.suppress(OSError):
        directory.mkdir(exist_ok=True)
        (directory / name).write_bytes(content)
    return f"{name} = {content[:20]!r}"


def _replace(rng: random.Random, directory: Path, table: Path) -> str:
    """Something else in a record's place: nothing, a directory, a link to nowhere, to itself, to another file."""
    name, what = rng.choice(RECORDS), rng.choice(("nothing", "directory", "dangling", "loop", "link"))
    path = directory / name
    with contextlib.suppress(OSError):
        directory.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        if what == "directory":
            path.mkdir()
        elif what in ("dangling", "loop", "link"):
            path.symlink_to({"dangling": directory / "none", "loop": path, "link": table}[what])
    return f"{name} is {what}"


def _flip(rng: random.Random, directory: Path, _: Path) -> str:
    name = rng.choice(RECORDS[:2])
    with contextlib.suppress(OSError, IndexError):
        content = bytearray((directory / name).read_bytes())
        content[rng.randrange(len(content))] = rng.randrange(256)
        (directory / name).write_bytes(content)
    return f"{name} flipped"


def _cut(rng: random.Random, directory: Path, _: Path) -> str:
    name = rng.choice(RECORDS[:2])
    with contextlib.suppress(OSError):
        content = (directory / name).read_bytes()
        (directory / name).write_bytes(content[: rng.randint(0, len(content))])
    return f"{name} cut"


def _add(rng: random.Random, directory: Path, _: Path) -> str:
    name = rng.choice(
        ("notes.txt", ".hidden", "shards", ".a.json.1-abcdefgh.tmp", ".tmp", "figures", "é\n.txt", "FAILED.json")
    )
    with contextlib.suppress(OSError):
        directory.mkdir(exist_ok=True)
        (directory / name).mkdir() if name in ("shards", "figures") else (directory / name).write_text("mine")
    return f"added {name!r}"


def _change_input(rng: random.Random, _: Path, table: Path) -> str:
    how = rng.choice(("content", "gone", "directory", "empty", "loop", "unfinished sweep"))
    with contextlib.suppress(OSError):
        if how == "content":
            table.write_text("loss\n3\n")
        elif how == "empty":
            table.write_text("")
        elif how == "unfinished sweep":
            (table.parent / "config.json").write_text('{"experiment": "sweep"}')
        else:
            table.unlink()
            if how == "directory":
                table.mkdir()
            elif how == "loop":
                table.symlink_to(table)
    return f"input {how}"


def _move(rng: random.Random, directory: Path, table: Path) -> str:
    """The directory itself is a file, a link, or gone."""
    what = rng.choice(("file", "link to a file", "dangling", "loop", "moved", "linked"))
    with contextlib.suppress(OSError):
        if directory.is_dir() and not directory.is_symlink():
            directory.rename(directory.with_name("aside"))
        if what == "file":
            directory.write_text("")
        elif what != "moved":
            target = {"link to a file": table, "dangling": table.parent / "none", "loop": directory}
            directory.symlink_to(target.get(what, directory.with_name("aside")))
    return f"directory {what}"


DAMAGES: tuple[Callable[[random.Random, Path, Path], str], ...] = (
    *(_rewrite, _rewrite, _rewrite, _replace, _replace, _flip, _cut, _add, _change_input, _change_input, _move),
)
