"""Damaged latency tables: cells, rows, columns, percentiles, units, bytes; read by `select` and by the latency law."""

import pathlib
import random
from collections.abc import Callable

import pandas as pd

from ie_scaling.architecture import Architecture
from ie_scaling.latency_law import table as law_table
from ie_scaling.latency_law import timed_rows
from ie_scaling.search.candidate_latency import MeasuredLatency
from ie_scaling.tables import cells, latency_checks, latency_spread, latency_table, shape_table
from ie_scaling.tables.latency_metric import TIMES, LatencyMetric
from tests.fuzz.harness import Case

Rows = list[dict]
JUNK = (
    "",
    " ",
    "nan",
    "NaN",
    "inf",
    "-inf",
    "-1",
    "0",
    "-0",
    "1e400",
    "1e-400",
    "9" * 400,
    "1,5",
    "1_000",
    "0x10",
    "true",
)
JUNK += (
    "None",
    "null",
    "NA",
    "--",
    "1.5.2",
    "１２",
    "٣",
    "\u200b1",
    "=1+1",
    "1e",
    "9007199254740993",
    "1.5",
    "a" * 5000,
)
JUNK += ("a" * 5000, "os.system('x')", "[1]", "{}", "\x001", "1\t2", "5 ms", "<NA>", "#REF!", "True", "Infinity", "½")
NUMBERS = tuple(name for name in latency_table.LATENCY_COLUMNS if name not in latency_table.TEXT_LATENCY_COLUMNS)


def rows(rng: random.Random) -> Rows:
    """A table of 3 to 8 rows whose cells agree."""
    made = []
    for number in range(rng.randint(3, 8)):
        kv_heads = rng.choice((1, 2, 4))
        shape = Architecture(
            **{"d_model": 32 * rng.randint(1, 8), "n_layers": rng.randint(1, 12), "n_heads": 4, "n_kv_heads": kv_heads},
            **{"d_head": 16, "d_ff": 96 * rng.randint(1, 6), "vocab_size": 512 + number},
            tied_embeddings=rng.random() < 0.5,
        )
        steps, batch = rng.randint(2, 64), rng.choice((1, 4))
        timed = {"ttft_s": rng.uniform(1e-4, 1e-2), "tpot_s": rng.uniform(1e-4, 1e-3)}
        timed["e2e_s"] = timed["ttft_s"] + (steps - 1) * timed["tpot_s"]
        timed["tokens_per_s"] = batch * steps / timed["e2e_s"]
        reach = 1 + rng.uniform(0.01, 0.2)
        tails = (("", 1.0), ("_p10", 1 / reach), ("_p90", reach), ("_p99", reach**2))
        measured = {name + tail: value * factor for name, value in timed.items() for tail, factor in tails}
        measured |= {"device_kind": "cpu", "n_devices": 1, "dtype": "float32", "batch": batch, "prompt_tokens": 16}
        measured |= {"new_tokens": steps, "mode": "loop", "compile_s": 1.0, "count": rng.randint(1, 40)}
        measured |= {"floor_s": timed["tpot_s"] / 2, "ceiling_bytes_per_s": 1e10, "ceiling_flops_per_s": 1e11}
        made.append(latency_table.latency_record(shape, **measured))
    return made


def junk_cell(rng: random.Random, table: Rows) -> tuple[str, str]:
    row, column, value = rng.choice(table), rng.choice(list(table[0])), rng.choice(JUNK)
    row[column] = value
    return f"{column} = {value[:20]!r}", ""


def junk_number(rng: random.Random, table: Rows) -> tuple[str, str]:
    row, column, value = rng.choice(table), rng.choice(NUMBERS), rng.choice(JUNK)
    row[column] = value
    return f"{column} = {value[:20]!r}", ""


