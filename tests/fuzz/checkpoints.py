"""Checkpoints copied, renamed, mixed and damaged: what is restored is what was saved at that step of that run."""

import functools
import json
import random
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from ie_scaling.train import checkpoint
from ie_scaling.train.run_identity import RunIdentity
from ie_scaling.train.runtime_config import CheckpointConfig
from ie_scaling.train.step import TrainState
from tests.fuzz.harness import Case

OWN = RunIdentity(n_steps=40, run="own", data="text")
OTHER_RUN, OTHER_TEXT = RunIdentity(40, "other", "text"), RunIdentity(40, "own", "other text")
LONGER = RunIdentity(400, "own", "text")
KEEP = CheckpointConfig(keep=9)
METADATA = "_CHECKPOINT_METADATA"


def state(step: int) -> TrainState:
    return TrainState({"w": jnp.full((4, 4), step, jnp.float32)}, {"m": jnp.arange(3)}, jnp.int32(step))


LIKE = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding), state(0))


@functools.cache
def saved() -> Path:
    """One checkpoint of each kind, saved once: own-10, own-20, other-30, text-30, longer-300."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-saved-"))
    kinds = [("own", OWN, 10), ("own", OWN, 20), ("other", OTHER_RUN, 30), ("text", OTHER_TEXT, 30)]
    for name, identity, step in [*kinds, ("longer", LONGER, 300)]:
        with checkpoint.opened(folder / "work", KEEP, identity) as checkpoints:
            checkpoints.save(step, state(step))
        (folder / "work" / str(step)).rename(folder / f"{name}-{step}")
    return folder


def draw(rng: random.Random, folder: Path) -> Case:
    """The run's two checkpoints, with one to three damages."""
    directory = folder / "checkpoints"
    for step in (10, 20):
        shutil.copytree(saved() / f"own-{step}", directory / str(step))
    what = [rng.choice(DAMAGES)(rng, directory) for _ in range(rng.randrange(1, 4))]
    return Case(", ".join(what), lambda: _restore(directory))


def _restore(directory: Path) -> None:
    mine = {path: path.read_bytes() for path in directory.rglob("mine*") if path.is_file()}
    with checkpoint.opened(directory, KEEP, OWN) as checkpoints:
        found = checkpoints.restore_newest(LIKE)
    if found is not None:
        restored, step = found
        assert step in (10, 20), f"resumed at step {step}"
        jax.tree.map(np.testing.assert_array_equal, restored, state(step))
    kept = [path.read_bytes() for path in directory.parent.rglob("mine*") if path.is_file()]
    assert sorted(kept) == sorted(mine.values()), "a user's file is gone"


Damage = Callable[[random.Random, Path], str]


def _number(rng: random.Random) -> str:
    return str(rng.choice((0, 1, 11, 15, 21, 39, 40, 41, 300, 9999, 2**31, 2**63, 10**30)))


def _chosen(rng: random.Random, directory: Path) -> Path | None:
    folders = sorted(path for path in directory.iterdir() if path.is_dir())
    return rng.choice(folders) if folders else None


def _copied(rng: random.Random, directory: Path) -> str:
    chosen, number = _chosen(rng, directory), _number(rng)
    if chosen and not (directory / number).exists():
        shutil.copytree(chosen, directory / number)
    return f"copied to {number}"


def _renamed(rng: random.Random, directory: Path) -> str:
    chosen, number = _chosen(rng, directory), _number(rng)
    if chosen and not (directory / number).exists():
        chosen.rename(directory / number)
    return f"renamed to {number}"


def _swapped(rng: random.Random, directory: Path) -> str:
    if (directory / "10").exists() and (directory / "20").exists():
        (directory / "10").rename(directory / "x")
        (directory / "20").rename(directory / "10")
        (directory / "x").rename(directory / "20")
    return "two swapped"


def _removed(rng: random.Random, directory: Path) -> str:
    if chosen := _chosen(rng, directory):
        shutil.rmtree(chosen)
    return "one removed"


def _foreign(name: str) -> Damage:
    def damage(rng: random.Random, directory: Path) -> str:
        number = rng.choice((name.partition("-")[2], _number(rng)))
        if not (directory / number).exists():
            shutil.copytree(saved() / name, directory / number)
        return f"{name} put at {number}"

    return damage


def _state_of(name: str) -> Damage:
    def damage(rng: random.Random, directory: Path) -> str:
        if (chosen := _chosen(rng, directory)) and (chosen / "state").is_dir():
            shutil.rmtree(chosen / "state")
            shutil.copytree(saved() / name / "state", chosen / "state")
        return f"the state of {name} under its metadata"

    return damage


def _metadata(edit: Callable[[random.Random, dict], object]) -> Damage:
    def damage(rng: random.Random, directory: Path) -> str:
        chosen = _chosen(rng, directory)
        path = chosen / METADATA if chosen else None
        if path and path.is_file():
            try:
                values = json.loads(path.read_text())
                changed = edit(rng, values)
            except (ValueError, KeyError, AttributeError, TypeError):
                return "metadata damaged twice"
            path.write_text(json.dumps(values if changed is None else changed))
        return "metadata changed"

    return damage


def _set_own(rng: random.Random, values: dict) -> None:
    field = rng.choice(("step", "run", "data", "fingerprint"))
    values["custom_metadata"][field] = rng.choice((None, [], {}, "x", -1, 20.5, True, 9999, 10**30, {"a": 1}))


def _drop_own(rng: random.Random, values: dict) -> None:
    values["custom_metadata"].pop(rng.choice(("run", "data", "fingerprint")))


def _bytes(rng: random.Random, directory: Path) -> str:
    chosen = _chosen(rng, directory)
    inside = sorted(path for path in chosen.rglob("_*") if path.is_file()) if chosen else []  # metadata alone
    if inside:
        path = rng.choice(inside)
        content = bytearray(path.read_bytes())
        how = rng.choice(("flip", "cut", "empty", "zero"))
        if how == "flip" and content:
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        at = rng.randrange(len(content) + 1)
        content = {"cut": content[:at], "empty": bytearray(), "zero": content[:at] + bytes(len(content) - at)}.get(
            how, content
        )
        path.write_bytes(bytes(content))
        return f"{path.name}: {how}"
    return "nothing to damage"


def _users(rng: random.Random, directory: Path) -> str:
    name = rng.choice(("7", "007", "notes", "20_backup", "mine.txt", "33"))
    if not (directory / name).exists():
        if rng.random() < 0.5:
            (directory / name).mkdir()
            (directory / name / "mine.txt").write_text(f"mine {rng.random()}")
        else:
            (directory / name).write_text("a file")
    return f"a user's {name}"


DAMAGES: tuple[Damage, ...] = (
    _copied,
    _copied,
    _renamed,
    _swapped,
    _removed,
    _users,
    _users,
    _bytes,
    _bytes,
    *(_foreign(name) for name in ("other-30", "text-30", "longer-300")),
    *(_state_of(name) for name in ("own-10", "other-30", "longer-300")),
    _metadata(_set_own),
    _metadata(_drop_own),
    _metadata(lambda rng, values: rng.choice(([], 4, {}, "x", {"custom_metadata": []}))),
)
