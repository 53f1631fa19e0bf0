"""Row filters drawn from a grammar, damaged, and written as attacks: the rows that pandas keeps, or one line.

Filters of the grammar are harmless, so pandas may run them: the same rows must come from it, and from a table of text
cells. An attack that is accepted, or that runs, is a fault; of damaged filters any outcome but these is allowed.
"""

import os
import random
import time
from pathlib import Path

import numpy as np
import pandas as pd

from ie_scaling.errors import InputError
from ie_scaling.tables import filters
from tests.fuzz.harness import CANARY, Case

NUMERIC = ("n_params_total", "n_tokens", "loss", "`val/loss`", "n_layers")
TEXTUAL = ("state", "notes", "`my notes`")
WORDS = ("finished", "crashed", "fin", "a.b", "x|y", "", "lr=0.1", "FIN", "ed$", "^c", "7")
SECONDS = 5
SET = f"environ.__setitem__('{CANARY}', '1')"
ATTACKS = (
    f"@pd.io.common.os.{SET} == None",
    f"loss > 0 and @pd.io.common.os.{SET} is None",
    f"__import__('os').{SET} == None",
    f"[__import__('os').{SET}][0] == None",
    f"(lambda: __import__('os').{SET})() == None",
    f"[x for x in [__import__('os').{SET}]] == None",
    f"(x := __import__('os').{SET}) == None",
    f"f'{{__import__(\"os\").{SET}}}' == 'None'",
    f"abs(__import__('os').{SET}) == 1",
    f"loss.isin([__import__('os').{SET}])",
    f"loss in [__import__('os').{SET}]",
    f"loss.between(0, __import__('os').{SET})",
    f"state.str.contains(__import__('os').{SET})",
    f"loss.groupby(__import__('os').{SET}).transform('min') > 0",
    f"loss.groupby([state]).transform(lambda x: __import__('os').{SET}) > 0",
    f'exec("import os; os.{SET}") == None',
    f"eval(\"__import__('os').{SET}\") == None",
    f"`__import__('os').{SET}` == None",
    f"loss.map(__import__('os').{SET}) == 1",
    f"loss.pipe(__import__, 'os').{SET} == 1",
    f"().__class__.__base__.__subclasses__()[0].{SET} == 1",
    f"loss.__class__.__init__.__globals__['os'].{SET} == 1",
    f"loss.str.__class__.mro()[0].{SET} == 1",
    f"state.str.contains(pat=__import__('os').{SET}, **{{}})",
    f"True if __import__('os').{SET} else False",
    f"not __import__('os').{SET}",
    f"loss[__import__('os').{SET}] > 1",
    f"{{'a': __import__('os').{SET}}} == loss",
    "loss.to_csv('FOLDER/made')",
    "loss.to_pickle('FOLDER/made') or loss > 0",
    "state.str.to_csv('FOLDER/made')",
    "loss.values.tofile('FOLDER/made') == None",
    "loss > 0 or loss.to_json('FOLDER/made')",
    "open('FOLDER/made', 'w') == 1",
    "loss.transform('to_csv', 0, 'FOLDER/made') > 1",
    "loss.groupby(state).transform('to_csv') > 1",
    "loss.groupby(state).apply('to_csv') > 1",
    "loss.agg('to_csv') > 1",
)
BOMBS = (
    *("9**9**9 > loss", "loss ** 9999 > 1", "10**400 > loss", "2**2**2**2**2**2 > loss", "1e308 * 1e308 > loss"),
    *("'a' * 10**9 == state", "state * 10**9 == 'a'", "[0] * 10**9 == loss", "loss << 10**9 > 1", "loss // 0 > 1 / 0"),
    *("state.str.contains('(a+)+$')", "state.str.contains('((a{999}){999}){999}')", "state.str.contains('(.*)*x')"),
    *("state.str.contains('" + "(a|a)*" * 200 + "$')", "state.str.contains('" + "(" * 900 + "')"),
)
PIECES = (
    *(
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "'",
        '"',
        "`",
        "@",
        "#",
        "\\",
        "\n",
        "\0",
        ";",
        ":",
        ",",
        ".",
        "=",
        "==",
        ":=",
        "~",
        "&",
    ),
    *(
        "|",
        "not ",
        " and ",
        " or ",
        " in ",
        " is ",
        "lambda:",
        "*",
        "**",
        "%",
        "//",
        "-",
        "1e999",
        "0x1F",
        "1_0",
        "9" * 99,
    ),
    *(
        "None",
        "True",
        "str",
        ".str",
        ".str.contains",
        "loss",
        "state",
        "é",
        "∞",
        "x\u0301",
        "\u202e",
        "\ud800",
        "f'",
        "b'",
    ),
)


def draw(rng: random.Random, folder: Path) -> Case:
    """One filter on one table."""
    typed = _table(rng)
    text = typed.astype(object).where(typed.notna(), rng.choice(("", "nan"))).astype(str)
    kind = rng.choice(("grammar", "grammar", "damaged", "attack", "bomb", "long"))
    if kind == "grammar":
        where = _condition(rng, 3)
        return Case(f"grammar {where}", lambda: _same_as_pandas(typed, text, where))
    where = {
        "damaged": lambda: _damaged(rng, _condition(rng, 2)),
        "attack": lambda: _wrapped(rng, rng.choice(ATTACKS).replace("FOLDER", str(folder))),
        "bomb": lambda: _wrapped(rng, rng.choice(BOMBS)),
        "long": lambda: _long(rng),
    }[kind]()
    frame = rng.choice((typed, text, text.assign(state="a" * 3000)))
    return Case(f"{kind} {where[:200]!r}", lambda: _harmless(frame, where, is_attack=kind == "attack"))