def boolean(rng: random.Random, table: Rows) -> tuple[str, str]:
    words = ("1", "yes", "WAHR", "FALSCH", "2", "maybe", "", "T", "oui", "ja", "on", "0.5", "TRUE ", "vrai", "-1")
    word, column = rng.choice(words), rng.choice(shape_table.FLAGS)
    rng.choice(table)[column] = word
    return f"{column} = {word!r}", "" if word.strip().lower() in shape_table.TRUE | shape_table.FALSE else "no boolean"


def swap_percentiles(rng: random.Random, table: Rows) -> tuple[str, str]:
    row, metric = rng.choice(table), rng.choice(list(LatencyMetric))
    first, second = rng.sample(("", "_p10", "_p90", "_p99"), 2)
    row[metric + first], row[metric + second] = row[metric + second], row[metric + first]
    return f"{metric}{first} and {metric}{second} swapped", "percentiles are out of order"


def blank_percentiles(rng: random.Random, table: Rows) -> tuple[str, str]:
    for row in rng.sample(table, rng.randint(1, len(table))):
        for name in rng.sample(latency_table.PERCENTILES, rng.randint(1, len(latency_table.PERCENTILES))):
            row[name] = ""
    return "blank percentiles", ""


def one_value(rng: random.Random, table: Rows) -> tuple[str, str]:
    for row in rng.sample(table, rng.randint(1, len(table))):
        row["count"] = rng.choice((1, 2, 10**9))
        for name in latency_table.PERCENTILES:
            row[name] = row[name.rsplit("_p", 1)[0]]
    return "no spread", ""


def contradiction(rng: random.Random, table: Rows) -> tuple[str, str]:
    row, metric = rng.choice(table), rng.choice(list(LatencyMetric))
    factor = rng.choice((1e-6, 1e-3, 0.01, 100.0, 1e3, 1e6))
    for name in row:
        if name.startswith(metric):
            row[name] *= factor
    return f"{metric} times {factor:g} in one row", "its cells contradict one another"


def other_name(rng: random.Random, table: Rows) -> tuple[str, str]:
    row = rng.choice(table)
    changes = (("-v", "-v9"), ("d", "d1"), ("-n", "-n2"), ("-f", "-f1"), ("-c", "-c2"), ("-h", "-h3"))
    row["architecture"] = row["architecture"].replace(*rng.choice(changes), 1)
    return f"named {row['architecture']}", "its name is another shape's"


def other_shape(rng: random.Random, table: Rows) -> tuple[str, str]:
    row, field = rng.choice(table), rng.choice(latency_table.WHOLE_LATENCY_COLUMNS[:7])
    row[field] = row[field] + rng.choice((1, 2, -1, 0.5, 2**53, 10**400))
    return f"{field} = {str(row[field])[:20]}", "its name is another shape's"


def milliseconds(rng: random.Random, table: Rows) -> tuple[str, str]:
    some = rng.sample(table, rng.randint(1, len(table)))
    for row in some:
        for name in row:
            if name.startswith(TIMES):
                row[name] *= 1e3
    return f"{len(some)} rows in milliseconds", "milliseconds" if len(some) < len(table) else ""


def impossible_workload(rng: random.Random, table: Rows) -> tuple[str, str]:
    row = rng.choice(table)
    column = rng.choice(("batch", "new_tokens", "prompt_tokens", "n_devices", "count"))
    row[column] = rng.choice((0, -1, 1.5, 2**53, 2**70, 1e300, "", "many"))
    return f"{column} = {row[column]!r}", "it is no workload"


def odd_kind(rng: random.Random, table: Rows) -> tuple[str, str]:
    column = rng.choice(latency_table.TEXT_LATENCY_COLUMNS)
    rng.choice(table)[column] = rng.choice(JUNK)
    return f"odd {column}", ""


def extra_columns(rng: random.Random, table: Rows) -> tuple[str, str]:
    name = rng.choice(
        ("session", "cache_room", "temperature", "n_note", "table", "table_row", "step_bytes", "shape_index")
    )
    for row in table:
        row[name] = rng.choice(JUNK) if rng.random() < 0.5 else rng.randint(0, 9)
    return f"a column {name}", ""


