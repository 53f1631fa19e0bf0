"""Checkpoints of a run: Orbax saves of the state, with a fingerprint that detects damage when they are read."""

import contextlib
import logging
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Generator, Mapping
from pathlib import Path
from typing import Any

import jax
from orbax.checkpoint import v1 as ocp

from ie_scaling.errors import InputError
from ie_scaling.running.progress import say
from ie_scaling.train import distributed, fingerprint
from ie_scaling.train.run_identity import RunIdentity
from ie_scaling.train.runtime_config import CheckpointConfig
from ie_scaling.train.step import TrainState

ASK_EVERY_STEPS = 16  # how often several processes agree on whether time is up
# Orbax numbers its saves by process, so that two at once, from runs side by side, make each other's directories.
_LOCK = threading.Lock()
_under_way: Any = None


class _Strange(ValueError):
    """A checkpoint of another step than its name says."""


class Checkpoints:
    """The latest checkpoints in one directory, saved in the background when due by time or by steps.

    Orbax writes under a temporary name and renames when whole, so an interrupted save is never taken for a checkpoint.
    """

    def __init__(
        self,
        directory: Path,
        policy: CheckpointConfig,
        clock: Callable[[], float] = time.monotonic,
        identity: RunIdentity | None = None,
    ):
        self._directory, self._policy, self._clock = directory.resolve(), policy, clock
        self._identity = identity
        self._moved: list[tuple[Path, Path]] = []  # set aside: where it lies, where it lay
        self._last_time, self._saving = clock(), None
        self._orbax = self._open()

    def _open(self) -> Any:
        newest: Any = ocp.training.preservation_policies.LatestN(self._policy.keep)
        options: Any = {"preservation_policy": newest, "cleanup_tmp_directories": True}
        try:
            return ocp.training.Checkpointer(str(self._directory), **options)
        except Exception as error:  # Orbax reads the metadata of all, and one that is damaged stops it
            broken = dict.fromkeys(_steps_on_disk(self._directory), "is broken (its metadata)")
            broken = {step: reason for step, reason in broken.items() if not _opens(self._directory / str(step))}
            if not broken:
                raise InputError(f"{self._directory}: cannot be opened ({_reason(error)})") from None
            _say_skipped(broken)
            self._move(broken)
        return ocp.training.Checkpointer(str(self._directory), **options)

    @property
    def steps(self) -> list[int]:
        """Steps of which there is a checkpoint, ascending."""
        return [entry.step for entry in self._orbax.checkpoints]

    def due(self, step: int) -> bool:
        """Whether it is time to save, `step` steps being done."""
        every_s, every_steps = self._policy.every_s, self._policy.every_steps
        if every_steps and step % every_steps == 0:
            return True
        if not every_s or (jax.process_count() > 1 and step % ASK_EVERY_STEPS):
            return False
        return distributed.agreed(self._clock() - self._last_time >= every_s)

    def save(self, step: int, state: TrainState) -> None:
        """Start saving in the background the state after `step` steps.

        Raises:
          OSError: the save before this one could not be written.
        """
        global _under_way
        self._check()
        own = {} if self._identity is None else self._identity.metadata
        metadata = {"fingerprint": fingerprint.of(state), "step": step, **own}
        with _LOCK:
            if _under_way is not None:
                with contextlib.suppress(Exception):  # its own run hears of it
                    _under_way.result()
            with self._as_os_error(step):
                saving = self._orbax.save_async(step, _as_tree(state), custom_metadata=metadata, force=True)
            _under_way, self._saving = saving, (step, saving)
        self._last_time = self._clock()

    def _check(self) -> None:
        """Wait for the save under way; raises OSError where it failed."""
        if self._saving is not None:
            (step, saving), self._saving = self._saving, None
            with self._as_os_error(step):
                saving.result()

    @contextlib.contextmanager
    def _as_os_error(self, step: int) -> Generator[None]:
        try:
            yield
        except Exception as error:  # file systems fail through Orbax and TensorStore in many classes
            good = [str(at) for at in _steps_on_disk(self._directory) if at != step]
            left = f"the checkpoint at step {good[-1]} is whole" if good else "there is none yet"
            raise OSError(f"checkpoint at step {step}: cannot be written ({_reason(error)}); {left}") from error

    def restore_newest(self, like: TrainState) -> tuple[TrainState, int] | None:
        """The newest whole checkpoint, placed as the abstract state `like` says, and its step; None: there is none.

        Broken ones, and those of another step or run than their name and directory say, are named, and set aside in a
        directory beside, where no pruning deletes them.

        Raises:
          InputError: every checkpoint that can be read is of another step, run or corpus.
        """
        try:
            restored, skipped = self._newest(like)
        except InputError:
            self._put_back()
            raise
        _say_skipped(skipped)
        self._set_aside(skipped)
        return restored

    def _newest(self, like: TrainState) -> tuple[tuple[TrainState, int] | None, dict[int, str]]:
        """The newest whole checkpoint, and why others are not used, by their steps."""
        metadata = {step: self._metadata(step) for step in self.steps}
        bad = {step: "is broken (its metadata)" for step, entry in metadata.items() if "fingerprint" not in entry}
        strange = {step: reason for step, entry in metadata.items() if (reason := self._strangeness(step, entry))}
        restored = None
        for step in sorted(metadata.keys() - bad.keys() - strange.keys(), reverse=True):
            try:
                restored = self._restore(step, like), step
                break
            except _Strange as error:
                strange[step] = str(error)
            except Exception as error:  # what is broken shows itself in many classes
                bad[step] = f"is broken ({_reason(error)})"
        if restored is None and strange:
            step, reason = max(strange.items())
            rule = "none is this run's; put the right ones back, or remove them to start anew"
            raise InputError(f"{self._directory}: the checkpoint at step {step} {reason}; {rule}")
        return restored, bad | strange

    def _strangeness(self, step: int, metadata: Mapping[str, Any]) -> str:
        """What the metadata of the checkpoint at `step` say against it; "" for nothing, as where there are none."""
        at = metadata.get("step", step)
        if at != step:
            return f"holds step {at}: copied or renamed"
        return "" if self._identity is None or not metadata else self._identity.contradiction(step, metadata)

    def _metadata(self, step: int) -> Mapping[str, Any]:
        """The custom metadata, empty where they cannot be read: then it is broken, or of a user's own making."""
        try:
            metadata = self._orbax.metadata(step).custom_metadata
        except Exception:  # what is broken shows itself in many classes
            return {}
        return metadata if isinstance(metadata, Mapping) else {}

    def _restore(self, step: int, like: TrainState) -> TrainState:
        state = TrainState(**self._orbax.load(step, _as_tree(like)))
        metadata = self._metadata(step)
        expected = metadata["fingerprint"]
        actual = fingerprint.of(state)
        wrong = [name for name, value in expected.items() if actual.get(name) != value]
        if wrong or actual.keys() != expected.keys():
            raise ValueError(f"{wrong[0] if wrong else 'its tree'} is not what was saved")
        at = int(jax.device_get(state.step))
        if at != step and (self._identity is not None or "step" not in metadata):
            raise _Strange(f"holds step {at}: copied or renamed")
        return state

    def _set_aside(self, bad: Collection[int]) -> None:
        """Out of Orbax's sight, which would count them among those to keep."""
        if bad:
            self._orbax.close()
            self._move(bad)
            self._orbax = self._open()

    def _move(self, bad: Collection[int]) -> None:
        if distributed.is_primary():
            for step in bad:
                aside = self._directory.with_name(f"{self._directory.name}_broken") / f"{step}-{time.time_ns()}"
                aside.parent.mkdir(exist_ok=True)
                self._moved.append(((self._directory / str(step)).rename(aside), self._directory / str(step)))
        distributed.barrier("broken checkpoints set aside")

    def _put_back(self) -> None:
        """What was moved, before a refusal, which changes nothing."""
        for aside, original in self._moved:
            aside.rename(original)
            with contextlib.suppress(OSError):  # others may lie there
                aside.parent.rmdir()
        self._moved = []

    def close(self) -> None:
        """Wait for the save under way.

        Raises:
          OSError: it could not be written.
        """
        try:
            self._check()
        finally:
            with contextlib.suppress(Exception):  # raises again what `_check` has raised
                self._orbax.close()


