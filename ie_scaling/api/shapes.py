"""Shapes as callers name them: architectures, their names, public models, config.json files."""

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ie_scaling.architecture import Architecture
from ie_scaling.errors import InputError, short
from ie_scaling.search.config import MOST_TOKENS
from ie_scaling.shapes import lookup

ShapeLike = str | Path | Architecture
NUMBERS = (int, float, np.integer, np.floating)


@dataclasses.dataclass(frozen=True)
class NamedShapes:
    """Architectures, what the caller called each, and how the models of these names differ from them (`notes`)."""

    names: tuple[str, ...]
    architectures: tuple[Architecture, ...]
    notes: tuple[str, ...]

    @classmethod
    def of(cls, shapes: ShapeLike | Iterable[ShapeLike], field: str = "shapes") -> "NamedShapes":
        """One shape or several.

        Raises:
          InputError: something that is no shape, by its index in the list.
        """
        given = [shapes] if isinstance(shapes, str | Path | Architecture) else shapes
        if isinstance(given, np.ndarray):
            given = np.atleast_1d(given).tolist()
        if not isinstance(given, Iterable):
            raise InputError(f"{field}={short(shapes)}: must be a shape, its name, or a list of them")
        names, architectures = [], []
        for index, shape in enumerate(given):
            try:
                architectures.append(shape if isinstance(shape, Architecture) else lookup.resolve(_text(shape)))
            except InputError as error:
                raise InputError(f"{field}[{index}]: {error}") from None
            names.append(shape.name if isinstance(shape, Architecture) else str(shape))
        return cls(tuple(names), tuple(architectures), tuple(lookup.notes(names)))

    def name_of(self, architecture: str) -> str:
        """What the caller called the architecture of this name; its name where it was not named, as of a grid."""
        names = (name for name, own in zip(self.names, self.architectures, strict=True) if own.name == architecture)
        return next(names, architecture)


def _text(shape: object) -> str:
    if not isinstance(shape, str | Path):
        raise InputError(f"{short(shape)}: must be an Architecture, the name of one, or the path of a config.json")
    return str(shape)


def tokens_of(n_tokens: float | Sequence[float], n_shapes: int) -> np.ndarray:
    """Training tokens of each shape, [A], from one number for all or one each.

    Raises:
      InputError: no such numbers, or not as many as there are shapes.
    """
    if isinstance(n_tokens, np.ndarray):
        n_tokens = n_tokens.tolist()
    given = [n_tokens] if isinstance(n_tokens, NUMBERS) else n_tokens
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise InputError(f"n_tokens={short(n_tokens)}: must be a number, or one for each shape")
    values = list(given)
    for value in values:
        if isinstance(value, bool) or not isinstance(value, NUMBERS):
            raise InputError(f"n_tokens={short(value)}: must be a number")
        if not 1 <= value <= MOST_TOKENS:
            raise InputError(f"n_tokens={short(value)}: must be from 1 to {MOST_TOKENS:g}")
    if len(values) not in (1, n_shapes):
        raise InputError(f"n_tokens: has {len(values)} numbers for {n_shapes} shapes; give one, or one for each")
    return np.broadcast_to(np.array(values, np.float64), (n_shapes,))
