"""One experiment's directory: locked, recorded, marked done last, never half-written."""

import json
import subprocess
import sys
import textwrap

import pytest

from ie_scaling import files, workdir


def test_done_comes_last_and_only_at_a_clean_end(tmp_path):
    config = {"experiment": "x", "seed": 1}
    with pytest.raises(RuntimeError), workdir.opened(tmp_path / "w", config):
        raise RuntimeError
    assert not workdir.is_done(tmp_path / "w", config)
    with workdir.opened(tmp_path / "w", config) as directory:
        assert json.loads((directory / "config.json").read_text()) == config
        environment = json.loads((directory / "environment.json").read_text())
        assert {"python", "packages", "processor", "devices", "XLA_FLAGS", "git_revision"} <= set(environment)
        assert not (directory / "DONE").exists()
    assert workdir.is_done(tmp_path / "w", config)


def test_another_configuration_is_refused_and_named(tmp_path):
    with workdir.opened(tmp_path, {"seed": 1, "law": "a"}):
        pass
    with pytest.raises(ValueError, match="started with seed=1, now 2"):
        workdir.is_done(tmp_path, {"seed": 2, "law": "a"})
    with (
        pytest.raises(ValueError, match="started with seed=1, now 2"),
        workdir.opened(tmp_path, {"seed": 2, "law": "a"}),
    ):
        pass


def test_a_second_process_is_refused(tmp_path):
    program = textwrap.dedent("""
        import pathlib, sys
        from ie_scaling import workdir
        try:
            with workdir.opened(pathlib.Path(sys.argv[1]), {"seed": 1}):
                print("opened")
        except ValueError as error:
            print(error)
    """)
    command = [sys.executable, "-c", program, str(tmp_path)]
    with workdir.opened(tmp_path, {"seed": 1}):
        held = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    free = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "in use by another process" in held
    assert free.strip() == "opened"


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "value.json"
    files.write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(path, {"a": float("nan")})
    with pytest.raises(RuntimeError), files.replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert files.read_json(path) == {"a": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["value.json"]


def test_broken_json_is_named(tmp_path):
    path = tmp_path / "value.json"
    path.write_text("{")
    with pytest.raises(ValueError, match=r"value.json: not valid JSON"):
        files.read_json(path)


def test_asking_whether_a_directory_is_held_refuses_nobody(tmp_path):
    """Asked all the time from another process, a directory can still be opened, again and again."""
    import subprocess
    import sys

    code = "import sys; from pathlib import Path; from ie_scaling import workdir\n"
    code += "while True: workdir.is_locked(Path(sys.argv[1]))"
    asking = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])
    try:
        for _ in range(200):
            with workdir.opened(tmp_path, {"experiment": "x"}):
                pass
    finally:
        asking.kill()
        asking.wait()
    assert not workdir.is_locked(tmp_path)
    with workdir.opened(tmp_path, {"experiment": "x"}):
        assert workdir.is_locked(tmp_path)
