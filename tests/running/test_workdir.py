"""One experiment's directory: locked, recorded, marked done last, never half-written."""

import json
import os
import subprocess
import sys
import textwrap

import pytest

from ie_scaling.errors import InputError
from ie_scaling.running import files, identity, workdir


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
        from ie_scaling.running import workdir
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


CONFIG = {"experiment": "fit", "runs": "runs.csv", "nuts": {"n_chains": 4}}


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text("loss\n2\n")
    return path


def finish(directory, inputs, config=CONFIG):
    with workdir.opened(directory, config, inputs=inputs):
        files.write_text(directory / "result", "1")


def listing(directory):
    return sorted(path.name for path in directory.iterdir())


def test_changed_content_of_an_input_is_refused_with_both_hashes(tmp_path, table):
    inputs = identity.named("runs", [table])
    finish(tmp_path / "w", inputs)
    assert workdir.is_done(tmp_path / "w", CONFIG, inputs=inputs)
    before = files.sha256(table)[:12]
    table.write_text("loss\n3\n")
    after = files.sha256(table)[:12]
    for ask in (workdir.is_done, workdir.check):
        with pytest.raises(InputError, match=f"runs {table}.*{before}, now {after}.*another --workdir"):
            ask(tmp_path / "w", CONFIG, inputs=inputs)


def test_an_unfinished_start_is_not_taken_up_on_other_content(tmp_path):
    with pytest.raises(RuntimeError), workdir.opened(tmp_path / "w", CONFIG, inputs={"corpus": "a" * 64}) as directory:
        files.write_text(directory / "half", "1")
        raise RuntimeError
    before = listing(tmp_path / "w")
    with pytest.raises(InputError, match="content of corpus"):
        finish(tmp_path / "w", {"corpus": "b" * 64})
    assert listing(tmp_path / "w") == before
    finish(tmp_path / "w", {"corpus": "a" * 64})


def test_a_finished_result_whose_input_is_gone_is_shown_with_a_warning(tmp_path, table):
    inputs = identity.named("runs", [table])
    finish(tmp_path / "w", inputs)
    table.unlink()
    assert workdir.is_done(tmp_path / "w", CONFIG, inputs=inputs)
    assert ["is no longer there" in warning for warning in workdir.warnings(tmp_path / "w", inputs)] == [True]


def test_another_experiments_directory_is_refused(tmp_path):
    finish(tmp_path / "w", {})
    with pytest.raises(InputError, match="holds experiment 'fit', not 'rank'"):
        finish(tmp_path / "w", {}, {"experiment": "rank"})


def test_a_nested_field_that_differs_is_named_in_full(tmp_path):
    finish(tmp_path / "w", {})
    with pytest.raises(InputError, match=r"started with nuts.n_chains=4, now 2"):
        workdir.is_done(tmp_path / "w", CONFIG | {"nuts": {"n_chains": 2}})
    assert workdir.is_done(tmp_path / "w", CONFIG | {"nuts": {"n_chains": 2}}, may_change=("nuts",))
    assert workdir.is_done(tmp_path / "w", CONFIG | {"allow_unfinished": True})
    assert workdir.is_done(tmp_path / "w", CONFIG | {"columns": ""})  # a field that is newer than the directory
    with pytest.raises(InputError, match="started with columns=None, now 'N'"):
        workdir.is_done(tmp_path / "w", CONFIG | {"columns": "N"})


@pytest.mark.parametrize("name", ["notes.txt", ".hidden", "shards/"])
def test_files_of_the_users_are_refused_and_left_alone(tmp_path, name):
    path = tmp_path / name
    path.mkdir() if name.endswith("/") else path.write_text("mine")
    with pytest.raises(InputError, match=f"holds {name.strip('/')}, which this program did not write"):
        finish(tmp_path, {})
    assert listing(tmp_path) == [name.strip("/")]


def test_what_a_directory_may_hold_before_is_named(tmp_path):
    (tmp_path / "FAILED.json").write_text("{}")
    with workdir.opened(tmp_path, CONFIG, may_hold=("FAILED.json",)):
        pass
    assert workdir.is_done(tmp_path, CONFIG)


def test_a_start_that_fails_before_any_result_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), workdir.opened(tmp_path / "a" / "b", CONFIG) as directory:
        (directory / "figures").mkdir()
        raise KeyboardInterrupt
    assert listing(tmp_path) == []
    (tmp_path / "empty").mkdir()
    with pytest.raises(RuntimeError), workdir.opened(tmp_path / "empty", CONFIG):
        raise RuntimeError
    assert listing(tmp_path / "empty") == []


