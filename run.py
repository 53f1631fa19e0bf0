"""Run one experiment:  python run.py --config=NAME [--config.FIELD=VALUE ...] [--workdir=DIR]

  --config=NAME            configs/NAME.py; NAME:ARGUMENT and the path of any config file do too
  --config.FIELD=VALUE     a field; 250k, 1.5B and 3e10 are numbers, "('a', 'b')" or a,b is a list, None unsets
  --workdir=DIR            where results go; by default runs/NAME
  --dry_run                check everything, print the resolved config and what it would cost; run and write nothing
  --strict                 exit 1 if a diagnostic fails
  --debug                  show the traceback of an error
  --config=NAME --help     what a verb does, and its fields

Bad input is one line on stderr and exit 2, a fault of this program a traceback and exit 1. An interrupted run goes on
when started again; training that is sent SIGTERM saves its state first and exits 143.
"""
# ruff: noqa: E402 (signals are minded before the imports, which take a while)

import _signal  # ty: ignore (what `signal` wraps, without the imports of its own)
import atexit
import os


def _end(number: int, _: object) -> None:
    os.write(2, b"interrupted\n")
    os._exit(128 + number)


def _ignore() -> None:
    """While Python ends it takes its handlers away: a signal would then hide the exit status of what is done."""
    _signal.signal(_signal.SIGINT, _signal.SIG_IGN)
    _signal.signal(_signal.SIGTERM, _signal.SIG_IGN)


if __name__ == "__main__":
    _signal.signal(_signal.SIGINT, _end)
    _signal.signal(_signal.SIGTERM, _end)
    atexit.register(_ignore)  # the first registered, so the last to run

import functools
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from absl import app, flags, logging

from ie_scaling.errors import InputError
from ie_scaling.running import command, host_memory, overrides, runner, stopping, usage
from ie_scaling.running.stopping import Stopped
from ie_scaling.shapes import lookup

ROOT = Path(__file__).resolve().parent
_CONFIG = flags.DEFINE_string("config", None, "Name or path of a config file.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Directory of the results; by default runs/ and the config's name.")
_DRY_RUN = flags.DEFINE_bool("dry_run", False, "Print the resolved config and a cost estimate; run nothing.")
_STRICT = flags.DEFINE_bool("strict", False, "Exit 1 if a diagnostic fails.")
_DEBUG = flags.DEFINE_bool("debug", False, "Show the traceback of an error.")


def main(argv: Sequence[str], texts: Sequence[tuple[str, str]] = ()) -> int:
    """Exit status: 0 done, 1 failed diagnostics under --strict, 2 bad input, 130 interrupted, 143 preempted.

    Bad input is an InputError, a loss that is not finite (FloatingPointError) and what the system refuses (OSError).
    Any other exception, a library's ValueError included, is a fault of this program: a traceback and 1.

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
        stopping.leave(stopped.signal_number or signal.SIGTERM, command.one_line(stopped))  # JAX takes SIGTERM, too
    except (InputError, FloatingPointError, OSError) as error:
        if _DEBUG.value:
            raise
        _say_error(error)
        return 2


def _run(rest: Sequence[str], texts: Sequence[tuple[str, str]]) -> int:
    if rest:
        raise InputError(f"argument {rest[0]!r}: not understood; fields are set as --config.field=value")
    if _CONFIG.value is None:
        raise InputError(f"--config: missing; it must name one of {', '.join(usage.verbs(ROOT / 'configs'))}")
    given = command.read(ROOT, _CONFIG.value)
    config = runner.build(given.verb, given.values, texts)
    host_memory.keep_freed_blocks()
    act = runner.dry_run if _DRY_RUN.value else runner.start
    warnings = act(given.verb, config, Path(_WORKDIR.value or f"runs/{given.label}"))
    named = [text for field, text in texts if field == "architecture"][-1:]  # a config keeps the shape, not its name
    for note in lookup.notes(named or getattr(config, "shape_specs", ())):
        print(f"note: {note}")
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    return 1 if warnings and _STRICT.value else 0


def _parse_flags(argv: Sequence[str]) -> list[str]:
    """absl's own parsing, with its errors in one line."""
    try:
        if len(sys.argv) == 1 or set(argv) & set(command.HELP):
            flags.FLAGS.mark_as_parsed()
            print(command.describe(ROOT, argv, __doc__))
            sys.exit(0)
        return flags.FLAGS(argv)
    except (InputError, flags.Error, OSError) as error:
        if "--debug" in argv:
            raise
        _say_error(error)
        sys.exit(2)


def _say_error(error: BaseException) -> None:
    sys.stderr.write(f"error: {command.one_line(error)}\n")  # in one piece, as other threads may be talking


if __name__ == "__main__":
    _ARGV, _TEXTS = overrides.split(sys.argv)
    app.run(functools.partial(main, texts=_TEXTS), argv=_ARGV, flags_parser=_parse_flags)
