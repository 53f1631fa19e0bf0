"""Names of shapes and runs of a sweep, damaged: an Architecture that its own name gives again, or one line."""

import random
from collections.abc import Callable
from pathlib import Path

from ie_scaling.architecture import Architecture
from ie_scaling.shapes import lookup
from ie_scaling.train.sweep_config import SweepConfig
from tests.fuzz.harness import Case

SHAPE = "d512-n8-h8-k2-c64-f1536-v50432"
SIGNS = "abcdnhkcfv0123456789-.+eE@,=_ \n\t\0()[]{}'\"/\\\\~*%$é全\u202e\U0001f600"


def draw(rng: random.Random, folder: Path) -> Case:
    """A name with up to two kinds of damage, read as a shape or as the shape of a run."""
    name = rng.choice((SHAPE, f"{SHAPE}-tied-qknorm-rope500000", *lookup.PUBLIC_SHAPES, str(folder)))
    for _ in range(rng.randint(0, 2)):
        name = rng.choice(DAMAGES)(rng, name)
    if rng.random() < 0.5:
        return Case(f"shape {name[:200]!r}", lambda: _check(lookup.resolve(name)))
    tail = rng.choice(("@1000000", "@20N", "@1M-s3", "@", "@0", "@1e400", "@-5", "@" + "9" * 5000, "@1M,batch_size=4"))
    tail += rng.choice(("", "", ",", ",=", ",a=", ",optimizer.learning_rate=1e999", ",batch_size=" + "[" * 900))
    return Case(
        f"run {name[:200]!r}{tail[:80]}", lambda: [plan.run_id for plan in SweepConfig(runs=(name + tail,)).plans]
    )


def _check(a: Architecture) -> None:
    if Architecture.parse(a.name) != a:
        raise AssertionError(f"{a.name} is not read back")


def _at(rng: random.Random, name: str) -> int:
    return rng.randrange(len(name) + 1)


def _insert(rng: random.Random, name: str) -> str:
    at = _at(rng, name)
    return name[:at] + rng.choice(SIGNS) * rng.choice((1, 1, 2, 50)) + name[at:]


def _digits(rng: random.Random, name: str) -> str:
    digits = [at for at, sign in enumerate(name) if sign.isdigit()] or [0]
    at = rng.choice(digits)
    return name[:at] + rng.choice("123456789") * rng.choice((5, 11, 25, 400, 5000)) + name[at:]


def _cut(rng: random.Random, name: str) -> str:
    return name[: _at(rng, name)]


def _cut_start(rng: random.Random, name: str) -> str:
    return name[_at(rng, name) :]


def _remove(rng: random.Random, name: str) -> str:
    at = _at(rng, name)
    return name[:at] + name[at + 1 :]


def _swap_parts(rng: random.Random, name: str) -> str:
    parts = name.split("-")
    rng.shuffle(parts)
    return "-".join(parts)


def _zero(rng: random.Random, name: str) -> str:
    return "".join("0" if sign.isdigit() and rng.random() < 0.3 else sign for sign in name)


def _number(rng: random.Random, name: str) -> str:
    parts = name.split("-")
    index = rng.randrange(len(parts))
    number = rng.choice(
        ("0", "-1", "1.5", "nan", "inf", "1e3", "0x10", "٣", "2147483647", "2147483648", "", "+8", "007")
    )
    parts[index] = parts[index][:1] + number
    return "-".join(parts)


def _rope(rng: random.Random, name: str) -> str:
    return name + "-rope" + rng.choice(("1", "0", "1e999", "1..5", "e", "1e+", "1e5", "1e+05", "nan", "2.5", "9" * 400))


LONG: tuple[Callable[[str], str], ...] = (
    lambda name: name * 1000,
    lambda name: "x" * 100_000,
    lambda name: name + "/" * 2000,
    lambda name: "a/" * 400,
    lambda name: name + ".json",
    lambda name: name + "/config.json",
    lambda name: "../" * 20 + name,
    lambda name: name.upper(),
    lambda name: f" {name} ",
    lambda name: name.replace("-", "_"),
    lambda name: name[::-1],
    lambda name: "",
    lambda name: f"{name}{name}",
    lambda name: f"meta-llama/{name}",
)


def _whole(rng: random.Random, name: str) -> str:
    return rng.choice(LONG)(name)


DAMAGES = (_insert, _digits, _cut, _cut_start, _remove, _swap_parts, _zero, _number, _rope, _whole)
