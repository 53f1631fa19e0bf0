"""Columns of the run table: their names, and the map from the column names of a user's table to them (no pandas)."""

import ast
import dataclasses
import difflib
import json
import math
import re
import warnings
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from ie_scaling.architecture import SHAPE_FIELDS
from ie_scaling.errors import InputError

TEXT_COLUMNS = ("source", "run_id", "model_id", "loss_split", "fit_set", "notes")
RUN_COLUMNS = (
    *("source", "run_id", "model_id"),
    *SHAPE_FIELDS,
    *("n_params_total", "n_params_non_embedding", "n_tokens", "loss", "loss_split", "fit_set", "notes"),
)
POSITIVE_RUN_COLUMNS = (*SHAPE_FIELDS, "n_params_total", "n_params_non_embedding", "n_tokens", "loss")
OPTIONAL_NUMBERS = ("training_flops", "loss_optimal", "n_steps", "batch_size", "sequence_length")
NUMBER_COLUMNS = (*POSITIVE_RUN_COLUMNS, *OPTIONAL_NUMBERS)
NAMES = (*RUN_COLUMNS, *OPTIONAL_NUMBERS, "tied_embeddings")
MAX_MAP_CHARACTERS = 10_000
SHORT_FORM = re.compile(r"\s*([0-9.]+(?:[eE][+-]?[0-9]+)?)\s*\*\s*(\S.*?)\s*")

# What other tables call these columns, in lower case with letters and digits alone: for suggestions, never assumed.
OTHER_NAMES = {
    "n_params_total": ("n", "params", "nparams", "numparams", "parameters", "modelsize", "modelparams", "totalparams"),
    "n_tokens": ("d", "tokens", "ntokens", "numtokens", "traintokens", "trainingtokens", "tokensseen", "totaltokens"),
    "loss": ("l", "valloss", "evalloss", "validationloss", "finalloss", "trainloss", "testloss", "nll", "lmloss"),
    "training_flops": ("c", "flops", "nflops", "compute", "trainflops", "totalflops"),
}
UNITS = {"k": 1e3, "thousand": 1e3, "thousands": 1e3, "m": 1e6, "million": 1e6, "millions": 1e6}
UNITS |= {
    "b": 1e9,
    "bn": 1e9,
    "g": 1e9,
    "billion": 1e9,
    "billions": 1e9,
    "t": 1e12,
    "trillion": 1e12,
    "trillions": 1e12,
}


@dataclasses.dataclass(frozen=True)
class ColumnSource:
    """The column of a user's table that a column of the run table is read from, and its factor."""

    column: str
    scale: float = 1.0


ColumnMap = dict[str, tuple[ColumnSource, ...]]  # by our name; of several sources the first that the table has counts


def canonical(value: str | Mapping[str, Any]) -> str:
    """A map of columns as sorted JSON, "" for none: equal maps are equal texts.

    Raises:
      InputError: as `parse`.
    """
    entries = _entries(value)
    _parse(entries)
    return json.dumps(entries, ensure_ascii=False, sort_keys=True) if entries else ""


def parse(value: str | Mapping[str, Any]) -> ColumnMap:
    """The map {our name: source}; a source is 'COLUMN', 'FACTOR * COLUMN' or {'column': 'COLUMN', 'scale': FACTOR}.

    Raises:
      InputError: one line that names the entry and the rule it breaks.
    """
    return _parse(_entries(value))


def _parse(entries: dict[str, Any]) -> ColumnMap:
    columns = {}
    for name, source in entries.items():
        _check_name(name, source)
        columns[name] = _sources(name, source)
    _check_shared(columns)
    return columns


def resolve(
    columns: ColumnMap, header: Sequence[str], path: object, optional: Collection[str] = ()
) -> dict[str, ColumnSource]:
    """The one source of each mapped column in a table with this header.

    A column that is `optional`, as another table has its source, may have the run table's own name here.

    Raises:
      InputError: a column that is not there, or two that would have one name.
    """
    resolved = {}
    for name, sources in columns.items():
        source = next((source for source in sources if source.column in header), None)
        if source is None and name in optional and name in header:
            continue
        if source is None:
            wanted = sources[-1].column
            raise InputError(
                f"columns: {path} has no column {wanted!r} to read {name} from; it has {listed(header)}"
                f"{nearest(wanted, header)}"
            )
        resolved[name] = source
    used = {source.column for source in resolved.values()}
    for name, source in resolved.items():
        if name in header and name not in used:
            raise InputError(
                f"columns: {path} has a column {name!r} of its own beside {source.column!r}, which is to be {name}; "
                "rename or delete one of them in the table"
            )
    return resolved


def suggest(missing: Iterable[str], header: Sequence[str]) -> str:
    """The map of columns that names like those of the header make likely; "" where none does."""
    likely = {}
    for name in missing:
        for column in header:
            plain, factor = _plain(column)
            if plain in OTHER_NAMES.get(name, ()) or plain == name.replace("_", ""):
                likely.setdefault(name, column if factor == 1 else f"{factor:.0e} * {column}".replace("e+0", "e"))
    return as_flag(likely) if likely else ""


