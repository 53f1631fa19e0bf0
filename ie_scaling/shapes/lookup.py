"""Architectures by name: a shape's own, a public model's, or the path of a Hugging Face config.json (no JAX here)."""

import contextlib
import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path

from ie_scaling.architecture import Architecture
from ie_scaling.errors import InputError
from ie_scaling.shapes import config_file, hugging_face
from ie_scaling.shapes.fields import shown
from ie_scaling.shapes.public_models import MODELS

PUBLIC_SHAPES = {name: model.shape for name, model in MODELS.items()}
# Both names of a model, its own and that on the Hub, each with and without the organization.
_NAMES = {
    prefix + last: key
    for key, model in MODELS.items()
    for last in {key, model.name.lower()} - {""}
    for prefix in {"", f"{model.family.organization.lower()}/"} - {"/"}
}


MAX_NAME = 1000  # characters; a longer one is no name, and a path of that length cannot be opened


def resolve(spec: str) -> Architecture:
    """The architecture that `spec` means.

    Args:
      spec: `Architecture.name`; a public model as PUBLIC_SHAPES or the Hub calls it, in either case (qwen2.5-0.5b,
        Qwen/Qwen2.5-0.5B); or the path of a config.json (it ends in .json) or of a folder that holds one.

    Raises:
      InputError: none of these (the nearest public names are suggested), or a file that is no such config.
    """
    return _look_up(spec)[0]


def files_of(specs: Sequence[str]) -> list[str]:
    """The config.json files that `specs` name."""
    return [str(path) for spec in specs if (path := _file_of(spec)) is not None]


def note(spec: str) -> str:
    """What the model that `spec` means has that its architecture here does otherwise; "" where there is nothing."""
    return "; ".join(_look_up(spec)[1])


def notes(specs: Iterable[str]) -> list[str]:
    """A line for each of `specs` whose model differs from its architecture here, each once, in that order.

    What is no shape has no note: whoever takes it refuses it, and says in which field it stands.
    """
    lines = []
    for spec in dict.fromkeys(specs):
        with contextlib.suppress(InputError):
            if words := note(spec):
                lines.append(f"{spec}: the model itself has {words}")
    return lines


def names_of(architecture: Architecture) -> list[str]:
    """The public models that have this very shape."""
    return [name for name, shape in PUBLIC_SHAPES.items() if shape == architecture.name]


def _look_up(spec: str) -> tuple[Architecture, tuple[str, ...]]:
    if not isinstance(spec, str) or len(spec) > MAX_NAME:
        size = f" of {len(spec):,} characters" if isinstance(spec, str) else ""
        raise InputError(f"{shown(spec)}{size}: must be the name of an architecture, at most {MAX_NAME:,} characters")
    if key := _NAMES.get(spec.lower()):
        return Architecture.parse(PUBLIC_SHAPES[key]), MODELS[key].family.differs
    if (path := _file_of(spec)) is not None:
        return hugging_face.read(config_file.read_config(path), str(path))
    if not Architecture.is_name(spec):
        raise InputError(
            f"{shown(spec)}: unknown architecture; give a shape such as d512-n8-h8-k2-c64-f1536-v50432, the path of a "
            f"config.json, or a public model such as {', '.join(_nearest(spec))} (docs/public_shapes.md lists them)"
        )
    try:
        return Architecture.parse(spec), ()
    except InputError as error:
        raise InputError(f"{shown(spec)}: {error}") from None


def _file_of(spec: str) -> Path | None:
    """The config.json that is meant, by the path of a file or of a folder; None where `spec` is no path."""
    if not spec or len(spec) > MAX_NAME or spec.lower() in _NAMES:
        return None
    path, is_json = Path(spec), spec.lower().endswith(".json")
    try:
        if path.is_dir() and (is_json or "/" in spec or (path / "config.json").exists()):
            return path / "config.json"
        return path if is_json or ("/" in spec and path.is_file()) else None
    except (OSError, ValueError):  # a name that no file can have
        return path if is_json else None


def _nearest(spec: str) -> list[str]:
    """Up to three public names like this one; some to start from where none is."""
    near = difflib.get_close_matches(spec.lower().rpartition("/")[2], _NAMES, n=12, cutoff=0.4)
    return list(dict.fromkeys(_NAMES[name] for name in near))[:3] or ["llama-3.2-1b", "qwen3-0.6b", "pythia-160m"]
