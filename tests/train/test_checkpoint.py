"""Checkpoints: whole or passed over, kept as long as asked, saved when due, and never mixed up between runs."""

import concurrent.futures
import dataclasses
import os
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ie_scaling.errors import InputError
from ie_scaling.train import checkpoint
from ie_scaling.train.run_identity import RunIdentity
from ie_scaling.train.runtime_config import CheckpointConfig
from ie_scaling.train.step import TrainState

KEEP_THREE = CheckpointConfig(keep=3)


def state(value: int) -> TrainState:
    return TrainState({"w": jnp.full((32, 32), value, jnp.float32)}, {"m": jnp.arange(3)}, jnp.int32(value))


LIKE = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding), state(0))


def save(directory, steps, policy=KEEP_THREE):
    with checkpoint.opened(directory, policy) as saved:
        for step in steps:
            saved.save(step, state(step))


def newest(directory):
    with checkpoint.opened(directory, KEEP_THREE) as saved:
        found = saved.restore_newest(LIKE)
        return (*found, saved.steps) if found else (None, None, saved.steps)


def test_saves_of_two_runs_at_once_are_whole(tmp_path):
    def save_often(name):
        for trial in range(6):
            with checkpoint.opened(tmp_path / name / str(trial), KEEP_THREE) as saved:
                for step in (3, 6):
                    saved.save(step, state(step + trial))

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(save_often, ("a", "b")))
    for name in ("a", "b"):
        for trial in range(6):
            restored, step, _ = newest(tmp_path / name / str(trial))
            assert step == 6
            jax.tree.map(np.testing.assert_array_equal, restored, state(6 + trial))


def test_the_latest_are_kept(tmp_path):
    save(tmp_path, (1, 2, 3, 4, 5))
    assert newest(tmp_path)[2] == [3, 4, 5]


def test_due_by_steps_and_by_time(tmp_path):
    now = [0.0]
    saved = checkpoint.Checkpoints(tmp_path, CheckpointConfig(every_s=10, every_steps=4), clock=lambda: now[0])
    assert [step for step in range(1, 10) if saved.due(step)] == [4, 8]
    now[0] = 10.0
    assert saved.due(1)
    saved.save(1, state(1))
    assert not saved.due(2)
    saved.close()