def _plain(column: str) -> tuple[str, float]:
    """A column's name without punctuation, group (summary.loss, val/loss) and unit (N (M), loss [nats]); the unit."""
    name, _, unit = re.sub(r"[\[{]", "(", column.lower()).partition("(")
    factor = UNITS.get(re.sub(r"[^a-z]", "", unit), 1.0)
    whole = re.sub(r"[^a-z0-9]", "", name)
    last = re.sub(r"[^a-z0-9]", "", re.split(r"[./]", name.strip())[-1])
    known = {other for others in OTHER_NAMES.values() for other in others}
    return (whole if whole in known or len(last) < 4 else last), factor


def scaled(source: ColumnSource, factor: float = 1.0) -> str:
    """A source, `factor` times as large, in the short form that a map may hold."""
    return f"{source.scale * factor:g} * {source.column}".replace("e+0", "e").replace("e+", "e")


def as_flag(entries: Mapping[str, str]) -> str:
    """A map of columns as the command line takes it."""
    return f"--config.columns={json.dumps(str(dict(entries)), ensure_ascii=False)}"


def nearest(name: str, names: Iterable[str]) -> str:
    """The nearest of some names as the end of a message; "" where none is near."""
    lower = {str(other).lower(): str(other) for other in names}
    near = difflib.get_close_matches(name.lower(), lower, n=1)
    return f"; did you mean {lower[near[0]]!r}?" if near else ""


def listed(names: Iterable[str], limit: int = 20) -> str:
    """Names with commas between them, long ones and long lists cut."""
    every = [short(str(name), 40) for name in names]
    more = f" and {len(every) - limit} more" if len(every) > limit else ""
    return (", ".join(every[:limit]) or "no columns") + more


def short(text: str, limit: int = 80) -> str:
    """A text of one line, cut in the middle where it is long."""
    text = " ".join(text.split())
    return text if len(text) <= limit else f"{text[: limit // 2]}…{text[-limit // 4 :]}"


def _entries(value: Any) -> dict[str, Any]:
    """The mapping that a flag holds as Python or JSON, or a config file as a mapping."""
    if isinstance(value, Mapping):
        return {key: dict(entry) if isinstance(entry, Mapping) else entry for key, entry in value.items()}
    if not isinstance(value, str):
        raise InputError(f"columns={short(repr(value))}: must be a mapping such as {{'n_tokens': 'D'}}")
    if not value.strip():
        return {}
    if len(value) > MAX_MAP_CHARACTERS:
        raise InputError(f"columns: has {len(value)} characters; at most {MAX_MAP_CHARACTERS} are read")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an odd escape sequence is no concern of the command line
            tree = ast.parse(value.strip(), mode="eval").body
            entries = ast.literal_eval(tree)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        entries = None
    if not isinstance(entries, dict):
        raise InputError(f"columns={short(value)!r}: must be a mapping such as {{'n_tokens': 'D'}}")
    keys = [key.value for key in getattr(tree, "keys", []) if isinstance(key, ast.Constant)]
    if twice := [key for key in keys if keys.count(key) > 1]:
        raise InputError(f"columns: {short(str(twice[0]))!r} is mapped twice")
    return entries


def _check_name(name: Any, source: Any) -> None:
    if name in NAMES:
        return
    if not isinstance(name, str):
        raise InputError(f"columns: {short(repr(name))} must be the name of a column of the run table")
    if isinstance(source, str) and source in NAMES:
        raise InputError(f"columns: write the run table's name first: {{{source!r}: {short(name)!r}}}")
    likely = next((ours for ours, others in OTHER_NAMES.items() if name.lower() in others), "")
    hint = f"; did you mean {likely!r}?" if likely else nearest(name, NAMES)
    raise InputError(f"columns: {short(name)!r} is no column of the run table{hint}; known are {listed(NAMES, 40)}")


def _sources(name: str, value: Any) -> tuple[ColumnSource, ...]:
    """What an entry may mean: a column of that very name, or FACTOR * COLUMN."""
    if isinstance(value, str) and value.strip():
        sources = [ColumnSource(value.strip())]
        if match := SHORT_FORM.fullmatch(value):
            sources.append(ColumnSource(match[2], _scale(name, match[1])))
    elif isinstance(value, dict) and {"column"} <= set(value) <= {"column", "scale"} and _is_name(value["column"]):
        sources = [ColumnSource(value["column"].strip(), _scale(name, value.get("scale", 1.0)))]
    else:
        raise InputError(
            f"columns: {name}={short(repr(value))} must be 'COLUMN', 'FACTOR * COLUMN' or "
            "{'column': 'COLUMN', 'scale': FACTOR}"
        )
    if name not in NUMBER_COLUMNS and sources[-1].scale != 1:
        raise InputError(f"columns: {name} is text and has no scale")
    return tuple(sources)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _scale(name: str, value: Any) -> float:
    try:
        scale = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        scale = math.nan
    if not 0 < scale < math.inf:
        raise InputError(f"columns: {name}: scale {short(repr(value))} must be a finite number above zero")
    return scale


def _check_shared(columns: ColumnMap) -> None:
    """Two numbers of one column and one factor are the same number twice: refused as a slip."""
    seen: dict[ColumnSource, str] = {}
    for name in (name for name in columns if name in NUMBER_COLUMNS):
        if (other := seen.setdefault(columns[name][-1], name)) != name:
            raise InputError(f"columns: {other} and {name} are both read from {columns[name][-1].column!r}")
