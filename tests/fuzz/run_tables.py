"""Damaged run tables, maps of columns and filters, read as the verbs read them."""

import csv
import datetime
import decimal
import json
import math
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from experiments import fit
from ie_scaling.laws import reading
from ie_scaling.laws.observations import Observations
from ie_scaling.running import config
from tests.fuzz.harness import Case

NUMBERS = ("n_params_total", "n_params_non_embedding", "n_tokens", "loss", "training_flops", "d_model", "vocab_size")
OTHERS = ("N", "D", "L", "C", "tokens (B)", "val/loss", "1e9 * D", "n_comment", "", "état", "a\nb", "'", '"', "\\")
ODD = (
    *(
        "",
        " ",
        "nan",
        "NaN",
        "inf",
        "-inf",
        "1e400",
        "-1",
        "0",
        "-0.0",
        "1e-320",
        "1" * 310,
        "-" + "9" * 400,
        "9" * 5000,
    ),
    *("1,5", "1.000,5", "1_000", "0x10", "١٢", "1e5e5", "True", "None", "#DIV/0!", "=1+1", "<b>3</b>", "3 B", "1.5B"),
    *("9223372036854775808", "-5846744073709551616", "a\nb", '"', "'", "\\", "€", "\ufeff3", "x" * 100_000),
)
TYPES = (
    *([1.0, math.nan], [1, None], [True, False, None], [datetime.datetime(2024, 1, 1), None], [b"a"], [[1], [2, 3]]),
    *([{"a": 1}], [decimal.Decimal("1.5")], [None], ["a", None], [2**70 // 2**10], [-1], [math.inf]),
)
SCALES = (1e6, 1e9, 0, -1, 1e308, 1e-308, "1e9", None, True, [1], 10**400)


def draw(rng: random.Random, folder: Path) -> Case:
    """A small table of a known law with one to three kinds of damage, or a map or filter that does not fit it."""
    header, rows = _table(rng)
    width = len(header)
    done, columns, where = [], "", ""
    for damage in rng.choices(DAMAGES, k=rng.choice((1, 1, 1, 1, 2, 3))):
        done.append(damage.__name__.strip("_"))
        if damage is _map:
            columns = _map(rng, header)
        elif damage is _where:
            where = _where(rng, header)
        else:
            damage(rng, header, rows)
    path = _write(rng, folder, header, rows)
    names = str(path) if rng.random() < 0.95 else f"{path},{path}"
    description = f"{'+'.join(done)}, columns {columns[:80]}, where {where[:80]}"
    return Case(description, _call(rng, names, where, columns), _nonsense(done, header, rows, width))


def _nonsense(done: list[str], header: list[str], rows: list[list[str]], width: int) -> str:
    """Why the table should not be accepted, where that is plain."""
    if any(any(row) and len(row) != width for row in rows) and not {"drop", "shorter"} & {*done}:
        return "a row has another width than the header"
    if done == ["one_name"] and "model_id" not in header:
        return "runs of several sizes share one run_id"
    return "the table is a panel" if done == ["panel"] else ""


def _write(rng: random.Random, folder: Path, header: list[str], rows: list[list[str]]) -> Path:
    """As CSV, or as Parquet with one column of a type that few expect."""
    path = folder / "runs.csv"
    if rng.random() < 0.2 and len(set(header)) == len(header) and all(len(row) == len(header) for row in rows):
        path = folder / "runs.parquet"
        values = rng.choice(TYPES) * len(rows)
        frame = pd.DataFrame(rows, columns=header)
        frame[rng.choice((*header, "run_id", "model_id", "tied_embeddings"))] = values[: len(rows)]
        frame.to_parquet(path)
        return path
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def _call(rng: random.Random, names: str, where: str, columns: str) -> Callable[[], Observations]:
    """Reading, by itself or as `fit` does, and what must hold of whatever is accepted."""
    law, count = rng.choice(("chinchilla",) * 4 + ("effective",)), rng.choice(("", "", "total", "non_embedding"))
    holdout = rng.choice(("", "", "", "rest", "n_tokens > 2e10", names.split(",")[0]))
    is_fit = rng.random() < 0.5

    def call() -> Observations:
        if is_fit:
            values = {"runs": names, "where": where, "columns": columns, "holdout": holdout, "law": law, "count": count}
            rows = fit.load(config.build(fit.Config, values)).problem.rows
        else:
            rows = reading.read(names, where, columns)
        assert np.isfinite(rows.log_loss_R).all()
        assert (rows.features.n_tokens > 0).all()
        assert np.isfinite(rows.features.n_tokens).all()
        assert (rows.features.n_known > 0).all()
        assert np.isfinite(rows.features.n_known).all()
        small = (rows.features.n_known < 1e4).any() or (rows.features.n_tokens < 1e6).any()
        assert not small or rows.warnings, "small numbers without a warning"
        return rows

    return call


def _table(rng: random.Random) -> tuple[list[str], list[list[str]]]:
    header = ["run_id", "n_params_total", "n_tokens", "loss"]
    extra = rng.choice(((), ("model_id",), ("state",), ("d_model", "vocab_size"), ("training_flops",), ("n_comment",)))
    rows = []
    for index in range(rng.randint(3, 12)):
        n_params, n_tokens = 10 ** rng.uniform(7, 9), 10 ** rng.uniform(9, 11)
        loss = 1.7 + 480 / n_params**0.34 + 2085 / n_tokens**0.36
        values = {"model_id": f"m{index}", "state": "finished", "d_model": "512", "vocab_size": "32000"}
        values |= {"training_flops": repr(6 * n_params * n_tokens), "n_comment": "hello"}
        rows.append([f"r{index}", repr(n_params), repr(n_tokens), repr(loss), *(values[name] for name in extra)])
    return [*header, *extra], rows


def _cell(rng: random.Random, header: list[str], rows: list[list[str]]) -> None:
    row = rng.choice(rows)
    if row:
        row[rng.randrange(len(row))] = rng.choice(ODD)


def _column(rng: random.Random, header: list[str], rows: list[list[str]]) -> None:
    place, value = rng.randrange(len(header)), rng.choice(ODD)
    for row in rows:
        if place < len(row):
            row[place] = value


def _longer(rng: random.Random, header: list[str], rows: list[list[str]]) -> None:
    rng.choice(rows).append(rng.choice(ODD))


def _shorter(rng: random.Random, header: list[str], rows: list[list[str]]) -> None:
    row = rng.choice(rows)
    if row:
        row.pop(rng.randrange(len(row)))


def _rename(rng: random.Random, header: list[str], rows: list[list[str]]) -> None:
    header[rng.randrange(len(header))] = rng.choice((*OTHERS, *NUMBERS, "run_id"))


def _drop(rng: random.Random, header: list[str], rows: list[list[str]]) -> None:
    if len(header) > 1:
        place = rng.randrange(len(header))
        header.pop(place)
        for row in rows:
            if place < len(row):
                row.pop(place)


def _swap(rng: random.Random, header: list[str], rows: list[list[str]]) -> None:
    first, second = rng.randrange(len(header)), rng.randrange(len(header))
    header[first], header[second] = header[second], header[first]


def _scale(rng: random.Random, header: list[str], rows: list[list[str]]) -> None:
    place, factor = rng.randrange(len(header)), rng.choice((1e-9, 1e-6, 1e6, 1e300, -1.0))
    for row in rows:
        try:
            row[place] = repr(float(row[place]) * factor)
        except (ValueError, IndexError):
            continue


def _one_name(rng: random.Random, header: list[str], rows: list[list[str]]) -> None:
    for row in rows:
        if row:
            row[0] = "pretrain"


def _repeat(rng: random.Random, header: list[str], rows: list[list[str]]) -> None:
    row = list(rng.choice(rows))
    if rng.random() < 0.5 and row:
        row[-1] = rng.choice(ODD)
    rows.append(row)


def _empty(rng: random.Random, header: list[str], rows: list[list[str]]) -> None:
    del rows[rng.choice((0, 1, 2)) :]
    rows.append([""] * len(header))


def _crash(rng: random.Random, header: list[str], rows: list[list[str]]) -> None:
    row = rng.choice(rows)
    if len(row) > 3:
        row[3] = rng.choice(("NaN", "", "crashed"))
        row[-1] = "crashed"


def _panel(rng: random.Random, header: list[str], rows: list[list[str]]) -> None:
    header[1:] = [f"run{place} - train/loss" for place in range(1, len(header))]


def _negative_zero(rng: random.Random, header: list[str], rows: list[list[str]]) -> None:
    for row in rows:
        row[1:3] = ["-0.0"] * len(row[1:3])


def _map(rng: random.Random, header: list[str]) -> str:
    names = rng.choices((*NUMBERS, "run_id", "model_id", "notes", "n_token", "N", ""), k=rng.randint(1, 4))
    sources = [rng.choice((*header, *OTHERS)) for _ in names]
    entries: dict = {}
    for name, source in zip(names, sources, strict=True):
        wrap = {"column": source, "scale": rng.choice(SCALES)}
        entries[name] = rng.choice((source, source, f"{rng.choice(SCALES)} * {source}", wrap, 3, None, [source]))
    text = rng.choice((repr, json.dumps))(entries)
    return rng.choice((text, text, text, text[:-1], text.replace("'", ""), "__import__('os')", "{" * 3000, "[]", "{}"))


def _where(rng: random.Random, header: list[str]) -> str:
    name = rng.choice((*header, *OTHERS, *NUMBERS))
    return rng.choice(
        (
            f"{name} > 1e8",
            f"`{name}` > 0",
            f"{name} == 'finished'",
            f"{name}.notna()",
            f"{name} %",
            f"{name}",
            "loss < inf",
        )
    )


DAMAGES = (
    *(_cell, _cell, _column, _longer, _shorter, _rename, _drop, _swap, _scale, _one_name, _repeat, _empty, _crash),
    *(_panel, _negative_zero, _map, _map, _where),
)