def harm(directory, how):
    """Do to the newest checkpoint what a dying disk or a hasty hand does."""
    data = sorted((path for path in directory.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    if how == "truncated":
        os.truncate(data[-1], data[-1].stat().st_size // 2)
    elif how == "flipped":
        content = bytearray(data[-1].read_bytes())
        content[len(content) // 2] ^= 0x10
        data[-1].write_bytes(bytes(content))
    elif how == "emptied":
        for path in data:
            os.truncate(path, 0)
    else:
        for path in directory.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.mark.parametrize("how", ["truncated", "flipped", "emptied", "removed"])
def test_a_broken_newest_one_is_passed_over_and_named(tmp_path, capsys, how):
    save(tmp_path / "checkpoints", (3, 6))
    harm(tmp_path / "checkpoints" / "6", how)
    restored, step, steps = newest(tmp_path / "checkpoints")
    assert (step, steps) == (3, [3])
    jax.tree.map(np.testing.assert_array_equal, restored, state(3))
    assert "checkpoint at step 6 is broken" in capsys.readouterr().err
    assert len(list((tmp_path / "checkpoints_broken").iterdir())) == 1
    save(tmp_path / "checkpoints", (6,))
    assert newest(tmp_path / "checkpoints")[1] == 6


def test_a_lost_chunk_which_reads_as_zeros_is_noticed(tmp_path, monkeypatch):
    """TensorStore fills what is absent with zeros: the fingerprint alone can tell."""
    save(tmp_path, (3, 6))
    real = checkpoint.Checkpoints._restore

    with checkpoint.opened(tmp_path, KEEP_THREE) as saved:
        load = saved._orbax.load
        monkeypatch.setattr(
            saved._orbax,
            "load",
            lambda step, like: load(step, like) | ({"parameters": {"w": jnp.zeros((32, 32))}} if step == 6 else {}),
        )
        with pytest.raises(ValueError, match=r"parameters.*is not what was saved"):
            real(saved, 6, LIKE)
        assert saved.restore_newest(LIKE)[1] == 3


def test_none_whole_is_none(tmp_path):
    save(tmp_path / "checkpoints", (3,))
    harm(tmp_path / "checkpoints" / "3", "emptied")
    assert newest(tmp_path / "checkpoints") == (None, None, [])


def test_a_save_that_cannot_be_written_says_so_and_loses_nothing(tmp_path, monkeypatch):
    save(tmp_path, (3,))
    with (
        pytest.raises(
            OSError, match=r"checkpoint at step 6: cannot be written \(.*No space.*\); .* at step 3 is whole"
        ),
        checkpoint.opened(tmp_path, KEEP_THREE) as saved,
    ):

        class Failing:
            def result(self):
                raise ValueError("No space left on device")

        monkeypatch.setattr(saved._orbax, "save_async", lambda *_, **__: Failing())
        saved.save(6, state(6))
        saved.save(9, state(9))
    assert newest(tmp_path)[1] == 3


def copy(directory, step, number):
    shutil.copytree(directory / str(step), directory / str(number))


@pytest.mark.parametrize("number", [2, 9999])
def test_a_copy_under_another_number_is_not_believed_and_not_deleted(tmp_path, capsys, number):
    directory = tmp_path / "checkpoints"
    save(directory, (3, 6))
    copy(directory, 6, number)
    _, step, steps = newest(directory)
    assert (step, steps) == (6, [3, 6])
    assert f"checkpoint at step {number} holds step 6: copied or renamed: skipped" in capsys.readouterr().err
    assert len(list((tmp_path / "checkpoints_broken").iterdir())) == 1


def test_with_renamed_checkpoints_alone_nothing_is_begun_anew_unasked(tmp_path):
    directory = tmp_path / "checkpoints"
    save(directory, (6,))
    (directory / "6").rename(directory / "9")
    with pytest.raises(InputError, match=r"step 9 holds step 6: copied or renamed; none is this run's"):
        newest(directory)
    assert (directory / "9").exists()


OWN = RunIdentity(n_steps=8, run="own", data="text")


def newest_of(identity, directory):
    with checkpoint.opened(directory, KEEP_THREE, identity) as saved:
        return saved.restore_newest(LIKE)


def save_as(identity, directory, step, holds=None):
    with checkpoint.opened(directory, KEEP_THREE, identity) as saved:
        saved.save(step, state(step if holds is None else holds))


def test_a_checkpoint_beyond_the_run_or_of_another_run_is_not_believed(tmp_path, capsys):
    directory = tmp_path / "checkpoints"
    save_as(OWN, directory, 3)
    save_as(dataclasses.replace(OWN, run="other"), directory, 6)
    save_as(dataclasses.replace(OWN, n_steps=20), directory, 12)
    assert newest_of(OWN, directory)[1] == 3
    said = capsys.readouterr().err
    assert "step 6 is another run's: skipped" in said
    assert "step 12 is beyond the run's 8 steps: skipped" in said


def test_the_step_inside_the_state_must_be_the_name(tmp_path, capsys):
    directory = tmp_path / "checkpoints"
    save_as(OWN, directory, 3)
    save_as(OWN, directory, 6, holds=5)
    assert newest_of(OWN, directory)[1] == 3
    assert "step 6 holds step 5" in capsys.readouterr().err


def test_a_run_does_not_go_on_on_another_text(tmp_path):
    save_as(OWN, tmp_path / "checkpoints", 3)
    with pytest.raises(
        InputError, match=r"step 3 was trained on another text \(tokens text, .* now holds other\); none"
    ):
        newest_of(dataclasses.replace(OWN, data="other"), tmp_path / "checkpoints")


def test_what_a_user_put_beside_the_checkpoints_stays(tmp_path):
    directory = tmp_path / "checkpoints"
    save(directory, (3,))
    for name in ("2", "007", "notes"):
        (directory / name).mkdir()
        (directory / name / "notes.txt").write_text("mine")
    (directory / "9").write_text("mine")
    assert newest(directory)[1] == 3
    save(directory, (10, 11, 12, 13))
    texts = [path for path in tmp_path.rglob("*") if path.is_file() and path.read_bytes() == b"mine"]
    assert len(texts) == 4


@pytest.mark.parametrize("content", ["[]", "4", '{"custom_metadata": 4, "init_timestimp_nsecs": 1}', ""])
def test_metadata_that_stop_orbax_are_set_aside(tmp_path, capsys, content):
    """Orbax reads the metadata of every checkpoint when it opens the directory."""
    save(tmp_path / "checkpoints", (3, 6))
    (tmp_path / "checkpoints" / "6" / "_CHECKPOINT_METADATA").write_text(content)
    assert newest(tmp_path / "checkpoints")[1:] == (3, [3])
    assert "checkpoint at step 6 is broken" in capsys.readouterr().err


def test_a_refusal_leaves_everything_where_it_was(tmp_path):
    directory = tmp_path / "checkpoints"
    save(directory, (3, 6))
    (directory / "3").rename(directory / "9")
    (directory / "6" / "_CHECKPOINT_METADATA").write_text("[]")
    with pytest.raises(InputError, match="none is this run's"):
        newest(directory)
    assert sorted(path.name for path in tmp_path.rglob("*") if path.parent in (tmp_path, directory)) == [
        "6",
        "9",
        "checkpoints",
    ]
