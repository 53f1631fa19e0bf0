"""From a ConfigDict or a plain mapping to a validated, frozen dataclass, and back (no JAX here)."""

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

import ml_collections

T = TypeVar("T")


def require(condition: bool, field: str, value: object, rule: str) -> None:
    """Raise the one-line ValueError of a broken rule."""
    if not condition:
        raise ValueError(f"{field}={value!r}: {rule}")


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
      ValueError: an unknown field (the valid ones are listed), a value of the wrong type, or a rule broken in
        the class's own __post_init__; always one line that names the field and the value.
    """
    hints = typing.get_type_hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls)}  # ty: ignore
    chosen = {}
    for name, value in values.items():
        if name not in fields:
            raise ValueError(f"{path}.{name}: unknown field; valid fields are {', '.join(fields)}")
        chosen[name] = _convert(hints[name], value, f"{path}.{name}")
    for name, field in fields.items():
        absent = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if absent and name not in chosen:
            raise ValueError(f"{path}.{name}: missing and has no default")
    try:
        return cls(**chosen)
    except ValueError as error:
        message = str(error)
        raise ValueError(message if message.startswith(path) else f"{path}.{message}") from None


def to_plain(instance: Any) -> Any:
    """A dataclass (nested or not) as JSON-ready dicts, lists and scalars."""
    if dataclasses.is_dataclass(instance) and not isinstance(instance, type):
        return {field.name: to_plain(getattr(instance, field.name)) for field in dataclasses.fields(instance)}
    if isinstance(instance, Mapping):
        return {key: to_plain(value) for key, value in instance.items()}
    if isinstance(instance, tuple | list):
        return [to_plain(value) for value in instance]
    return instance


def _plain_type(hint: Any) -> type:
    options = [option for option in typing.get_args(hint) if option is not types.NoneType]
    return options[0] if options else hint


def _convert(hint: Any, value: Any, path: str) -> Any:
    """`value` as the annotated type, or a one-line ValueError."""
    if isinstance(value, ml_collections.FieldReference):
        value = value.get()
    origin = typing.get_origin(hint)
    if origin in (types.UnionType, typing.Union):
        if value is None:
            return None
        return _convert(_plain_type(hint), value, path)
    if dataclasses.is_dataclass(hint):
        if isinstance(value, hint):
            return value
        if not isinstance(value, Mapping):
            raise ValueError(f"{path}={value!r}: must be a group of fields")
        return build(hint, value, path)
    if origin is tuple:
        if isinstance(value, str) or not isinstance(value, tuple | list):
            raise ValueError(f"{path}={value!r}: must be a list")
        item = typing.get_args(hint)[0]
        return tuple(_convert(item, entry, f"{path}[{index}]") for index, entry in enumerate(value))
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint in (int, float, str, bool) and (type(value) is not hint):
        raise ValueError(f"{path}={value!r}: must be of type {hint.__name__}")
    return value
