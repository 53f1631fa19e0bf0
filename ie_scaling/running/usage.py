"""What the command can do: verbs, from the docstrings of config files, and fields, from their dataclasses."""

import ast
import dataclasses
import inspect
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ie_scaling.errors import short
from ie_scaling.running import overrides


def verbs(folder: Path) -> dict[str, str]:
    """The first line of each config file in `folder`, by name; none is run."""
    return {path.stem: docstring(path).partition("\n")[0] for path in sorted(folder.glob("*.py"))}


def docstring(path: Path) -> str:
    """A Python file's docstring; "" where it has none."""
    try:
        return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    except (OSError, ValueError, SyntaxError):
        return ""


def list_verbs(folder: Path) -> str:
    """A line a verb."""
    known = verbs(folder)
    width = max(map(len, known), default=0)
    return "\n".join(f"  {name:{width}}  {line}" for name, line in known.items())


def describe_fields(cls: type, values: Mapping[str, Any]) -> str:
    """The fields of a configuration with their types and values, group by group, each under its class's docstring."""
    return "\n\n".join(_groups(cls, values, "config"))


def _groups(cls: type, values: Mapping[str, Any], path: str) -> Iterator[str]:
    hints = overrides.hints_of(cls)
    groups = {name: hint for name, hint in hints.items() if dataclasses.is_dataclass(hint)}
    lines = [
        f"  --{path}.{name}={_written(values.get(name))}  ({overrides.describe(hint)})"
        for name, hint in hints.items()
        if name not in groups
    ]
    yield "\n".join([f"{path}: {inspect.getdoc(cls) or ''}", *lines])
    for name, hint in groups.items():
        inner = values.get(name)
        yield from _groups(typing.cast(type, hint), inner if isinstance(inner, Mapping) else {}, f"{path}.{name}")


def _written(value: Any) -> str:
    """A value as it may be written on the command line."""
    if isinstance(value, str) and value and not set(value) - set("abcdefghijklmnopqrstuvwxyz0123456789_-./:"):
        return value
    return f'"{short(value)}"' if isinstance(value, tuple | list | dict) else short(value)
