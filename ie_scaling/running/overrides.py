"""Fields set on the command line: texts such as 1.5B or "('a', 'b')" as values of the types that a dataclass names."""

import ast
import dataclasses
import difflib
import re
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ie_scaling.errors import InputError, short
from ie_scaling.running import notation

TRUE, FALSE = ("true", "t", "yes", "1"), ("false", "f", "no", "0")
NONE = ("None", "none", "null")
_BETWEEN = re.compile(r",(?!\s*[\w.]+=)")  # a comma before FIELD= belongs to the entry


def split(arguments: Sequence[str], flag: str = "config") -> tuple[list[str], list[tuple[str, str]]]:
    """The arguments without --config.FIELD=TEXT, and those as (FIELD, TEXT), in order.

    --config.FIELD TEXT, --config.FIELD (for true) and --noconfig.FIELD (for false) are understood too.
    """
    pattern = re.compile(rf"--?(?P<no>no)?{flag}\.(?P<field>[^=]*)(?:=(?P<text>.*))?", re.DOTALL)
    rest, fields, waiting = [], [], list(arguments)
    while waiting:
        argument = waiting.pop(0)
        match = pattern.fullmatch(argument)
        if match is None:
            rest.append(argument)
        elif match["text"] is not None:
            fields.append((match["field"], match["text"]))
        elif match["no"]:
            fields.append((match["field"], "False"))
        elif waiting and (not waiting[0].startswith("-") or re.match(r"-\.?\d", waiting[0])):
            fields.append((match["field"], waiting.pop(0)))
        else:
            fields.append((match["field"], "True"))
    return rest, fields


def apply(
    cls: type, values: Mapping[str, Any], texts: Sequence[tuple[str, str]], path: str = "config"
) -> dict[str, Any]:
    """`values` for `cls` with these fields set, later ones over earlier ones.

    Raises:
      InputError: an unknown field (the nearest is suggested), or a text that is no value of its type.
    """
    result = dict(values)
    for field, text in texts:
        _set(cls, result, field.split("."), text, path)
    return result


def unknown_field(cls: type, name: object, path: str) -> InputError:
    """The error for a field that `cls` does not have, with the valid ones and the nearest, of nested groups too."""
    valid = ", ".join(field.name for field in fields_of(cls))
    near = nearest(str(name), {field: f"{path}.{field}" for field in leaves(cls)})
    hint = f"; did you mean {near}?" if near else ""
    return InputError(f"{path}.{short(name).strip(chr(39))}: unknown field; valid fields are {valid}{hint}")


def nearest(name: str, known: Mapping[str, str]) -> str:
    """What is known under the name most like this one, whole or by its last part; "" where none is like it."""
    by_name = dict(known)
    for full, value in known.items():
        by_name.setdefault(full.rpartition(".")[2], value)
    close = difflib.get_close_matches(name[:80], by_name, n=1, cutoff=0.6)
    return by_name[close[0]] if close else ""


def leaves(cls: type, prefix: str = "") -> Iterator[str]:
    """The full names of the fields of `cls` and of its groups."""
    for field, hint in hints_of(cls).items():
        yield f"{prefix}{field}"
        if dataclasses.is_dataclass(hint):
            yield from leaves(typing.cast(type, hint), f"{prefix}{field}.")


def _set(cls: type, values: dict[str, Any], names: Sequence[str], text: str, path: str) -> None:
    name, *inner = names
    hints = hints_of(cls)
    if name not in hints:
        raise unknown_field(cls, ".".join(names), path)
    hint, full = hints[name], f"{path}.{name}"
    if inner:
        if not dataclasses.is_dataclass(hint):
            raise InputError(f"{full}: has no fields; it is {describe(hint)}")
        group = values.get(name)
        values[name] = dict(group) if isinstance(group, Mapping) else _plain_default(cls, name)
        _set(typing.cast(type, hint), values[name], inner, text, full)
        return
    field = next(field for field in fields_of(cls) if field.name == name)
    try:
        values[name] = _value(field, hint, text)
    except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
        reason = str(error) if isinstance(error, InputError) else f"must be {describe(hint)}{example(hint)}"
        raise InputError(f"{full}={short(text)}: {reason.removeprefix(f'{short(text)}: ')}") from None