@contextlib.contextmanager
def opened(directory: Path, policy: CheckpointConfig, identity: RunIdentity | None = None) -> Generator[Checkpoints]:
    """The checkpoints in `directory`, waited for when the block ends, however it ends."""
    logging.getLogger("absl").addFilter(_own_words)
    checkpoints = Checkpoints(directory, policy, identity=identity)
    try:
        yield checkpoints
    except BaseException:
        with contextlib.suppress(OSError):  # what ended the block matters more
            checkpoints.close()
        raise
    checkpoints.close()


def abstract(state_shape: TrainState, shardings: TrainState) -> TrainState:
    """Shapes, dtypes and places of a state, to restore into."""
    return jax.tree.map(
        lambda leaf, placed: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=placed), state_shape, shardings
    )


def _as_tree(state: TrainState) -> dict[str, Any]:
    return {"parameters": state.parameters, "optimizer_state": state.optimizer_state, "step": state.step}


def _steps_on_disk(directory: Path) -> list[int]:
    names = [path.name for path in directory.iterdir() if path.is_dir()] if directory.is_dir() else []
    return sorted(int(name) for name in names if name.isdecimal() and name == str(int(name)))


def _opens(checkpoint: Path) -> bool:
    """Whether Orbax can open a directory that holds this checkpoint alone."""
    with tempfile.TemporaryDirectory() as alone:
        (Path(alone) / checkpoint.name).symlink_to(checkpoint)
        try:
            ocp.training.Checkpointer(alone).close()
        except Exception:  # what is broken shows itself in many classes
            return False
    return True


def _say_skipped(bad: Mapping[int, str]) -> None:
    for step, reason in sorted(bad.items(), reverse=True):
        say(f"checkpoint at step {step} {reason}: skipped")


def _reason(error: BaseException) -> str:
    """The first line of an error; of a long one the beginning and the end, where file systems give the cause."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0] if len(lines[0]) <= 200 else f"{lines[0][:40]} … {lines[0][-150:]}"


def _own_words(record: logging.LogRecord) -> bool:
    """Not Orbax's: each of its threads logs the traceback of one failed save, which is reported here in one line."""
    return "orbax" not in record.pathname