def test_leftovers_of_dead_writers_are_tidied_and_no_others(tmp_path):
    finish(tmp_path, {})
    dead = subprocess.Popen(["true"])
    dead.wait()
    (tmp_path / "figures").mkdir()
    left = tmp_path / "figures" / f".a.png.{dead.pid}-abcdefgh.tmp"
    others = [tmp_path / f".fit.json.{os.getpid()}-abcdefgh.tmp", tmp_path / ".mine.tmp"]
    for path in (left, *others):
        path.write_text("")
    finish(tmp_path, {})
    assert not left.exists()
    assert all(path.exists() for path in others)


@pytest.mark.parametrize("content", [b"[]", b"3", b"\xff\xfe", b"{", b'{"experiment": 7}', b"[" * 100_000, b""])
@pytest.mark.parametrize("done", [True, False])
def test_a_damaged_config_is_one_line(tmp_path, content, done):
    finish(tmp_path, {})
    if not done:
        (tmp_path / "DONE").unlink()
    (tmp_path / "config.json").write_bytes(content)
    before = listing(tmp_path)
    with pytest.raises(InputError) as caught:
        finish(tmp_path, {})
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert listing(tmp_path) == before


@pytest.mark.parametrize("content", [b"[]", b'{"a": 1}', b"\xff"])
def test_damaged_inputs_are_one_line(tmp_path, content):
    finish(tmp_path, {"corpus": "a" * 64})
    (tmp_path / "inputs.json").write_bytes(content)
    with pytest.raises(InputError, match=r"inputs\.json"):
        workdir.is_done(tmp_path, CONFIG)


@pytest.mark.parametrize("name", ["DONE", ".lock", "config.json", "inputs.json"])
def test_a_directory_in_the_place_of_a_record_is_one_line(tmp_path, name):
    finish(tmp_path, {})
    (tmp_path / "DONE").unlink()
    (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / name).mkdir()
    with pytest.raises(InputError, match=str(tmp_path)):
        finish(tmp_path, {})


@pytest.mark.parametrize("place", ["runs.csv", "runs.csv/deeper", "x" * 300, "a\0b"])
def test_an_impossible_place_is_one_line(tmp_path, table, place):
    for ask in (finish, lambda directory, inputs: workdir.check(directory, CONFIG, (), inputs)):
        with pytest.raises(InputError, match="workdir="):
            ask(tmp_path / place, {})
    assert listing(tmp_path) == ["runs.csv"]


def test_only_a_finished_directory_is_read_unless_allowed(tmp_path):
    with pytest.raises(InputError, match="no such directory"):
        workdir.require_done(tmp_path / "fit")
    with pytest.raises(RuntimeError), workdir.opened(tmp_path / "fit", CONFIG) as directory:
        files.write_text(directory / "part" / "posterior.nc", "")
        files.write_text(directory / "runs.csv", "")
        raise RuntimeError
    for place in ("fit", "fit/part"):
        with pytest.raises(InputError, match=r"is not finished.*allow_unfinished=True"):
            workdir.require_done(tmp_path / place)
        assert "is not finished" in workdir.require_done(tmp_path / place, allow_unfinished=True)[0]
    with workdir.opened(tmp_path / "fit", CONFIG):
        pass
    assert workdir.require_done(tmp_path / "fit" / "part") == []


def test_what_is_read_of_an_unfinished_directory_is_refused_or_remarked_on(tmp_path):
    """A sweep under way has written five of sixteen rows."""
    with pytest.raises(RuntimeError), workdir.opened(tmp_path / "sweep", {"experiment": "sweep"}) as directory:
        files.write_text(directory / "runs.csv", "loss")
        raise RuntimeError
    inputs = identity.named("runs", [tmp_path / "sweep" / "runs.csv"])
    for ask in (workdir.is_done, workdir.check):
        with pytest.raises(InputError, match=r"sweep: is not finished.*allow_unfinished=True"):
            ask(tmp_path / "fit", CONFIG, inputs=inputs)
    with workdir.opened(tmp_path / "fit", CONFIG | {"allow_unfinished": True}, inputs=inputs):
        pass
    assert "sweep: is not finished" in workdir.warnings(tmp_path / "fit", inputs)[0]
    with workdir.opened(tmp_path / "sweep", {"experiment": "sweep"}):
        pass
    finish(tmp_path / "other", inputs)
    assert workdir.warnings(tmp_path / "other", inputs) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_finished_directory_is_done(tmp_path):
    finish(tmp_path / "w", {})
    (tmp_path / "w").chmod(0o555)
    assert workdir.is_done(tmp_path / "w", CONFIG)
    workdir.check(tmp_path / "w", CONFIG)
    (tmp_path / "w").chmod(0o755)
