"""Architectures by name: a shape's own, a public model's, or the path of a Hugging Face config.json (no JAX here)."""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ie_scaling import files
from ie_scaling.architecture import Architecture
from ie_scaling.shapes import hugging_face
from ie_scaling.shapes.public_models import MODELS

PUBLIC_SHAPES = {name: model.shape for name, model in MODELS.items()}
# Both names of a model, its own and that on the Hub, each with and without the organisation.
_NAMES = {
    prefix + last: key
    for key, model in MODELS.items()
    for last in {key, model.name.lower()} - {""}
    for prefix in {"", f"{model.family.organisation.lower()}/"} - {"/"}
}


def resolve(spec: str) -> Architecture:
    """The architecture that `spec` means.

    Args:
      spec: `Architecture.name`; a public model as PUBLIC_SHAPES or the Hub calls it, in either case (qwen2.5-0.5b,
        Qwen/Qwen2.5-0.5B); or a path that ends in .json.

    Raises:
      ValueError: none of the three (the nearest public names are suggested), or a file that is no such config.
    """
    return _look_up(spec)[0]


def files_of(specs: Sequence[str]) -> list[str]:
    """Those of `specs` that are the path of a file."""
    return [spec for spec in specs if spec.endswith(".json")]


def note(spec: str) -> str:
    """What the model that `spec` means has that its architecture here does otherwise; "" where there is nothing."""
    return "; ".join(_look_up(spec)[1])


def from_hugging_face(fields: Any, source: str = "config.json") -> Architecture:
    """The shape in a Hugging Face config: see `hugging_face.read`."""
    return hugging_face.read(fields, source)[0]


def _look_up(spec: str) -> tuple[Architecture, tuple[str, ...]]:
    if spec.endswith(".json"):
        return hugging_face.read(_read_json(spec), spec)
    if key := _NAMES.get(spec.lower()):
        return Architecture.parse(PUBLIC_SHAPES[key]), MODELS[key].family.differs
    try:
        return Architecture.parse(spec), ()
    except ValueError as error:
        if "expected a name" not in str(error):  # well formed, with a rule broken
            raise ValueError(f"{spec!r}: {error}") from None
    raise ValueError(
        f"{spec!r}: unknown architecture; give a shape such as d512-n8-h8-k2-c64-f1536-v50432, the path of a "
        f"config.json, or a public model such as {', '.join(_nearest(spec))} (docs/public_shapes.md lists them)"
    )


def _nearest(spec: str) -> list[str]:
    """Up to three public names like this one; some to start from where none is."""
    near = difflib.get_close_matches(spec.lower().rpartition("/")[2], _NAMES, n=12, cutoff=0.4)
    return list(dict.fromkeys(_NAMES[name] for name in near))[:3] or ["llama-3.2-1b", "qwen3-0.6b", "pythia-160m"]


def _read_json(path: str) -> Any:
    try:
        return files.read_json(Path(path))
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror})") from None
    except RecursionError:
        raise ValueError(f"{path}: not valid JSON (nested too deeply)") from None
