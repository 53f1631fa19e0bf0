"""What every verb shares: its configuration, dry run or lock, resumption, figures, diagnostics, DONE, and show.

A verb is a module experiments/NAME.py with

  Config                        a frozen dataclass: what may be set
  inputs_of(config)             the files that are read, by name
  load(config)                  what they hold, all of it checked; writes nothing
  compute(config, loaded)       a dataclass with `diagnostics` and, where there are some, `details` of them
  save(result, directory)       its files
  figures(result, directory)    drawn before DONE                                          (optional)
  show(directory)               prints the answer from those files
  estimate(config, loaded)      what it would take, in words
  preview(config, loaded)       diagnostics that are known before anything is computed     (optional)
  placed(config, directory)     config with the paths that lie in its own directory, for
                                all of the above                                           (optional)

Work that keeps its finished parts has `resume(config, loaded, directory)` instead of compute and save: it writes the
same files under `directory`, skips the parts that are there, and returns a result whose diagnostics are written.
`main(config, directory)`, with `check(config, directory)` and `estimate(config)`, stands for all of it where work takes
the lock itself.
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
    inputs = inputs_of(verb, config)
    if not workdir.is_done(directory, resolved, inputs=inputs):
        loaded = verb.load(config)
        with workdir.opened(directory, resolved, inputs=inputs):
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
    if hasattr(verb, "main"):
        found = verb.main(config, directory)
    else:
        found = diagnostic.lines(run(verb, config, directory))
        verb.show(directory)
    inputs = inputs_of(verb, _placed(verb, config, directory))  # anew: a verb may have made some
    return [*(workdir.warnings(directory, inputs) if has_directory(verb) else []), *found]


def dry_run(verb: Any, config: Any, directory: Path) -> list[str]:
    """Refuse whatever `start` would refuse, print the configuration and the estimate; returns warnings."""
    resolved, config = _resolve(verb, config), _placed(verb, config, directory)
    if has_directory(verb):
        _check_directory(verb, resolved, directory, inputs_of(verb, config))
    shown = {"experiment": resolved["experiment"], "workdir": str(directory)} | resolved
    print(json.dumps(shown, indent=2))
    if has_directory(verb) and workdir.is_finished(directory):
        print(f"{directory}: is finished; the command shows what it holds")
        return []
    if hasattr(verb, "main"):
        found = verb.check(config, directory) if hasattr(verb, "check") else []
        print(verb.estimate(config))
        return found
    loaded = verb.load(config)
    found = verb.preview(config, loaded) if hasattr(verb, "preview") else []
    print(verb.estimate(config, loaded))
    return diagnostic.lines(found)


def inputs_of(verb: Any, config: Any) -> workdir.Inputs:
    """What a verb reads, by name."""
    return verb.inputs_of(config) if hasattr(verb, "inputs_of") else {}


def _placed(verb: Any, config: Any, directory: Path) -> Any:
    return verb.placed(config, directory) if hasattr(verb, "placed") else config


def has_directory(verb: Any) -> bool:
    """Whether a verb writes anything."""
    return getattr(verb, "HAS_DIRECTORY", True)


def _resolve(verb: Any, config: Any) -> dict[str, Any]:
    return {"experiment": name_of(verb)} | config_lib.to_plain(config)


def _check_directory(verb: Any, resolved: Mapping[str, Any], directory: Path, inputs: workdir.Inputs) -> None:
    workdir.check(directory, resolved, getattr(verb, "MAY_CHANGE", ()), inputs)
    if workdir.is_locked(directory):
        raise InputError(f"workdir={directory}: in use by another process; wait for it or choose another")
