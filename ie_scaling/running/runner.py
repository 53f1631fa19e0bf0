"""What every verb shares: its configuration, dry run or lock, resumption, figures, diagnostics, DONE, and show.

A verb is a module experiments/NAME.py, or a folder of that name, with

  Config                        a frozen dataclass: what may be set
  placed(config, directory)     config with the paths that lie in its own directory, for all below      (optional)
  inputs_of(config)             the files that are read, by name                                        (optional)
  MAY_CHANGE                    the fields that a second start may change                               (optional)
  load(config)                  what they hold, all of it checked; writes nothing
  compute(config, loaded)       a dataclass with `diagnostics` and, where there are some, `details` of them
  save(result, directory)       its files
  figures(result, directory)    drawn before DONE                                                       (optional)
  show(directory)               prints the answer from those files
  estimate(config, loaded)      what it would take, in words
  preview(config, loaded)       diagnostics that are known before anything is computed                  (optional)

Three kinds of verbs differ in the middle of it:

  resume(config, loaded, directory)   instead of compute and save, where finished parts are kept: it writes the same
                                      files, skips the parts that are there, and returns such a result
  run(config, directory)              instead of them where the work locks its directory itself, because library code
                                      does the same work elsewhere or several processes share it: it writes
                                      diagnostics.json before DONE and returns the list; only a dry run loads
  answer(loaded)                      instead of them and show, where nothing is written: the text that is printed
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ie_scaling.errors import InputError
from ie_scaling.running import config as config_lib
from ie_scaling.running import diagnostic, overrides, workdir
from ie_scaling.running.diagnostic import Diagnostic


def name_of(verb: Any) -> str:
    """experiments.rank -> rank."""
    return verb.__name__.rpartition(".")[2]


def build(verb: Any, values: Mapping[str, Any], texts: Sequence[tuple[str, str]]) -> Any:
    """The configuration of a verb: a config file's values, with the fields set on the command line over them.

    Raises:
      InputError: an unknown field, a value of the wrong type, a broken rule.
    """
    return config_lib.build(verb.Config, overrides.apply(verb.Config, values, texts))


def run(verb: Any, config: Any, directory: Path) -> list[Diagnostic]:
    """Finish what `directory` does not hold yet, DONE last, and return what there is to say against it.

    Raises:
      InputError: bad input, or a directory of something else; nothing is written.
    """
    resolved, config = _resolve(verb, config), _placed(verb, config, directory)
    if hasattr(verb, "run"):
        return verb.run(config, directory)
    inputs, may_change = inputs_of(verb, config), _may_change(verb)
    if not workdir.is_done(directory, resolved, may_change, inputs):
        loaded = verb.load(config)
        with workdir.opened(directory, resolved, may_change, inputs):
            if hasattr(verb, "resume"):
                result = verb.resume(config, loaded, directory)
            else:
                result = verb.compute(config, loaded)
                verb.save(result, directory)
            diagnostic.write(directory, result.diagnostics, getattr(result, "details", None))
            if hasattr(verb, "figures"):
                verb.figures(result, directory)
    return diagnostic.read(directory)


def start(verb: Any, config: Any, directory: Path) -> list[str]:
    """Run, show, and return the warnings, those about the inputs first."""
    if hasattr(verb, "answer"):
        print(verb.answer(verb.load(config)))
        return []
    diagnostics = run(verb, config, directory)
    verb.show(directory)
    inputs = inputs_of(verb, _placed(verb, config, directory))  # anew: a verb may have made some
    return workdir.warnings(directory, inputs) + diagnostic.lines(diagnostics)


def dry_run(verb: Any, config: Any, directory: Path) -> list[str]:
    """Refuse whatever `start` would refuse, print the configuration and the estimate; returns warnings."""
    resolved, config = _resolve(verb, config), _placed(verb, config, directory)
    is_finished = False
    if not hasattr(verb, "answer"):
        _check_directory(verb, resolved, directory, inputs_of(verb, config))
        is_finished = workdir.is_finished(directory)
    print(json.dumps({"experiment": resolved["experiment"], "workdir": str(directory)} | resolved, indent=2))
    if is_finished:
        print(f"{directory}: is finished; the command shows what it holds")
        return []
    loaded = verb.load(config)
    diagnostics = verb.preview(config, loaded) if hasattr(verb, "preview") else []
    print(verb.estimate(config, loaded))
    return diagnostic.lines(diagnostics)


def inputs_of(verb: Any, config: Any) -> workdir.Inputs:
    """What a verb reads, by name."""
    return verb.inputs_of(config) if hasattr(verb, "inputs_of") else {}


def _placed(verb: Any, config: Any, directory: Path) -> Any:
    return verb.placed(config, directory) if hasattr(verb, "placed") else config


def _may_change(verb: Any) -> Sequence[str]:
    return getattr(verb, "MAY_CHANGE", ())


def _resolve(verb: Any, config: Any) -> dict[str, Any]:
    return {"experiment": name_of(verb)} | config_lib.to_plain(config)


def _check_directory(verb: Any, resolved: Mapping[str, Any], directory: Path, inputs: workdir.Inputs) -> None:
    workdir.check(directory, resolved, _may_change(verb), inputs)
    if workdir.is_locked(directory):
        raise InputError(f"workdir={directory}: in use by another process; wait for it or choose another")
