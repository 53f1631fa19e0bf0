"""Killed at random, a run ends as if it had not been: parameters, optimizer, data order and log, to the bit."""

import dataclasses
import json
import random
import re
import resource
import signal
import time

import jax
import numpy as np
import pytest

from tests.train import launched
from tests.train.test_loop import CLOCK, final_state

OFTEN = {"log__every_steps": 1, "checkpoint__every_steps": 3}


@pytest.fixture(scope="module")
def long_plan(plan):
    return dataclasses.replace(plan, n_tokens=400 * plan.recipe.tokens_per_step)


@pytest.fixture(scope="module")
def whole(long_plan, tmp_path_factory):
    directory = tmp_path_factory.mktemp("uninterrupted")
    status, said = launched.finish(launched.start(long_plan, directory, log__every_steps=1))
    assert status == 0, said
    return directory


def logged(directory):
    lines = (directory / "metrics.jsonl").read_text().splitlines()
    return [{name: value for name, value in json.loads(line).items() if name not in CLOCK} for line in lines]


def assert_same(plan, directory, whole):
    assert logged(directory) == logged(whole)  # 400 losses to the bit: the same batches in the same order
    assert json.loads((directory / "evaluation.json").read_text()) == json.loads(
        (whole / "evaluation.json").read_text()
    )
    jax.tree.map(np.testing.assert_array_equal, final_state(plan, directory), final_state(plan, whole))


def saving(directory) -> bool:
    """Whether Orbax is in the middle of a save: a directory under its temporary name."""
    checkpoints = directory / "checkpoints"
    return checkpoints.exists() and any("tmp" in path.name for path in checkpoints.iterdir())


def kill_during(plan, directory, rng, how) -> tuple[str, bool]:
    """Start or resume, kill at a random instant after training has begun; where it stood, and whether in a save.

    Half of the kills wait for a save to be under way.
    """
    process = launched.start(plan, directory, **OFTEN)
    before = (directory / "metrics.jsonl").stat().st_mtime_ns if (directory / "metrics.jsonl").exists() else 0
    while process.poll() is None:
        path = directory / "metrics.jsonl"
        if path.exists() and path.stat().st_mtime_ns > before:
            break
        time.sleep(0.01)
    time.sleep(rng.uniform(0, 0.6))
    if rng.random() < 0.5:
        while process.poll() is None and not saving(directory):
            time.sleep(0.0005)
    inside = saving(directory)
    process.send_signal(how)
    status, said = launched.finish(process)
    assert status in (-how, 128 + how, 0), said
    return ("done" if status == 0 else "killed"), inside


def survive(plan, directory, whole, n_kills: int, seed: int) -> dict[str, int]:
    rng, counts = random.Random(seed), {"SIGKILL": 0, "SIGTERM": 0, "inside a save": 0, "runs": 0}
    while counts["SIGKILL"] + counts["SIGTERM"] < n_kills:
        place = directory / str(counts["runs"])
        while counts["SIGKILL"] + counts["SIGTERM"] < n_kills:
            how = rng.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM))
            ended, inside = kill_during(plan, place, rng, how)
            if ended == "done":
                break
            counts[how.name] += 1
            counts["inside a save"] += inside
        status, said = launched.finish(launched.start(plan, place, **OFTEN))
        assert status == 0, said
        assert_same(plan, place, whole)
        counts["runs"] += 1
    return counts


@pytest.mark.slow
def test_three_kills(long_plan, whole, tmp_path):
    survive(long_plan, tmp_path, whole, 3, seed=0)


@pytest.mark.slow
def test_thirty_kills_some_inside_a_save(long_plan, whole, tmp_path, capsys):
    counts = survive(long_plan, tmp_path, whole, 30, seed=1)
    with capsys.disabled():
        print(f"\nkills survived: {counts}")
    assert counts["inside a save"] >= 5
    assert min(counts["SIGKILL"], counts["SIGTERM"]) >= 5


