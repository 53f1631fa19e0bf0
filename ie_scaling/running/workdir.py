"""One experiment's directory: its lock, config.json, inputs.json, environment.json, and DONE last.

A directory is known by its configuration *and* by the content of what was read: the same command on another run table
is another experiment. `inputs` maps a name that a person understands to the file that was read, or to the sha256 of
what is no single file:

  inputs = {"runs data/bian2025.csv": Path("data/bian2025.csv"), "corpus runs/corpus": digest}
"""

import contextlib
import os
from collections.abc import Collection, Generator, Mapping
from pathlib import Path
from typing import Any

from ie_scaling.errors import InputError
from ie_scaling.running import environment, files, holding, identity, stopping
from ie_scaling.running.progress import say

RECORDS = ("config.json", "inputs.json", "unfinished.json", "environment.json")

Inputs = identity.Inputs
is_locked = holding.is_locked


@contextlib.contextmanager
def opened(
    directory: Path,
    config: Mapping[str, Any],
    may_change: Collection[str] = (),
    inputs: Inputs | None = None,
    may_hold: Collection[str] = (),
) -> Generator[Path]:
    """Hold `directory` for one experiment: lock it, record what it is, and mark it DONE at a clean end.

    A start that fails before any result leaves nothing behind.

    Args:
      directory: made if absent. One left unfinished by the same config and inputs is taken up again.
      config: the resolved configuration, JSON-ready; it must equal that of an earlier start in the same directory.
      may_change: fields in which it need not, such as how the work is run.
      inputs: what is read, by name: a file, or a sha256 of what is not one file.
      may_hold: names that the directory may hold before its first start.

    Raises:
      InputError: another process holds the directory, it holds something else, or it cannot be written.
    """
    with _made(directory), holding.locked(directory):
        check(directory, config, may_change, inputs, may_hold)
        is_new = not (directory / "config.json").exists()
        incomplete = unfinished(inputs, bool(config.get("allow_unfinished")))
        with _undone(directory, is_new):
            (directory / "DONE").unlink(missing_ok=True)
            _tidy(directory)
            files.write_json(directory / "config.json", config)
            if inputs:
                files.write_json(directory / "inputs.json", identity.digests_of(inputs))
            _record(directory / "unfinished.json", incomplete)
            files.write_json(directory / "environment.json", environment.describe())
            yield directory
            files.write_text(directory / "DONE", "")


def is_done(
    directory: Path, config: Mapping[str, Any], may_change: Collection[str] = (), inputs: Inputs | None = None
) -> bool:
    """Whether `directory` holds the finished results of this very configuration and content; it writes nothing.

    Raises:
      InputError: it holds those of another one; or it holds none, and what is to be read is not finished itself.
    """
    if not is_finished(directory):
        unfinished(inputs, bool(config.get("allow_unfinished")))
        return False
    identity.match_config(directory, config, may_change)
    identity.match_inputs(directory, inputs)
    return True


def check(
    directory: Path,
    config: Mapping[str, Any],
    may_change: Collection[str] = (),
    inputs: Inputs | None = None,
    may_hold: Collection[str] = (),
) -> None:
    """Raise whatever `opened` and `is_done` would refuse; writes nothing, and does not ask for the lock.

    Raises:
      InputError: `directory` is no directory, holds something else, or cannot be written.
    """
    if odd := [name for name in RECORDS if holding.exists(directory / name) and not (directory / name).is_file()]:
        raise InputError(f"{directory / odd[0]}: is no file that this program wrote; {identity.WAY_ON}")
    if is_done(directory, config, may_change, inputs):
        return
    holding.require_place(directory)
    if not directory.exists():
        return
    if not (directory / "config.json").exists():
        _require_empty(directory, may_hold)
        return
    identity.match_config(directory, config, may_change)
    identity.match_inputs(directory, inputs)


def warnings(directory: Path, inputs: Inputs | None = None) -> list[str]:
    """What there is to say against the inputs of the finished results in `directory`."""
    path = directory / "unfinished.json"
    recorded = files.read_json(path) if path.exists() else []
    if not isinstance(recorded, list) or not all(isinstance(entry, str) for entry in recorded):
        raise InputError(f"{path}: is no record that this program wrote; {identity.WAY_ON}")
    return identity.match_inputs(directory, inputs) + recorded


