"""From a ConfigDict or a plain mapping to a validated, frozen dataclass, and back (no JAX here)."""

import dataclasses
import math
import types
import typing
from collections.abc import Collection, Mapping
from typing import Any, TypeVar

import ml_collections

from ie_scaling import accounting
from ie_scaling.errors import InputError, short
from ie_scaling.running import notation, overrides

T = TypeVar("T")
MOST_SEED = 2**32 - 1  # jax.random.key drops the higher bits of a seed without x64
LONGEST = 1000  # characters of a message


def require(condition: bool, field: str, value: object, rule: str) -> None:
    """Raise the one-line InputError of a broken rule."""
    if not condition:
        raise InputError(f"{field}={short(value)}: {rule}")


def at_least(config: object, least: float, *fields: str) -> None:
    """Each field, and each entry of a list, is finite and no less than that; None passes.

    Raises:
      InputError: one is not.
    """
    for field, value in _entries(config, fields):
        require(math.isfinite(value) and value >= least, field, value, f"must be at least {least:g}")


def positive(config: object, *fields: str) -> None:
    """Each field, and each entry of a list, is finite and above zero; None passes.

    Raises:
      InputError: one is not.
    """
    for field, value in _entries(config, fields):
        require(math.isfinite(value) and value > 0, field, value, "must be finite and above zero")


def between(config: object, low: float, high: float, *fields: str) -> None:
    """Each field, and each entry of a list, lies between the two, without them; None passes.

    Raises:
      InputError: one does not.
    """
    for field, value in _entries(config, fields):
        require(low < value < high, field, value, f"must lie between {low:g} and {high:g}")


def within(config: object, low: float, high: float, *fields: str) -> None:
    """Each field, and each entry of a list, lies from low to high, both included; None passes.

    Raises:
      InputError: one does not.
    """
    for field, value in _entries(config, fields):
        require(low <= value <= high, field, value, f"must lie from {low:,} to {high:,}")


def one_of(config: object, field: str, options: Collection[str]) -> None:
    """The field, or each entry of its list, is one of the options.

    Raises:
      InputError: it is not; they are listed.
    """
    for _, value in _entries(config, (field,)):
        require(value in list(options), field, value, f"must be one of {', '.join(filter(None, options))}")


def seeded(config: object, field: str = "seed") -> None:
    """The field is a seed that jax.random.key takes whole.

    Raises:
      InputError: it is negative or has more than 32 bits.
    """
    value = getattr(config, field)
    require(0 <= value <= MOST_SEED, field, value, "must be at least 0 and less than 2**32")


def _entries(config: object, fields: Collection[str]) -> list[tuple[str, Any]]:
    """The values of these fields by name, those of a list one by one, None left out."""
    entries = []
    for field in fields:
        value = getattr(config, field)
        if isinstance(value, tuple):
            entries += [(f"{field}[{index}]", entry) for index, entry in enumerate(value)]
        elif value is not None:
            entries.append((field, value))
    return entries


def to_config_dict(defaults: Any, experiment: str) -> ml_collections.ConfigDict:
    """A dataclass instance as the ConfigDict a config file returns, with the experiment's name in it.

    Optional fields that are None become typed placeholders, so that a flag may set them.
    """
    config = _to_config_dict(defaults)
    config.experiment = experiment
    return config


def _to_config_dict(instance: Any) -> ml_collections.ConfigDict:
    config = ml_collections.ConfigDict()
    hints = typing.get_type_hints(type(instance))
    for field in dataclasses.fields(instance):
        value = getattr(instance, field.name)
        if dataclasses.is_dataclass(value):
            config[field.name] = _to_config_dict(value)
        elif value is None:
            config[field.name] = ml_collections.config_dict.placeholder(_plain_type(hints[field.name]))
        else:
            config[field.name] = value
    return config


def build(cls: type[T], values: Mapping[str, Any], path: str = "config") -> T:
    """The dataclass `cls` with these values over its defaults.

    Raises:
      InputError: an unknown field (the valid ones are listed, the nearest is suggested), a value of the wrong type,
        or a rule broken in the class's own __post_init__; always one line that names the field and the value.
    """
    hints = typing.get_type_hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls)}  # ty: ignore
    chosen = {}
    for name, value in values.items():
        if name not in fields:
            raise overrides.unknown_field(cls, name, path)
        if "tokens_of" not in fields[name].metadata or not isinstance(value, str):
            chosen[name] = _convert(hints[name], value, f"{path}.{name}")
    for name, field in fields.items():
        absent = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if absent and name not in chosen:
            raise InputError(f"{path}.{name}: missing and has no default")
    for name in values.keys() - chosen.keys():  # tokens by parameters need the architecture first
        chosen[name] = _tokens(fields[name], values[name], chosen, f"{path}.{name}")
    try:
        return cls(**chosen)
    except InputError as error:
        message = " ".join(str(error).split())
        message = message if len(message) <= LONGEST else f"{message[:LONGEST]} ..."
        raise InputError(message if message.startswith(path) else f"{path}.{message}") from None


