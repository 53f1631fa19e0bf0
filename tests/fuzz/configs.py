"""Configurations of every verb with fields set to absurd values, by value and as texts of a command line."""

import functools
import json
import pathlib
import random
import string
import typing
from typing import Any

from ie_scaling.errors import short
from ie_scaling.running import command, overrides
from ie_scaling.running import config as config_lib
from tests.fuzz.harness import Case

CONFIGS = pathlib.Path(__file__).resolve().parents[2] / "configs"
TEXTS = (
    *(
        "",
        " ",
        "None",
        "none",
        "nan",
        "inf",
        "-inf",
        "-1",
        "0",
        "-0",
        "1.5",
        "1e6",
        "1e-300",
        "1e300",
        "1e308",
        "1e309",
    ),
    *(
        "1.5B",
        "250k",
        "20N",
        "0N",
        "1e400N",
        "9" * 400,
        "-" + "9" * 400,
        "2e9999",
        "1_0",
        "0x10",
        "1e",
        "½",
        "٣",
        "1,5",
    ),
    *(
        str(2**31),
        str(2**32),
        str(2**53),
        str(2**63),
        str(2**64),
        str(10**30),
        "True",
        "maybe",
        "yes",
        "[]",
        "()",
        "{}",
    ),
    *("(1,", "('a'", "('a', 'b')", "a,b", "[1, [2]]", "{'a': 1}", "{'a': {'b': 1}}", "{1: 2}", "[" * 3000, "(" * 200),
    *(
        "\0",
        "\n",
        "a\nb",
        "../../x",
        "/dev/zero",
        "x" * 100_000,
        "\ud800",
        "é" * 300,
        "__import__('os')",
        "%s%n",
        "lambda: 0",
    ),
    *(
        "d8-n1-h1-k1-c8-f8-v8@1",
        "d" + "9" * 400 + "-n1",
        "llama-3.2-1b",
        "@",
        "a@1-s-1",
        "a@1,b=2",
        "x@1" + ",a=1" * 500,
    ),
)
VALUES = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        2,
        3,
        7,
        50,
        2**31,
        2**32,
        2**63,
        2**64,
        10**30,
        10**400,
        -(10**400),
        0.5,
        -0.5,
        1e300,
    ),
    *(
        float("nan"),
        float("inf"),
        float("-inf"),
        5e-324,
        1e-9,
        (),
        (1,),
        (0, 0),
        ("a",),
        ("a", "a"),
        (None,),
        ((1,),),
        [],
        {},
    ),
    *(
        {"a": 1},
        {1: 2},
        {"a": {"b": {}}},
        b"bytes",
        1j,
        object(),
        "",
        "x",
        "x" * 100_000,
        "\ud800",
        "\0",
        float,
        ("x",) * 5000,
    ),
)


@functools.cache
def presets() -> dict[str, tuple[type, dict[str, Any]]]:
    """The class and the plain values of each config file."""
    found = {}
    for path in sorted(CONFIGS.glob("*.py")):
        named = command.read(CONFIGS.parent, path.stem)
        found[path.stem] = (named.verb.Config, named.values)
    return found


def draw(rng: random.Random, folder: pathlib.Path) -> Case:
    """A preset with some fields spoiled, built as the command builds it."""
    name = rng.choice(sorted(presets()))
    cls, values = presets()[name]
    values, fields = _copied(values), sorted(overrides.leaves(cls))
    texts = [(_field(rng, fields), _text(rng, cls)) for _ in range(rng.randint(0, 2))]
    spoiled = [_spoil(rng, values) for _ in range(rng.randint(not texts, 2))]
    description = f"{name} {[(field, text[:40]) for field, text in texts]} {spoiled}"
    return Case(description, lambda: _build(cls, values, texts))


def _build(cls: type, values: dict[str, Any], texts: list[tuple[str, str]]) -> str:
    config = config_lib.build(cls, overrides.apply(cls, values, texts))
    return json.dumps(config_lib.to_plain(config), allow_nan=False)  # as config.json is written


def _field(rng: random.Random, fields: list[str]) -> str:
    field = rng.choice(fields)
    if rng.random() < 0.1:
        return rng.choice(
            (field + "x", field[1:], field + ".", "." + field, "", "a.b.c", field.upper(), field + ".size")
        )
    return field


def _text(rng: random.Random, cls: type) -> str:
    kind = rng.random()
    if kind < 0.7:
        return rng.choice(TEXTS)
    if kind < 0.85:
        return "".join(rng.choice(string.printable) for _ in range(rng.randint(1, 40)))
    entries = ", ".join(repr(rng.choice(TEXTS[:30])) for _ in range(rng.randint(0, 4)))
    return rng.choice((f"({entries})", f"[{entries},]", entries.replace("'", ""), f"{{{entries}}}"))


def _spoil(rng: random.Random, values: dict[str, Any]) -> str:
    """Set a value somewhere in the nested mapping, or add, rename or drop a field; says what was done."""
    place, names = values, []
    while True:
        names.append(rng.choice(sorted(place, key=str)))
        if not isinstance(place[names[-1]], dict) or not place[names[-1]] or rng.random() < 0.15:
            break
        place = place[names[-1]]
    name, how = names[-1], rng.random()
    if how < 0.04 and len(place) > 1:
        del place[name]
    elif how < 0.08:
        place[f"{name}{rng.choice(('_', '.', 's', ' '))}"] = place.pop(name)
    elif isinstance(place[name], int | float) and how < 0.5 and not isinstance(place[name], bool):
        place[name] = type(place[name])(rng.choice((-1, 0, 1e-12, 0.5, 1, 2, 1e3, 1e6, 1e12, 1e18, 1e25)))
    else:
        place[name] = rng.choice(VALUES)
    return f"{'.'.join(map(str, names))}={short(place.get(name))[:40]}"


def _copied(values: typing.Any) -> typing.Any:
    return {name: _copied(value) for name, value in values.items()} if isinstance(values, dict) else values