def is_finished(directory: Path) -> bool:
    """Whether `directory` has its DONE.

    Raises:
      InputError: DONE is no file.
    """
    done = directory / "DONE"
    if holding.exists(done) and not done.is_file():
        raise InputError(f"{done}: is no file that this program wrote; {identity.WAY_ON}")
    return done.is_file()


def require_done(directory: str | Path, allow_unfinished: bool = False) -> list[str]:
    """Warnings about a directory that another verb wrote and that is about to be read.

    The parts of one (NAME/posterior.nc of `pool`) are as finished as the whole.

    Raises:
      InputError: it is not there, or it is not finished and that is not allowed.
    """
    directory = Path(directory)
    if not directory.is_dir():
        raise InputError(f"{directory}: no such directory")
    if is_finished(_whole(directory)):
        return []
    unfinished = f"{directory}: is not finished (no DONE)"
    if allow_unfinished:
        return [f"{unfinished}; what it holds so far is used"]
    raise InputError(f"{unfinished}; run its command again to finish it, or set --config.allow_unfinished=True")


def unfinished(inputs: Inputs | None, is_allowed: bool) -> list[str]:
    """Warnings about inputs that lie in a work directory without DONE, such as a sweep's runs.csv half way.

    Raises:
      InputError: there is one, and that is not allowed.
    """
    folders = dict.fromkeys(value.parent for value in (inputs or {}).values() if isinstance(value, Path))
    ours = [folder for folder in folders if folder.is_dir() and identity.experiment_of(_whole(folder)) is not None]
    return [warning for folder in ours for warning in require_done(folder, is_allowed)]


def _whole(directory: Path) -> Path:
    """The work directory that `directory` is or is a part of."""
    return next((path for path in (directory, directory.parent) if (path / "config.json").exists()), directory)


@contextlib.contextmanager
def _made(directory: Path) -> Generator[None]:
    """`directory` with its parents; those made here and still empty go again when the block fails."""
    holding.require_place(directory)
    absent = [folder for folder in (directory, *directory.parents) if not folder.exists()]
    with holding.writing(directory):
        directory.mkdir(parents=True, exist_ok=True)

    def unmake() -> None:
        with contextlib.suppress(OSError):
            for folder in absent:
                folder.rmdir()

    with stopping.tidied_by(unmake):
        try:
            yield
        except BaseException:
            unmake()
            raise


@contextlib.contextmanager
def _undone(directory: Path, is_new: bool) -> Generator[None]:
    """A block after whose failure the records of a first start without results are gone, and its temporaries."""

    def tidy() -> None:
        _tidy(directory, os.getpid())
        if is_new:
            _withdraw(directory)

    with stopping.tidied_by(tidy):
        try:
            yield
        except BaseException:
            if is_new:
                _withdraw(directory)
            raise


def _require_empty(directory: Path, may_hold: Collection[str]) -> None:
    others = sorted(set(os.listdir(directory)) - {".lock", *may_hold})
    others = [name for name in others if not files.is_temporary(name)]
    if others:
        shown = ", ".join(name if name.isprintable() else repr(name) for name in others[:3])
        if len(others) > 3:
            shown += f" and {len(others) - 3} more"
        raise InputError(f"workdir={directory}: holds {shown}, which this program did not write; choose another one")


def _record(path: Path, warnings: list[str]) -> None:
    """Leave warnings at `path`, and print them at once; no file for none."""
    path.unlink(missing_ok=True)
    if warnings:
        files.write_json(path, warnings)
    for warning in warnings:
        say(f"warning: {warning}")


def _tidy(directory: Path, pid: int | None = None) -> None:
    """Remove temporaries of writers that are dead, or of this one, here and in the folders of results."""
    folders = [entry for entry in directory.iterdir() if entry.is_dir() and not (entry / "config.json").exists()]
    for folder in (directory, *folders):
        for path in folder.glob(".*.tmp"):
            if files.is_leftover(path, pid):
                path.unlink(missing_ok=True)


def _withdraw(directory: Path) -> None:
    """Remove the records of a start that has no results; with results, or anything else, all stays."""
    with contextlib.suppress(OSError):
        _tidy(directory)
        for folder in [entry for entry in directory.iterdir() if entry.is_dir()]:
            folder.rmdir()  # an empty one; any other ends this
        if set(os.listdir(directory)) <= {*RECORDS, ".lock"}:
            for name in RECORDS:
                (directory / name).unlink(missing_ok=True)
