"""A model's config.json read as strict JSON: UTF-8, no key twice, no NaN, numbers and nesting that make sense."""

import collections
import json
import reprlib
from pathlib import Path
from typing import Any

from ie_scaling.errors import InputError

MAX_BYTES = 16 * 2**20
MAX_DEPTH = 50
MAX_DIGITS = 40


def read_config(path: Path) -> Any:
    """The JSON value of a config.json.

    Raises:
      InputError: one line that names the file and what is wrong with it.
    """
    try:
        return _parse(_read_text(path))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except RecursionError:
        raise InputError(f"{path}: not valid JSON (nested too deeply)") from None
    except ValueError as error:
        raise InputError(f"{path}: not valid JSON ({error})") from None


def _read_text(path: Path) -> str:
    with path.open("rb") as stream:
        data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValueError(f"longer than {MAX_BYTES:,} bytes, no config.json is")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8: byte 0x{data[error.start]:02x} at {error.start}; save it as UTF-8") from None


def _parse(text: str) -> Any:
    value = json.loads(
        text, parse_int=_integer, parse_float=_float, parse_constant=_constant, object_pairs_hook=_object
    )
    if _depth(value) > MAX_DEPTH:
        raise ValueError("nested too deeply")
    return value


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"an integer of {len(text):,} digits")
    return int(text)


def _float(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"the number {reprlib.repr(text)} is too large")
    return value


def _constant(text: str) -> float:
    raise ValueError(f"{text} is no JSON number")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        counts = collections.Counter(name for name, _ in pairs)
        twice = counts.most_common(1)[0][0]
        raise ValueError(f"the key {reprlib.repr(twice)} stands twice in one object; remove one")
    return fields


def _depth(value: Any) -> int:
    """How deep lists and objects are nested, without recursion."""
    level, depth = [value], 0
    while level := [item for item in level if isinstance(item, dict | list)]:
        depth += 1
        level = [inner for item in level for inner in (item.values() if isinstance(item, dict) else item)]
    return depth
