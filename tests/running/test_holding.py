"""The lock of a directory: one process at a time, and looking refuses nobody."""

import subprocess
import sys

import pytest

from ie_scaling.errors import InputError
from ie_scaling.running import holding, workdir


def test_looking_whether_a_directory_is_held_refuses_nobody(tmp_path):
    """Looked at all the time by another process, a directory can still be opened, again and again."""
    code = "import sys; from pathlib import Path; from ie_scaling.running import workdir\n"
    code += "while True: workdir.is_locked(Path(sys.argv[1]))"
    looking = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])
    try:
        for _ in range(200):
            with workdir.opened(tmp_path, {"experiment": "x"}):
                pass
        assert looking.poll() is None, "it looked at nothing"
    finally:
        looking.kill()
        looking.wait()
    assert not holding.is_locked(tmp_path)
    with workdir.opened(tmp_path, {"experiment": "x"}):
        assert holding.is_locked(tmp_path)


def test_the_lock_is_gone_afterwards_and_refuses_meanwhile(tmp_path):
    with holding.locked(tmp_path):
        assert holding.is_locked(tmp_path)
        with pytest.raises(InputError, match="in use by another process"), holding.locked(tmp_path):
            pass
    assert not list(tmp_path.iterdir())


def test_a_lock_that_this_program_did_not_write_is_left_alone(tmp_path):
    (tmp_path / ".lock").write_text("mine")
    with pytest.raises(InputError, match="is no empty file"), holding.locked(tmp_path):
        pass
    assert (tmp_path / ".lock").read_text() == "mine"


def test_there_is_nothing_below_a_file(tmp_path):
    (tmp_path / "a").touch()
    assert not holding.exists(tmp_path / "a" / "b")
    with pytest.raises(InputError, match="is no directory"):
        holding.require_place(tmp_path / "a" / "b")
    holding.require_place(tmp_path / "c" / "d")
