"""Two folders of results compared file by file and field by field: equal, within 1e-9, differing, on one side only."""

import csv
import dataclasses
import fnmatch
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

TOLERANCE = 1e-9
EQUAL, CLOSE, DIFFERS, LEFT_ONLY, RIGHT_ONLY = "equal", "within 1e-9", "DIFFERS", "left only", "right only"
SKIPPED = ("*/environment.json", "*/inputs.json", "*/.lock", "*.png", "*/checkpoints/*")  # versions, hashes, states
TIMED = ("*/metrics.jsonl:*tokens_per_s", "*/metrics.jsonl:*memory_bytes", "*/*.json:*seconds")  # never the same twice
REVISION = re.compile(r"\b[0-9a-f]{12}\b")

Values = np.ndarray  # (n,) of floats or of strings
Fields = dict[str, Values]


@dataclasses.dataclass(frozen=True)
class Finding:
    """What the comparison says about one field of one file."""

    file: str
    field: str
    verdict: str
    detail: str = ""


def compare_folders(left: Path, right: Path) -> list[Finding]:
    """Compare every file below two folders by its path there, except names that match SKIPPED."""
    names = {folder: set(_names(folder)) for folder in (left, right)}
    findings = []
    for name in sorted(names[left] | names[right]):
        if name not in names[right]:
            findings.append(Finding(name, "*", LEFT_ONLY))
        elif name not in names[left]:
            findings.append(Finding(name, "*", RIGHT_ONLY))
        else:
            findings += compare_fields(name, read_fields(left / name), read_fields(right / name))
    return findings


def compare_fields(file: str, left: Fields, right: Fields) -> list[Finding]:
    """Compare the fields of one file, in the order of the left side; fields of the right alone come last."""
    findings = []
    for field in left | right:
        if _matches(f"/{file}:{field}", TIMED):
            continue
        if field not in right:
            findings.append(Finding(file, field, LEFT_ONLY))
        elif field not in left:
            findings.append(Finding(file, field, RIGHT_ONLY))
        else:
            findings.append(Finding(file, field, *compare_values(left[field], right[field])))
    return findings


def compare_values(left: Values, right: Values) -> tuple[str, str]:
    """The verdict on two arrays of values, and where they differ by how much.

    Differences are relative to the larger magnitude; two NaNs are equal.
    """
    if len(left) != len(right):
        return DIFFERS, f"{len(left)} values against {len(right)}"
    if left.dtype.kind != "f" or right.dtype.kind != "f":
        left, right = left.astype(str), right.astype(str)
        unequal = np.flatnonzero(left != right)
        if not unequal.size:
            return EQUAL, ""
        first = unequal[0]
        return DIFFERS, f"{unequal.size} of {left.size}; first {_cut(left[first])} against {_cut(right[first])}"
    unequal = np.flatnonzero(~((left == right) | (np.isnan(left) & np.isnan(right))))
    if not unequal.size:
        return EQUAL, ""
    with np.errstate(invalid="ignore"):
        scale = np.maximum(np.abs(left[unequal]), np.abs(right[unequal]))
        relative = np.abs(left[unequal] - right[unequal]) / scale
    relative[~np.isfinite(relative)] = np.inf
    worst = relative.argmax()
    detail = f"{unequal.size} of {left.size}; at most {relative[worst]:.2g} relative"
    if relative[worst] <= TOLERANCE:
        return CLOSE, detail
    return DIFFERS, f"{detail} ({left[unequal][worst]:.8g} against {right[unequal][worst]:.8g})"


def read_fields(path: Path) -> Fields:
    """The values of a file by field: a table's columns, a JSON's paths, a netCDF's variables; else its lines."""
    readers = {".csv": _read_csv, ".json": _read_json, ".jsonl": _read_json_lines, ".nc": _read_netcdf}
    if path.suffix == ".npy":
        return {"array": _array(np.load(path).ravel().tolist())}
    return readers.get(path.suffix, _read_text)(path)


def _names(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not _matches(f"/{name}", SKIPPED):
            yield name


def _matches(text: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(text, pattern) for pattern in patterns)


def _read_csv(path: Path) -> Fields:
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        rows = list(reader)
    return {column: _array([row[column] for row in rows]) for column in reader.fieldnames or ()}


def _read_json(path: Path) -> Fields:
    return _flatten(json.loads(path.read_text(encoding="utf-8")))


def _read_json_lines(path: Path) -> Fields:
    return _flatten([json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()])


def _read_text(path: Path) -> Fields:
    return {"text": _array(path.read_text(encoding="utf-8", errors="replace").splitlines())}


def _read_netcdf(path: Path) -> Fields:
    fields: dict[str, Any] = {}
    with h5py.File(path) as file:

        def visit(name: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset):
                values = item.asstr()[()] if h5py.check_string_dtype(item.dtype) else item[()]
                fields[name] = _array(np.asarray(values).ravel().tolist())

        file.visititems(visit)
    return fields


def _flatten(value: Any) -> Fields:
    """The leaves of a JSON value by path, the items of a list in one field: `rows[].loss`."""
    leaves: dict[str, list] = {}

    def walk(item: Any, path: str) -> None:
        if isinstance(item, dict):
            for key, inner in item.items():
                walk(inner, f"{path}.{key}" if path else str(key))
        elif isinstance(item, list):
            for inner in item:
                walk(inner, f"{path}[]")
        else:
            leaves.setdefault(path, []).append(item)

    walk(value, "")
    return {path: _array(items) for path, items in leaves.items()}


def _array(items: list) -> Values:
    """Floats where every item is a number (or empty, as NaN), else strings, git revisions in them made alike."""
    try:
        return np.array([float("nan") if item in ("", None) else float(item) for item in items], dtype=float)
    except (TypeError, ValueError):
        return np.array([REVISION.sub("REVISION", str(item)) for item in items])


def _cut(text: Any, length: int = 40) -> str:
    return repr(str(text) if len(str(text)) <= length else f"{str(text)[: length - 1]}…")
