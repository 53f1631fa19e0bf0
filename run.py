"""Run one experiment:  python run.py --config=NAME [--config.FIELD=VALUE ...] [--workdir=DIR]

  --config=NAME            configs/NAME.py; NAME:ARGUMENT and the path of any config file do too
  --config.FIELD=VALUE     a field; 250k, 1.5B and 3e10 are numbers, "('a', 'b')" or a,b is a list, None unsets
  --workdir=DIR            where results go; by default runs/NAME
  --dry_run                check everything, print the resolved config and what it would cost; run and write nothing
  --strict                 exit 1 if a diagnostic fails
  --debug                  show the traceback of an error
  --config=NAME --help     what a verb does, and its fields

Bad input is one line on stderr and exit 2. An interrupted run goes on when started again; training that is sent SIGTERM
saves its state first and exits 143.
"""
# ruff: noqa: E402 (signals are minded before the imports, which take a while)

import _signal as early  # ty: ignore (what `signal` wraps, without the imports of its own)
import atexit
import os


def _end(number: int, _: object) -> None:
    os.write(2, b"interrupted\n")
    os._exit(128 + number)


def _ignore() -> None:
    """While Python ends it takes its handlers away: a signal would then hide the exit status of what is done."""
    early.signal(early.SIGINT, early.SIG_IGN)
    early.signal(early.SIGTERM, early.SIG_IGN)


if __name__ == "__main__":
    early.signal(early.SIGINT, _end)
    early.signal(early.SIGTERM, _end)
    atexit.register(_ignore)  # the first registered, so the last to run

import functools
import importlib
import importlib.util
import pkgutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ml_collections
from absl import app, flags, logging

from ie_scaling.errors import InputError
from ie_scaling.running import config as config_lib
from ie_scaling.running import host_memory, overrides, runner, stopping, usage
from ie_scaling.running.stopping import Stopped
from ie_scaling.shapes import lookup

ROOT = Path(__file__).resolve().parent
CONFIGS = ROOT / "configs"
HELP = ("-h", "-help", "--help", "--helpshort", "--helpfull", "--helpconfig")
_CONFIG = flags.DEFINE_string("config", None, "Name or path of a config file.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Directory of the results; by default runs/ and the config's name.")
_DRY_RUN = flags.DEFINE_bool("dry_run", False, "Print the resolved config and a cost estimate; run nothing.")
_STRICT = flags.DEFINE_bool("strict", False, "Exit 1 if a diagnostic fails.")
_DEBUG = flags.DEFINE_bool("debug", False, "Show the traceback of an error.")


def main(argv: Sequence[str], texts: Sequence[tuple[str, str]] = ()) -> int:
    """Exit status: 0 done, 1 failed diagnostics under --strict, 2 bad input, 130 interrupted, 143 preempted.

    `texts` are the fields set on the command line.
    """
    if not flags.FLAGS["verbosity"].present:
        logging.set_verbosity(logging.WARNING)  # Orbax says a page a checkpoint at INFO
    try:
        with stopping.at_once():
            return _run(argv[1:], texts)
    except KeyboardInterrupt:
        stopping.leave(signal.SIGINT, "interrupted")
    except Stopped as stopped:
        stopping.leave(stopped.signal_number or signal.SIGTERM, _one_line(stopped))  # JAX takes SIGTERM for several
    except (ValueError, FloatingPointError, OSError) as error:
        if _DEBUG.value:
            raise
        _say_error(error)
        return 2


def _run(rest: Sequence[str], texts: Sequence[tuple[str, str]]) -> int:
    if rest:
        raise InputError(f"argument {rest[0]!r}: not understood; fields are set as --config.field=value")
    if _CONFIG.value is None:
        raise InputError(f"--config: missing; it must name one of {', '.join(usage.verbs(CONFIGS))}")
    path, argument = find_config(_CONFIG.value)
    values = load_config(path, argument).to_dict()
    name = _experiment_name(values.pop("experiment", None))
    sys.path.insert(0, str(ROOT))
    host_memory.keep_freed_blocks()
    if (known := config_lib.class_of(name)) is not None:
        config_lib.build(known, overrides.apply(known, values, texts))  # a slip is told of before JAX is loaded
    verb = importlib.import_module(f"experiments.{name}")
    config = runner.build(verb, values, texts)
    workdir = Path(_WORKDIR.value or f"runs/{path.stem}" + f"-{argument}" * bool(argument))
    named = [text for field, text in texts if field == "architecture"][-1:]  # a config keeps the shape, not its name
    return _execute(verb, config, workdir, lookup.notes(named or getattr(config, "shape_specs", ())))


