"""Configurations of training runs and sweeps with absurd values, through `config.build` and the run's identity."""

import dataclasses
import json
import math
import random
from pathlib import Path
from typing import Any

from ie_scaling.running import config as config_lib
from ie_scaling.train.config import TrainConfig
from ie_scaling.train.run_identity import RunIdentity
from ie_scaling.train.sweep_config import SweepConfig
from tests.fuzz.harness import CANARY, Case

SHAPE = "d24-n2-h2-k1-c10-f37-v1024"
CODE = f"__import__('os').environ.__setitem__('{CANARY}','1')"
VALUES = (
    *(None, True, False, [], {}, [1], {"a": 1}, "", "x", "nan", "inf", "None", "1.5B", "20N", "../..", "/", "a\nb"),
    *(0, 1, -1, 2, 7, 2**31, 2**32, 2**63, 2**64, 10**30, 10**310, 10**400, -(10**30)),
    *(0.0, -0.0, 0.5, -1.5, 1e-320, 1e300, math.nan, math.inf, -math.inf),
    *(
        "\0",
        "x" * 300,
        "x" * 100_000,
        "é",
        "\u2028",
        "😀" * 60,
        "\ud800",
        CODE,
        "a@1",
        "a@nan",
        "a@-1",
        "@1",
        "h:99999",
    ),
)
TOKENS = (
    *("500000", "250k", "1.5B", "20N", "1e6", "3e10", "0", "-5", "1.5", "nan", "9" * 30, "9" * 400, "9" * 5000, "٣٤٥"),
    *("", "1e999", "1e-3", "20n", "N", "0N", "1_000_000", "0x10", "1e999N", "many", "500 000"),
)
SEEDS = ("", "-s0", "-s7", "-s", "-s-1", "-s1.5", f"-s{2**32}", "-s" + "9" * 400, "-sx", "-s0-s1")
FIELDS = (
    *("optimizer.learning_rate", "batch_size", "sequence_length", "source", "optimizer", "corpus.text", "dtype"),
    *("mixture", "corpus", "optimizer.rate", "optimizer.learning_rate.x", "", ".", "..", "__class__", "x"),
)
TEXTS = (
    *("1", "nan", "1e400", "-4", "9**9**9", "wsd", "[1,2]", "{}", "(" * 300, "None", "'a'", "../../x", "/etc/x", CODE),
)
SHAPES = (SHAPE, SHAPE, SHAPE, "d24", "", "llama-3.2-1b", "../x.json", SHAPE.replace("24", "9" * 400), CODE)


def draw(rng: random.Random, folder: Path) -> Case:
    """A run or a sweep with one to three absurd values."""
    if rng.random() < 0.5:
        run = _run(rng)
        return Case(f"run {run[:80]!r}", lambda: _use(SweepConfig, {"runs": [run]}))
    cls = rng.choice((TrainConfig, SweepConfig))
    values: dict[str, Any] = {"runs": [f"{SHAPE}@500000"]} if cls is SweepConfig else {}
    paths = [_set(rng, cls, values) for _ in range(rng.randrange(1, 4))]
    return Case(f"{cls.__name__} {', '.join(paths)}", lambda: _use(cls, values))


def _use(cls: type, values: dict[str, Any]) -> None:
    """What every verb does with its configuration before it begins: names, a JSON file, an identity."""
    config = config_lib.build(cls, values)
    for plan in config.plans if isinstance(config, SweepConfig) else (config,):
        assert 1 <= plan.n_steps < 2**31
        assert (Path("runs") / plan.run_id).resolve().is_relative_to(Path("runs").resolve())
        assert plan.run_id.isprintable()
        RunIdentity(plan.n_steps, "", "")
    json.dumps(config_lib.to_plain(config), allow_nan=False).encode()


def _run(rng: random.Random) -> str:
    overrides = "".join(f",{rng.choice(FIELDS)}={rng.choice(TEXTS)}" for _ in range(rng.choice((0, 0, 0, 1, 1, 2, 60))))
    run = f"{rng.choice(SHAPES)}@{rng.choice(TOKENS)}{rng.choice((*('',) * 5, *SEEDS))}{overrides}"
    return _mangled(rng, run) if rng.random() < 0.4 else run


def _mangled(rng: random.Random, run: str) -> str:
    at = rng.randrange(len(run) + 1)
    insert = rng.choice(("", "@", ",", "=", "-", "\n", "\0", " ", "é", "\u202e", "x" * 100_000, ",a=b" * 30_000, run))
    return run[:at] + insert + run[at + rng.randrange(2) :]


def _set(rng: random.Random, cls: type, values: dict[str, Any]) -> str:
    """Put an absurd value at a random field of `cls` or below it; its path."""
    field = rng.choice(dataclasses.fields(cls))
    name = field.name if rng.random() < 0.97 else rng.choice(("nruns", "__class__", "", "x" * 1000))
    default = field.default
    if dataclasses.is_dataclass(default) and rng.random() < 0.9:
        inner = values.setdefault(name, {})
        if isinstance(inner, dict):
            return f"{name[:20]}.{_set(rng, type(default), inner)}"
    values[name] = rng.choice(VALUES)
    return f"{name[:20]}={str(values[name])[:20] if not isinstance(values[name], int) else 'int'!r}"