def no_column(rng: random.Random, table: Rows) -> tuple[str, str]:
    name = rng.choice(latency_table.LATENCY_COLUMNS)
    for row in table:
        del row[name]
    return f"without {name}", "a column is missing"


def same_name(rng: random.Random, table: Rows) -> tuple[str, str]:
    for row in table:
        row["architecture"] = "mine"
    return "one name for all shapes", "a name is of several shapes" if len(
        {str(r["vocab_size"]) for r in table}
    ) > 1 else ""


def twice(rng: random.Random, table: Rows) -> tuple[str, str]:
    table.append(dict(rng.choice(table)))
    return "a row twice", ""


CHANGES: tuple[Callable[[random.Random, Rows], tuple[str, str]], ...] = (
    *(junk_cell, junk_number, boolean, swap_percentiles, blank_percentiles, one_value, contradiction, other_name),
    *(other_shape, milliseconds, impossible_workload, odd_kind, extra_columns, no_column, same_name, twice),
)


def damage_bytes(rng: random.Random, path: pathlib.Path) -> str:
    """Damage of the file itself, in a quarter of the cases."""
    data = bytearray(path.read_bytes())
    kind = rng.choice(("none",) * 9 + ("cut", "flip", "comma", "line", "nul", "crlf"))
    place = rng.randrange(len(data))
    if kind == "cut":
        del data[place:]
    elif kind == "flip":
        data[place] ^= 1 << rng.randrange(8)
    elif kind == "nul":
        data[place:place] = b"\x00"
    elif kind == "comma":
        data[place:place] = b","
    elif kind == "line":
        data[place:place] = b"\n"
    elif kind == "crlf":
        data = data.replace(b"\n", b"\r\n")
    path.write_bytes(data)
    return "" if kind == "none" else f", {kind} at byte {place}"


def draw(rng: random.Random, folder: pathlib.Path) -> Case:
    """A table with one or two of CHANGES and perhaps damaged bytes, read as `select` or `fit_latency` do."""
    table = rows(rng)
    said = []
    for change in sorted(rng.sample(CHANGES, rng.choice((1, 1, 2))), key=lambda change: change is no_column):
        try:
            said.append(change(rng, table))
        except (TypeError, KeyError, AttributeError):  # the first change left nothing for the second
            continue
    path = folder / rng.choice(("latency.csv", "latency.csv", "latency.csv", "latency.parquet"))
    try:
        cells.write_table(path, pd.DataFrame(table, dtype=object))
    except Exception:  # Parquet has no such mixture of types
        path = folder / "latency.csv"
        pd.DataFrame(table, dtype=object).to_csv(path, index=False)
    for leftover in folder.iterdir():
        if leftover != path:
            leftover.unlink()
    description = ", ".join(words for words, _ in said) + damage_bytes(rng, path)
    nonsense = next((label for _, label in said if label), "")
    metric = rng.choice(TIMES)
    if rng.random() < 0.5:
        return Case(f"law: {description}", lambda: read_as_law(path), nonsense)
    return Case(f"select, {metric}: {description}", lambda: read_as_select(path, metric), nonsense)


def read_as_select(path: pathlib.Path, metric: str) -> None:
    """What `select` does with a table; certainty of a latency is a fault."""
    frame = latency_table.read_latency(path)
    said = latency_checks.remarks(frame, path.name) + latency_spread.remarks(frame, metric, path.name)
    assert all("\n" not in remark for remark in said)
    known = frame[frame[metric].notna()]
    if known.empty:
        return
    measured = MeasuredLatency.from_table(known, metric)
    for factor in (0.98, 1.02):
        within = measured.p_within(factor * float(measured.median_A[0]))[0]
        assert 0 < within < 1 or measured.count_A[0] > 20, f"certain: {within}"


def read_as_law(path: pathlib.Path) -> None:
    """What `fit_latency` does with a table."""
    frame = law_table.read(str(path))
    law_table.remarks(frame)
    timed_rows.rows_of(frame)