def _table(rng: random.Random) -> pd.DataFrame:
    n_rows = rng.randint(1, 12)
    numbers = {
        name.strip("`"): [rng.choice((1.5, 2.0, 3.25, 7.0, 8.0, np.nan)) for _ in range(n_rows)] for name in NUMERIC
    }
    texts = {name.strip("`"): [rng.choice((*WORDS[:-1], "other")) for _ in range(n_rows)] for name in TEXTUAL}
    return pd.DataFrame(numbers | {name: [*cells[:-1], "text"] for name, cells in texts.items()})


def _number(rng: random.Random, depth: int) -> str:
    if depth == 0 or rng.random() < 0.4:
        return rng.choice((*NUMERIC, "2", "1.5", "-3", "7", "1e3", ".5"))
    a, b = _number(rng, depth - 1), _number(rng, depth - 1)
    return rng.choice(
        (
            f"({a} {rng.choice('+-*')} {b})",
            f"({rng.choice(NUMERIC)} {rng.choice(('/', '%', '//'))} {rng.choice((2, 3.5))})",
            f"({rng.choice(NUMERIC)} ** {rng.choice((2, 0.5, 3))})",
            f"abs({rng.choice(NUMERIC)} - {b})",
            f"(-{rng.choice(NUMERIC)})",
            f"{rng.choice(NUMERIC)}.abs()",
            f"{rng.choice(NUMERIC)}.groupby({rng.choice(NUMERIC)}).transform({rng.choice(('min', 'max', 'mean'))!r})",
        )
    )


def _condition(rng: random.Random, depth: int) -> str:
    """A filter that says something of each row, in a spelling that pandas reads alike."""
    if depth > 0 and rng.random() < 0.5:
        a, b = _condition(rng, depth - 1), _condition(rng, depth - 1)
        return rng.choice(
            (f"({a}) and ({b})", f"({a}) or ({b})", f"not ({a})", f"({a}) & ({b})", f"({a}) | ({b})", f"~({a})")
        )
    column, text, word = rng.choice(NUMERIC), rng.choice(TEXTUAL), rng.choice(WORDS[:-1])
    symbol = rng.choice(("==", "!=", "<", "<=", ">", ">="))
    return rng.choice(
        (
            f"{column} {symbol} {_number(rng, 2)}",
            f"{_number(rng, 2)} {symbol} {column}",
            f"{rng.randint(0, 3)} < {column} <= {rng.randint(2, 9)}",
            f"{column} {rng.choice(('in', 'not in'))} [2, 7, 1.5]",
            f"{column} > 2 & {rng.choice(NUMERIC)} < 8 | {rng.choice(NUMERIC)} == 7",
            f"{column}.isin([2, 7])",
            f"{column}.between(2, 7{rng.choice(('', ', inclusive=' + repr('left')))})",
            f"{column}.{rng.choice(('isna', 'isnull', 'notna', 'notnull'))}()",
            f"{text} {symbol} {word!r}",
            f"{text} {rng.choice(('in', 'not in'))} ['finished', 'a.b']",
            f"{text}.str.{rng.choice(('startswith', 'endswith'))}({word!r})",
            f"{text}.str.contains({word!r}, regex={rng.choice((True, False))})",
            f"{text}.str.{rng.choice(('lower', 'upper'))}() == {word!r}",
        )
    )


def _same_as_pandas(typed: pd.DataFrame, text: pd.DataFrame, where: str) -> None:
    """The rows that pandas keeps, also of text cells; no row is refused."""
    with np.errstate(all="ignore"):
        expected = typed[typed.eval(where, engine="python").astype(bool)].index.tolist()
    for frame in (typed, text):
        kept = _kept(frame, where)
        assert kept == expected, f"kept {kept}, not {expected}"
    if not expected:
        raise InputError("keeps no row")


def _kept(frame: pd.DataFrame, where: str) -> list[int] | str:
    try:
        return filters.filter_rows(frame, where).index.tolist()
    except InputError as error:
        return [] if "keeps no row" in str(error) else str(error)


def _harmless(frame: pd.DataFrame, where: str, is_attack: bool) -> None:
    started = time.monotonic()
    try:
        kept = filters.filter_rows(frame, where)
        assert not is_attack, "an attack was accepted"
        assert kept.equals(frame.loc[kept.index]), "other rows"
    finally:
        assert time.monotonic() - started < SECONDS, "it hung"
        assert not os.environ.get(CANARY), "it ran"


def _damaged(rng: random.Random, where: str) -> str:
    for _ in range(rng.randint(1, 4)):
        at = rng.randint(0, len(where))
        where = where[:at] + rng.choice((*PIECES, "")) + where[at + rng.choice((0, 0, 1, 5)) :]
    return where


def _wrapped(rng: random.Random, where: str) -> str:
    return rng.choice(
        ("{}", "({})", "not ({})", "loss > 0 or {}", "{} or loss > 0", "~({})", "loss > 9e9 and ({})")
    ).replace("{}", where, 1)


def _long(rng: random.Random) -> str:
    """Long, deep, or both."""
    n = rng.choice((100, 900, 100_000))
    piece = rng.choice(
        ("not ", "-", "~", "(", "[", "loss.", "loss > ", "abs(", "loss and ", "1+", "'a' ", "loss[", "lambda:")
    )
    return rng.choice(
        (piece * n + "loss > 1", piece * n, "loss > 1" + " or loss > 1" * n, "(" * n + "loss > 1" + ")" * n)
    )
