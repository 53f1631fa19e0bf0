"""Shutdown on signals: polled where work can poll, and by the watchdog where a library does not return."""

import signal
import subprocess
import sys
import time

import pytest

# pbkdf2 stays in C without the GIL for minutes, as XLA's compiler does: no Python handler runs meanwhile.
BLOCK = "hashlib.pbkdf2_hmac('sha256', b'', b'', 10**9)"
PROGRAM = """
import hashlib, sys, time
from ie_scaling.running import stopping
stopping.GRACE_S, stopping.SECOND_GRACE_S = {grace_s}, 0.2
try:
    {body}
except stopping.Stopped as stopped:
    sys.exit(128 + stopped.signal_number)
"""


def start(body, grace_s=0.5):
    """A process that has said "ready" inside `body`."""
    program = PROGRAM.format(grace_s=grace_s, body=body)
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    return process


def within(work):
    return f"with stopping.on_signals() as stop:\n        print('ready', flush=True)\n        {work}"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_work_inside_a_library_with_nothing_to_save_ends_after_the_grace(number):
    process = start(within(BLOCK))
    began = time.monotonic()
    process.send_signal(number)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 128 + number
    assert time.monotonic() - began < 5
    assert "the same command goes on from here" in said.splitlines()[-1]


def test_work_with_something_to_save_is_waited_for_until_a_second_signal():
    process = start(within(f"with stop.saving_first(): {BLOCK}"))
    process.send_signal(signal.SIGTERM)
    time.sleep(2.0)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 143
    assert "a second signal" in said


def test_an_echo_of_the_first_signal_is_no_second_one():
    """Batch systems send SIGTERM to the process and to its group at once."""
    work = "with stop.saving_first():\n            stop.wait(); time.sleep(1); print('saved', flush=True)"
    process = start(within(work))
    process.send_signal(signal.SIGTERM)
    time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=20)
    assert (out, process.returncode) == ("saved\n", 0)


@pytest.mark.parametrize("work", ["time.sleep(60)", BLOCK])
def test_work_that_cannot_poll_is_broken_off(work):
    process = start(f"with stopping.broken_off():\n        print('ready', flush=True)\n        {work}")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 143


def test_handlers_and_wakeup_are_put_back():
    from ie_scaling.running import stopping

    before = signal.getsignal(signal.SIGTERM), signal.set_wakeup_fd(-1)
    with stopping.on_signals(), stopping.broken_off():
        assert signal.getsignal(signal.SIGTERM) is not before[0]
    assert (signal.getsignal(signal.SIGTERM), signal.set_wakeup_fd(-1)) == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_work_that_may_be_broken_off_ends_at_once_tidied_and_in_one_line(number, tmp_path):
    body = f"import pathlib\n    tidy = pathlib.Path({str(tmp_path / 'a')!r}).touch\n"
    body += "    with stopping.at_once(), stopping.tidied_by(tidy):\n        print('ready', flush=True)\n"
    process = start(f"{body}        {BLOCK}")
    began = time.monotonic()
    process.send_signal(number)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 128 + number
    assert time.monotonic() - began < 5
    assert said == "interrupted; the same command goes on from here\n"
    assert (tmp_path / "a").exists()