def _execute(verb: Any, config: Any, workdir: Path, notes: Sequence[str]) -> int:
    warnings = (runner.dry_run if _DRY_RUN.value else runner.start)(verb, config, workdir)
    for note in notes:
        print(f"note: {note}")
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    return 1 if warnings and _STRICT.value else 0


def find_config(text: str) -> tuple[Path, str]:
    """The config file that NAME, PATH or either with :ARGUMENT means, and the argument ("" for none).

    Raises:
      InputError: there is no such file; the nearest verb is suggested.
    """
    name, _, argument = text.partition(":")
    path = Path(name) if name.endswith(".py") else CONFIGS / f"{name}.py"
    if path.is_file():
        return path, argument
    if name.endswith(".py") and (CONFIGS.parent / path).is_file():
        return CONFIGS.parent / path, argument
    known = usage.verbs(CONFIGS)
    near = overrides.nearest(path.stem, {verb: verb for verb in known})
    hint = f"did you mean --config={near}?" if near else f"the verbs are {', '.join(known)}"
    raise InputError(f"--config={text}: no such file; {hint}")


def load_config(path: Path, argument: str) -> ml_collections.ConfigDict:
    """What the file's get_config gives; a config file is a program, and can raise anything.

    Raises:
      InputError: the file has no get_config, or it fails.
    """
    spec = importlib.util.spec_from_file_location(f"config_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise InputError(f"--config={_shown(path)}: is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(ROOT))
    try:
        spec.loader.exec_module(module)
        config = module.get_config(argument) if argument else module.get_config()
    except Exception as error:
        if _DEBUG.value:
            raise
        kind = "" if isinstance(error, LookupError | ValueError) else f"{type(error).__name__}: "
        raise InputError(f"--config={_shown(path)}: {kind}{_one_line(error)}") from None
    if not isinstance(config, ml_collections.ConfigDict):
        raise InputError(f"--config={_shown(path)}: get_config() must give a ConfigDict, not {type(config).__name__}")
    return config


def _shown(path: Path) -> Path:
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def _experiment_name(name: Any) -> str:
    known = sorted(module.name for module in pkgutil.iter_modules([str(ROOT / "experiments")]))
    if name not in known:
        raise InputError(f"config.experiment={name!r}: must be one of {', '.join(known)}")
    return name


def _help(argv: Sequence[str]) -> str:
    """What a verb does and may be told, where --config names one; else what verbs there are."""
    flag = next((text.partition("=")[2] for text in argv if text.startswith(("--config=", "-config="))), "")
    if not flag and "--config" in argv[:-1]:
        flag = argv[argv.index("--config") + 1]
    if not flag:
        return f"{__doc__.strip()}\n\nVerbs:\n{usage.list_verbs(CONFIGS)}"
    path, argument = find_config(flag)
    values = load_config(path, argument).to_dict()
    cls = config_lib.class_of(_experiment_name(values.pop("experiment", None)))
    fields = "" if cls is None else usage.describe_fields(cls, values)
    return f"{usage.docstring(path)}\n\n{fields}"


def _parse_flags(argv: Sequence[str]) -> list[str]:
    """absl's own parsing, with its errors in one line."""
    try:
        if len(sys.argv) == 1 or set(argv) & set(HELP):
            flags.FLAGS.mark_as_parsed()
            print(_help(argv))
            sys.exit(0)
        return flags.FLAGS(argv)
    except Exception as error:
        if "--debug" in argv:
            raise
        _say_error(error)
        sys.exit(2)


def _say_error(error: BaseException) -> None:
    sys.stderr.write(f"error: {_one_line(error)}\n")  # in one piece, as other threads may be talking


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


if __name__ == "__main__":
    _ARGV, _TEXTS = overrides.split(sys.argv)
    app.run(functools.partial(main, texts=_TEXTS), argv=_ARGV, flags_parser=_parse_flags)