def _tokens(field: dataclasses.Field, text: str, chosen: Mapping[str, Any], path: str) -> int:
    """Tokens written as a multiple of the parameters of the architecture beside them."""
    owner = field.metadata["tokens_of"]
    if owner not in chosen:
        raise InputError(f"{path}={short(text)}: needs {owner}")
    try:
        return notation.parse_tokens(text, accounting.count_parameters(chosen[owner]))
    except InputError as error:
        raise InputError(f"{path}={error}") from None


def to_plain(instance: Any) -> Any:
    """A dataclass (nested or not) as JSON-ready dicts, lists and scalars."""
    if dataclasses.is_dataclass(instance) and not isinstance(instance, type):
        return {field.name: to_plain(getattr(instance, field.name)) for field in dataclasses.fields(instance)}
    if isinstance(instance, Mapping):
        return {key: to_plain(value) for key, value in instance.items()}
    if isinstance(instance, tuple | list):
        return [to_plain(value) for value in instance]
    return instance


def _options(hint: Any) -> list[Any]:
    """The types of a union but None."""
    return [option for option in typing.get_args(hint) if option is not types.NoneType]


def _plain_type(hint: Any) -> type:
    options = _options(hint)
    return options[0] if options else hint


def _convert(hint: Any, value: Any, path: str) -> Any:
    """`value` as the annotated type, or a one-line InputError."""
    if isinstance(value, ml_collections.FieldReference):
        value = value.get()
    origin = typing.get_origin(hint)
    if hint is Any:
        return value
    if origin in (types.UnionType, typing.Union):
        return _convert_union(hint, value, path)
    if dataclasses.is_dataclass(hint):
        if isinstance(value, hint):
            return value
        if not isinstance(value, Mapping):
            raise InputError(f"{path}={short(value)}: must be a group of fields")
        return build(typing.cast(type, hint), value, path)
    if origin is tuple:
        if isinstance(value, str) or not isinstance(value, tuple | list):
            raise InputError(f"{path}={short(value)}: must be a list")
        item = typing.get_args(hint)[0]
        return tuple(_convert(item, entry, f"{path}[{index}]") for index, entry in enumerate(value))
    if origin is not None and issubclass(origin, Mapping):
        return _convert_mapping(hint, value, path)
    return _convert_scalar(hint, value, path)


def _convert_union(hint: Any, value: Any, path: str) -> Any:
    options = _options(hint)
    if value is None and len(options) < len(typing.get_args(hint)):
        return None
    exact = [option for option in options if type(value) is option]
    for option in exact or options[:-1]:
        try:
            return _convert(option, value, path)
        except InputError:
            if exact:
                raise
    return _convert(options[-1], value, path)


def _convert_mapping(hint: Any, value: Any, path: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise InputError(f"{path}={short(value)}: must be a mapping")
    key_hint, value_hint = typing.get_args(hint)
    names = [_convert(key_hint, key, f"{path} key") for key in value]
    return {name: _convert(value_hint, value[name], f"{path}[{short(name)}]") for name in names}


def _convert_scalar(hint: Any, value: Any, path: str) -> Any:
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value) if abs(value) <= 2**1000 else math.inf
    if hint in (int, float, str, bool, dict) and (type(value) is not hint):
        raise InputError(f"{path}={short(value)}: must be of type {hint.__name__}")
    if isinstance(value, str) and not _is_text(value):
        raise InputError(f"{path}={short(value)}: must be text without NUL and lone surrogates")
    if hint is float and not math.isfinite(value):
        raise InputError(f"{path}={short(value)}: must be a finite number")
    if hint is int and abs(value) > notation.MOST_INT:
        raise InputError(f"{path}={short(value)}: must be at most {notation.MOST_INT}")
    return value


def _is_text(value: str) -> bool:
    """Whether it can be written as UTF-8 and handed to the system."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in value
