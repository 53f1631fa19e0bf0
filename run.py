"""Run one experiment:  python run.py --config=configs/NAME.py [--config.field=value ...] [--workdir=DIR]

  configs/quickstart.py    the whole story on a CPU: text -> sweep -> latency -> laws -> recommendation -> report.html
  configs/prepare_data.py  text to a tokenizer and token arrays
  configs/train.py         one training run
  configs/papers.py        one training run of a published shape: configs/papers.py:panda-1b
  configs/sweep.py         many runs into one run table, here or on a Ray cluster
  configs/status.py        which runs of a sweep are done, running, failed or left
  configs/time_decode.py   time decoding of a list of architectures
  configs/latency_study.py latency by depth, aspect ratio, batch, g and r; a law of it, tested: report.html
  configs/fit_latency.py   fit the latency law to latency tables: posterior, held-out errors, a proxy beside it
  configs/predict_latency.py latency of architectures that were not timed, with intervals
  configs/fit.py           fit a scaling law to a run table: least squares, posterior, diagnostics
  configs/pool.py          fit one law to several families of runs, their shape parameters partially pooled
  configs/compare_laws.py  which law predicts best: cross-validation by model, extrapolation by size
  configs/reproduce.py     the published numbers again, each beside its tolerance, and figures like the papers'
  configs/compare.py       which way of predicting tells the truth of runs left out: Bayes, bootstrap, curve_fit, order
  configs/certify.py       simulation-based calibration of a law on a table's design, and coverage rolled forward
  configs/rank.py          rank shapes by predicted loss at given tokens, with the probability of each rank
  configs/select.py        rank candidate shapes under a latency bound and recommend one

--dry_run prints the resolved config and what it would cost. --strict makes a failed diagnostic exit 1. Bad input is one
line on stderr and exit 2; --debug shows the traceback instead. An interrupted run goes on when started again; training
that is sent SIGTERM saves its state first and exits 143.
"""

import importlib
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from absl import app, flags, logging
from ml_collections import config_flags

from ie_scaling import config as config_lib
from ie_scaling import host_memory
from ie_scaling import workdir as workdir_lib
from ie_scaling.errors import InputError
from ie_scaling.stopping import Stopped

NO_WORKDIR = ("status",)
ROOT = Path(__file__).resolve().parent
_CONFIG = config_flags.DEFINE_config_file(
    "config", None, "Path of a config file.", lock_config=False, accept_new_attributes=True
)
_WORKDIR = flags.DEFINE_string("workdir", None, "Directory of the results; by default runs/ and the config's name.")
_DRY_RUN = flags.DEFINE_bool("dry_run", False, "Print the resolved config and a cost estimate; run nothing.")
_STRICT = flags.DEFINE_bool("strict", False, "Exit 1 if a diagnostic fails.")
_DEBUG = flags.DEFINE_bool("debug", False, "Show the traceback of an error.")
flags.mark_flag_as_required("config")


def main(argv: Sequence[str]) -> int:
    """Exit status: 0 done, 1 failed diagnostics under --strict, 2 bad input, 130 interrupted, 143 preempted."""
    if not flags.FLAGS["verbosity"].present:
        logging.set_verbosity(logging.WARNING)  # Orbax says a page a checkpoint at INFO
    try:
        return _run(argv[1:])
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    except Stopped as stopped:
        print(f"{_one_line(stopped)}; the same command goes on from here", file=sys.stderr)
        return 128 + (stopped.signal_number or signal.SIGTERM)  # JAX takes SIGTERM for several processes
    except (ValueError, FloatingPointError, OSError) as error:
        if _DEBUG.value:
            raise
        _say_error(error)
        return 2


def _run(rest: Sequence[str]) -> int:
    if rest:
        raise ValueError(f"argument {rest[0]!r}: not understood; fields are set as --config.field=value")
    values = _CONFIG.value.to_dict()
    name = values.pop("experiment", None)
    known = sorted(path.stem for path in (ROOT / "experiments").glob("*.py"))
    if name not in known:
        raise ValueError(f"config.experiment={name!r}: must be one of {', '.join(known)}")
    sys.path.insert(0, str(ROOT))
    host_memory.keep_freed_blocks()
    experiment = importlib.import_module(f"experiments.{name}")
    config = config_lib.build(experiment.Config, values)
    workdir = Path(_WORKDIR.value or _default_workdir(config_flags.get_config_filename(flags.FLAGS["config"])))
    inputs = experiment.inputs_of(config) if hasattr(experiment, "inputs_of") else {}
    if _DRY_RUN.value:
        plain = config_lib.to_plain(config)
        if name not in NO_WORKDIR:
            _check_workdir(workdir, {"experiment": name} | plain, getattr(experiment, "MAY_CHANGE", ()), inputs)
        print(json.dumps({"experiment": name, "workdir": str(workdir)} | plain, indent=2))
        print(experiment.estimate(config))
        return 0
    failures = experiment.main(config, workdir)
    if name not in NO_WORKDIR:
        failures = [*workdir_lib.warnings(workdir, inputs), *failures]
    for failure in failures:
        print(f"warning: {failure}", file=sys.stderr)
    return 1 if failures and _STRICT.value else 0


def _check_workdir(workdir: Path, config: dict, may_change: Sequence[str], inputs: workdir_lib.Inputs) -> None:
    workdir_lib.check(workdir, config, may_change, inputs)
    if workdir_lib.is_locked(workdir):
        raise InputError(f"workdir={workdir}: in use by another process; wait for it or choose another")


def _default_workdir(filename: str) -> str:
    """runs/NAME of configs/NAME.py, and runs/NAME-ARGUMENT of configs/NAME.py:ARGUMENT."""
    path, _, argument = filename.partition(":")
    return f"runs/{Path(path).stem}" + f"-{argument}" * bool(argument)


def _parse_flags(argv: Sequence[str]) -> list[str]:
    """absl's own parsing, with its errors in one line; a config file can raise anything."""
    try:
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
    app.run(main, flags_parser=_parse_flags)
