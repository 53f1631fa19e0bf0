"""What runs of a sweep left on disk, damaged: through `status`, and through the log of a run that goes on."""

import json
import math
import os
import random
from collections.abc import Callable
from pathlib import Path

from ie_scaling.running import config as config_lib
from ie_scaling.running import files
from ie_scaling.train import attempt, metrics, states
from ie_scaling.train.config import RecipeConfig
from ie_scaling.train.sweep_config import SweepConfig
from tests.fuzz.harness import Case

SWEEP = SweepConfig(
    runs=("d24-n2-h2-k1-c10-f37-v1024@20k", "d24-n2-h2-k1-c10-f37-v1024@20k-s1"), recipe=RecipeConfig(batch_size=2)
)
PLAN = SWEEP.plans[0]
WHOLE = [
    json.dumps({"step": step, "n_tokens": 256 * step, "loss": 7 - step / 20, "grad_norm": 1.0}) for step in range(1, 40)
]
WRONG = (None, True, [], {}, "low", "", -1, 0, 1.5, 1e400, -math.inf, math.nan, 10**30, 10**400)
RESULTS = ("evaluation.json", "FAILED.json", "DONE", "runs.csv", "environment.json", "config.json", ".lock")
BYTES = (
    b"",
    b"\xff\xfe\0",
    b"\x1f\x8b\x08\0",
    b"PK\x03\x04",
    b"[]",
    b"4",
    b"null",
    b"{",
    b"\xef\xbb\xbf{}",
    b"\0" * 64,
)


def draw(rng: random.Random, folder: Path) -> Case:
    """A sweep with one to three damages, looked at or gone on with."""
    place = folder / "runs" / PLAN.run_id
    place.mkdir(parents=True)
    files.write_json(folder / "config.json", {"experiment": "sweep"} | config_lib.to_plain(SWEEP))
    lines = list(WHOLE[: rng.randrange(40)])
    tail = rng.choice(("\n", "", WHOLE[-1][: rng.randrange(20)], "\0" * 30))
    what = [rng.choice(DAMAGES)(rng, folder, place, lines) for _ in range(rng.randrange(1, 4))]
    if not os.path.lexists(place / "metrics.jsonl"):
        (place / "metrics.jsonl").write_text("\n".join(lines) + tail, encoding="utf-8", errors="surrogatepass")
    if rng.random() < 0.7:
        return Case(f"status: {', '.join(what)}", lambda: _status(folder))
    first = rng.randrange(45)
    return Case(f"resumed at {first}: {', '.join(what)}", lambda: _resume(place, first))


def _status(folder: Path) -> None:
    table = states.read(folder)
    assert len(table) == 2
    assert set(table["state"]) <= set(states.State)
    assert (table["step"] <= table["n_steps"]).all()


def _resume(place: Path, first: int) -> None:
    with metrics.MetricsLog(place, PLAN, first):
        pass
    steps = [json.loads(line)["step"] for line in (place / "metrics.jsonl").read_text().splitlines()]
    assert steps == sorted(set(steps))
    assert not steps or steps[-1] <= first


Damage = Callable[[random.Random, Path, Path, list[str]], str]


def _edit(name: str, edit: Callable[[random.Random, str], str]) -> Damage:
    def damage(rng: random.Random, folder: Path, place: Path, lines: list[str]) -> str:
        if lines:
            index = rng.randrange(len(lines))
            lines[index] = edit(rng, lines[index])
        return name

    return damage


def _wrong_value(rng: random.Random, line: str) -> str:
    try:
        return json.dumps(json.loads(line) | {rng.choice(("step", "loss", "grad_norm", "n_tokens")): rng.choice(WRONG)})
    except (TypeError, ValueError):
        return line


def _without(rng: random.Random, line: str) -> str:
    try:
        return json.dumps({k: v for k, v in json.loads(line).items() if k != rng.choice(("step", "loss", "grad_norm"))})
    except (AttributeError, ValueError):
        return line


def _shuffled(rng: random.Random, folder: Path, place: Path, lines: list[str]) -> str:
    rng.shuffle(lines)
    return "lines out of order"


def _doubled(rng: random.Random, folder: Path, place: Path, lines: list[str]) -> str:
    lines += lines[: rng.randrange(5)]
    return "lines twice"


