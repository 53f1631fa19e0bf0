"""What a command line names: the config file, its values, the verb that they are for, and the help on both."""

import dataclasses
import importlib
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import ml_collections

from ie_scaling.errors import InputError
from ie_scaling.running import overrides, usage

HELP = ("-h", "-help", "--help", "--helpshort", "--helpfull", "--helpconfig")


@dataclasses.dataclass(frozen=True)
class Command:
    """A verb's module, the values of a config file for it, and the name of both in runs/."""

    verb: ModuleType
    values: dict[str, Any]
    label: str
    help: str


def read(root: Path, text: str) -> Command:
    """What NAME or PATH, either with :ARGUMENT, means in the project at `root`.

    Raises:
      InputError: no such config file, or one that fails or names no verb.
    """
    path, argument = find_config(root, text)
    values = load_config(root, path, argument).to_dict()
    name = values.pop("experiment", None)
    if name not in (known := verbs(root)):
        raise InputError(f"config.experiment={name!r}: must be one of {', '.join(known)}")
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    label = f"{path.stem}-{argument}" if argument else path.stem
    return Command(importlib.import_module(f"experiments.{name}"), values, label, usage.docstring(path))


def verbs(root: Path) -> list[str]:
    """The modules and folders of experiments/."""
    paths = [path for path in (root / "experiments").iterdir() if path.stem != "__init__"]
    return sorted(path.stem for path in paths if path.suffix == ".py" or (path / "__init__.py").is_file())


def find_config(root: Path, text: str) -> tuple[Path, str]:
    """The config file that NAME, PATH or either with :ARGUMENT means, and the argument ("" for none).

    Raises:
      InputError: there is no such file; the nearest one is suggested.
    """
    name, _, argument = text.partition(":")
    paths = (Path(name), root / name) if name.endswith(".py") else (root / "configs" / f"{name}.py",)
    for path in paths:
        if path.is_file():
            return path, argument
    known = usage.verbs(root / "configs")
    near = overrides.nearest(paths[0].stem, {verb: verb for verb in known})
    hint = f"did you mean --config={near}?" if near else f"the verbs are {', '.join(known)}"
    raise InputError(f"--config={text}: no such file; {hint}")


def load_config(root: Path, path: Path, argument: str) -> ml_collections.ConfigDict:
    """What the file's get_config gives; a config file is a program, and can raise anything.

    Raises:
      InputError: the file has no get_config, or it fails.
    """
    flag = f"--config={path.relative_to(root) if path.is_relative_to(root) else path}"
    spec = importlib.util.spec_from_file_location(f"config_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise InputError(f"{flag}: is no Python file")
    module = importlib.util.module_from_spec(spec)
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    try:
        spec.loader.exec_module(module)
        config = module.get_config(argument) if argument else module.get_config()
    except Exception as error:
        kind = "" if isinstance(error, LookupError | ValueError) else f"{type(error).__name__}: "
        raise InputError(f"{flag}: {kind}{one_line(error)}") from error
    if not isinstance(config, ml_collections.ConfigDict):
        raise InputError(f"{flag}: get_config() must give a ConfigDict, not {type(config).__name__}")
    return config


def describe(root: Path, arguments: Sequence[str], general: str) -> str:
    """Help: on the verb that --config names, with its fields, else `general` and a line a verb.

    Raises:
      InputError: as `read`.
    """
    text = next((entry.partition("=")[2] for entry in arguments if entry.startswith(("--config=", "-config="))), "")
    if not text and "--config" in arguments[:-1]:
        text = arguments[arguments.index("--config") + 1]
    if not text:
        return f"{general.strip()}\n\nVerbs:\n{usage.list_verbs(root / 'configs')}"
    command = read(root, text)
    return f"{command.help}\n\n{usage.describe_fields(command.verb.Config, command.values)}"


def one_line(error: BaseException) -> str:
    """What an error says, or else its class."""
    return " ".join(str(error).split()) or type(error).__name__
