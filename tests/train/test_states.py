"""Where every run of a sweep stands, whatever its files hold."""

import os

import pytest

from ie_scaling.errors import InputError
from ie_scaling.running import config as config_lib
from ie_scaling.running import files, workdir
from ie_scaling.train import attempt, states


def test_status_of_what_is_no_sweep_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"config.json: no such file"):
        states.read(tmp_path)
    (tmp_path / "config.json").write_text('{"experiment": "train"}')
    with pytest.raises(InputError, match="holds no sweep"):
        states.read(tmp_path)


@pytest.fixture
def planned(sweep_config, tmp_path):
    """A sweep that was begun: its directory and that of its first run."""
    files.write_json(tmp_path / "config.json", {"experiment": "sweep"} | config_lib.to_plain(sweep_config))
    place = tmp_path / "runs" / sweep_config.plans[0].run_id
    place.mkdir(parents=True)
    return tmp_path, place


def first(directory):
    return states.read(directory).iloc[0]


def test_a_failure_of_an_earlier_attempt_is_not_shown(planned):
    directory, place = planned
    attempt.mark_failed(place, ValueError("no space"))
    assert (first(directory)["state"], first(directory)["note"]) == ("failed", "no space")
    later = (place / "FAILED.json").stat().st_mtime_ns + 10**9
    (place / "metrics.jsonl").write_text('{"step": 2, "loss": 4.0}\n')
    os.utime(place / "metrics.jsonl", ns=(later, later))
    assert (first(directory)["state"], first(directory)["step"], first(directory)["note"]) == ("stopped", 2, "")
    with workdir.opened(place, {"experiment": "train"}, may_hold=("FAILED.json", "metrics.jsonl")):
        assert first(directory)["state"] == "running"


def test_a_run_in_use_elsewhere_has_not_failed(planned):
    directory, place = planned
    with workdir.opened(place, {"experiment": "train"}):
        attempt.mark_failed(place, ValueError("in use by another process"))
        assert not (place / "FAILED.json").exists()
        assert first(directory)["state"] == "running"


@pytest.mark.parametrize("content", [b"[]", b"4", b"\xff\xfe", b"", b'{"loss": "low"}', b'{"loss": NaN}'])
def test_results_of_the_wrong_type_are_noted_by_status(planned, content):
    directory, place = planned
    (place / "DONE").write_text("")
    (place / "evaluation.json").write_bytes(content)
    (place / "metrics.jsonl").write_bytes(content + b"\n")
    row = first(directory)
    assert row["state"] == "done"
    assert "evaluation.json" in row["note"]


@pytest.mark.parametrize("content", [b"[]", b"\xff", b'{"error": 4}'])
def test_a_failure_that_cannot_be_read_is_noted(planned, content):
    directory, place = planned
    (place / "FAILED.json").write_bytes(content)
    assert first(directory)["state"] == "failed"
    assert "FAILED.json" in first(directory)["note"]


def test_steps_beyond_the_run_are_not_believed(planned):
    directory, place = planned
    (place / "metrics.jsonl").write_text('{"step": 2, "loss": 4.0}\n{"step": 9999, "loss": 1.0}\n')
    assert first(directory)["step"] == 2


@pytest.mark.parametrize(
    "content", [b"[]", b"4", b"\xff", b'{"experiment": "sweep", "nruns": 3}', b'{"experiment": []}']
)
def test_the_config_of_another_version_is_one_line(tmp_path, content):
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(InputError) as raised:
        states.read(tmp_path)
    assert "\n" not in str(raised.value)