def _beyond(rng: random.Random, folder: Path, place: Path, lines: list[str]) -> str:
    lines.append(json.dumps({"step": rng.choice((9999, 2**31, 2**63, 10**30)), "loss": 1.0}))
    return "a step beyond the run"


def _binary(rng: random.Random, folder: Path, place: Path, lines: list[str]) -> str:
    if not os.path.lexists(place / "metrics.jsonl"):
        (place / "metrics.jsonl").write_bytes(rng.choice(BYTES) + rng.randbytes(rng.randrange(200)) + b"\n")
    return "binary metrics"


def _utf16(rng: random.Random, folder: Path, place: Path, lines: list[str]) -> str:
    if not os.path.lexists(place / "metrics.jsonl"):
        (place / "metrics.jsonl").write_text("\n".join(lines), encoding=rng.choice(("utf-16", "utf-32")))
    return "metrics in UTF-16"


def _directory(rng: random.Random, folder: Path, place: Path, lines: list[str]) -> str:
    name = rng.choice(("metrics.jsonl", *RESULTS))
    if not os.path.lexists(place / name):
        (place / name).mkdir()
    return f"{name} a directory"


def _result(rng: random.Random, folder: Path, place: Path, lines: list[str]) -> str:
    name = rng.choice(RESULTS)
    if not os.path.lexists(place / name):
        values = {rng.choice(("loss", "error", "x")): rng.choice(WRONG)}
        text = json.dumps(rng.choice((values, list(values), rng.choice(WRONG))))
        (place / name).write_bytes(rng.choice((text.encode(), rng.choice(BYTES), rng.randbytes(50))))
    return f"{name} of the wrong type"


def _stale(rng: random.Random, folder: Path, place: Path, lines: list[str]) -> str:
    if not os.path.lexists(place / "FAILED.json"):
        attempt.mark_failed(place, ValueError("no space\nleft"))
    if (place / "FAILED.json").is_file():
        os.utime(place / "FAILED.json", (rng.randrange(2**31), rng.randrange(2**31)))
    return "an old failure"


def _sweep_config(rng: random.Random, folder: Path, place: Path, lines: list[str]) -> str:
    path = folder / "config.json"
    try:
        values = json.loads(path.read_text())
        field = rng.choice(list(values))
        values[field] = rng.choice((*WRONG, {"a": 1}, ["x"], "x" * 100_000))
        text = json.dumps(rng.choice((values, {k: v for k, v in values.items() if k != field}, values | {"nruns": 3})))
    except (ValueError, AttributeError, IndexError):
        text = "[]"
    path.write_bytes(rng.choice((text.encode(), rng.choice(BYTES), text[: rng.randrange(len(text) + 1)].encode())))
    return "config.json of another version"


def _linked(rng: random.Random, folder: Path, place: Path, lines: list[str]) -> str:
    name = rng.choice(("metrics.jsonl", *RESULTS))
    if not os.path.lexists(place / name):
        (place / name).symlink_to("nowhere")
    return f"{name} a dangling link"


DAMAGES: tuple[Damage, ...] = (
    _edit("a value of the wrong type", _wrong_value),
    _edit("a field missing", _without),
    _edit("a line cut", lambda rng, line: line[: rng.randrange(len(line) + 1)]),
    _edit("a line that is a list", lambda rng, line: f"[{line}]"),
    _edit("a line of text", lambda rng, line: rng.choice(("nan", "loss 4.0", "é ü", "\u2028", '"', "{'step': 1}"))),
    _edit("a deep line", lambda rng, line: "[" * rng.choice((10, 2000, 100_000))),
    _edit("a long number", lambda rng, line: '{"step": 5, "loss": ' + "9" * rng.choice((20, 310, 5000)) + "}"),
    _edit("two lines in one", lambda rng, line: line + line),
    _edit("NULs", lambda rng, line: line + "\0" * rng.randrange(1, 40)),
    _edit("CR at the end", lambda rng, line: line + "\r"),
    _edit("an empty line", lambda rng, line: ""),
    _shuffled,
    _doubled,
    _beyond,
    _binary,
    _utf16,
    _directory,
    _result,
    _result,
    _stale,
    _sweep_config,
    _linked,
)