def _value(field: dataclasses.Field, hint: Any, text: str) -> Any:
    if from_text := field.metadata.get("from_text"):
        return dataclasses.asdict(from_text(text))
    if "tokens_of" in field.metadata and notation.is_multiple(text):
        return text
    if text in NONE and hint is str and field.default == "":
        return ""
    return parse(hint, text)


def parse(hint: Any, text: str) -> Any:
    """`text` as a value of the annotated type.

    Raises:
      ValueError, SyntaxError: it is none; InputError where it is known what is wrong.
    """
    origin = typing.get_origin(hint)
    if origin in (types.UnionType, typing.Union):
        options = [option for option in typing.get_args(hint) if option is not types.NoneType]
        if text in NONE and len(options) < len(typing.get_args(hint)):
            return None
        if len(options) == 1:
            return parse(options[0], text)
        return text if str in options and not text.lstrip().startswith("{") else ast.literal_eval(text)
    if hint is str:
        return text
    if hint is bool:
        if text.lower() in (*TRUE, *FALSE):
            return text.lower() in TRUE
        raise InputError("must be True or False")
    if hint in (int, float):
        return notation.parse_int(text) if hint is int else notation.parse_float(text)
    if origin is tuple:
        return tuple(_entry(typing.get_args(hint)[0], entry) for entry in _entries(text))
    value = ast.literal_eval(text)
    if not isinstance(value, Mapping):
        raise ValueError(text)
    return dict(value)


def _entry(hint: Any, entry: Any) -> Any:
    """An entry of a list: texts are read as on the command line, whole floats are whole numbers."""
    if isinstance(entry, str):
        return parse(hint, entry)
    if hint is int and isinstance(entry, float) and entry.is_integer():
        return int(entry)
    return entry


def _entries(text: str) -> Sequence[Any]:
    """What a list holds, written as Python writes it, or as a, b, c with brackets or without."""
    bare = text.strip()
    bracketed = bare[:1] + bare[-1:] in ("()", "[]")
    if bracketed or bare[:1] in ("'", '"', "(", "["):
        try:
            value = ast.literal_eval(bare)
        except (ValueError, SyntaxError):
            if not bracketed or "'" in bare or '"' in bare:
                raise
        else:
            return value if isinstance(value, tuple | list) else [value]
    inner = bare[1:-1] if bracketed else bare
    return [entry.strip() for entry in _BETWEEN.split(inner) if entry.strip()]


def describe(hint: Any) -> str:
    """What a type is called."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return " or ".join("None" if option is types.NoneType else describe(option) for option in arguments)
    if origin is tuple:
        return f"a list of {describe(arguments[0]).removeprefix('a ')}"
    if dataclasses.is_dataclass(hint):
        return "a group of fields"
    return {str: "text", bool: "True or False", int: "a whole number", float: "a number"}.get(hint, "a mapping")


def example(hint: Any) -> str:
    """How a value of that type may be written."""
    if typing.get_origin(hint) is tuple:
        inner = "(1, 2)" if typing.get_args(hint)[0] in (int, float) else "('a', 'b')"
        return f', such as "{inner}"'
    written = {int: "8, 250k, 1e6 or 1.5B", float: "0.1, 3e10 or 1.5B"}
    if hint in written:
        return f", such as {written[hint]}"
    return "" if hint in (str, bool) else ", such as \"{'a': 'b'}\""


def fields_of(cls: type) -> tuple[dataclasses.Field, ...]:
    """The fields of a dataclass."""
    return dataclasses.fields(cls)  # ty: ignore


def hints_of(cls: type) -> dict[str, Any]:
    """The type of each field of a dataclass, in order."""
    hints = typing.get_type_hints(cls)
    return {field.name: hints[field.name] for field in fields_of(cls)}


def _plain_default(cls: type, name: str) -> dict[str, Any]:
    field = next(field for field in fields_of(cls) if field.name == name)
    if field.default is not dataclasses.MISSING and dataclasses.is_dataclass(field.default):
        return {inner.name: getattr(field.default, inner.name) for inner in dataclasses.fields(field.default)}
    return {}