def test_a_second_process_is_refused(long_plan, tmp_path):
    first = launched.start(long_plan, tmp_path / "run", **OFTEN)
    while not (tmp_path / "run" / "metrics.jsonl").exists():
        assert first.poll() is None
        time.sleep(0.05)
    first.send_signal(signal.SIGSTOP)  # so that it cannot end meanwhile
    status, said = launched.finish(launched.start(long_plan, tmp_path / "run", **OFTEN))
    first.kill()
    launched.finish(first)
    assert status == 2
    assert "in use by another process" in said.splitlines()[-1]


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_loses_nothing(long_plan, whole, tmp_path):
    """Files may suddenly not grow beyond 4 kB (RLIMIT_FSIZE, which fails as a full disk does); then they may again."""
    process = launched.start(long_plan, tmp_path / "run", **OFTEN)
    checkpoints = tmp_path / "run" / "checkpoints"
    while not (checkpoints.exists() and any(path.name.isdecimal() for path in checkpoints.iterdir())):
        assert process.poll() is None
        time.sleep(0.01)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (4096, 4096))
    status, said = launched.finish(process)
    assert status == 2
    # A thread of Orbax that dies with the process may print its own traceback beside it, even in the same line.
    (line,) = re.findall(r"error: checkpoint .*", said)
    assert "cannot be written" in line
    assert "is whole" in line
    status, said = launched.finish(launched.start(long_plan, tmp_path / "run", **OFTEN))
    assert status == 0, said
    assert "resumed at step" in said
    assert_same(long_plan, tmp_path / "run", whole)


def compiling(plan, directory):
    """A run inside XLA's compiler, which will not return for minutes: 200 layers, unrolled."""
    deep = dataclasses.replace(plan, architecture=dataclasses.replace(plan.architecture, n_layers=200))
    process = launched.start(deep, directory, scan_layers=False)
    while not (directory / "metrics.jsonl").exists():
        assert process.poll() is None, launched.finish(process)
        time.sleep(0.1)
    time.sleep(15)  # initialization is compiled by now, the step is not
    assert process.poll() is None
    assert not (directory / "metrics.jsonl").read_text()
    return process


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_during_compilation_ends_the_run_within_30_s(plan, tmp_path, how, capsys):
    process = compiling(plan, tmp_path / "run")
    began = time.monotonic()
    process.send_signal(how)
    status, said = launched.finish(process)
    took = time.monotonic() - began
    with capsys.disabled():
        print(f"\n{how.name} during compilation: {took:.1f} s")
    assert status == 128 + how
    assert took < 30
    assert "the same command goes on from here" in said


@pytest.mark.slow
def test_a_second_signal_during_compilation_ends_the_run_at_once(plan, tmp_path):
    process = compiling(plan, tmp_path / "run")
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    time.sleep(1)
    process.send_signal(signal.SIGTERM)
    status, _ = launched.finish(process)
    assert status == 143
    assert time.monotonic() - began < 6


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_during_tokenization_ends_the_run_and_the_next_goes_on(plan, tmp_path, how):
    corpus = dataclasses.replace(plan.recipe.corpus, text="stdlib", directory=str(tmp_path / "corpus"), n_workers=1)
    long = dataclasses.replace(plan, recipe=dataclasses.replace(plan.recipe, corpus=corpus))
    process = launched.start(long, tmp_path / "run")
    while not (tmp_path / "corpus" / "tokenizer.json").exists():
        assert process.poll() is None, launched.finish(process)
        time.sleep(0.01)
    process.send_signal(how)
    status, said = launched.finish(process, timeout_s=30)
    assert status == 128 + how, said
    assert "the same command goes on from here" in said
    assert not (tmp_path / "corpus" / "DONE").exists()
    assert not (tmp_path / "run").exists()
    status, said = launched.finish(launched.start(long, tmp_path / "run"))
    assert status == 0, said
