"""metrics.jsonl as others left it: read where whole, said where not, never a traceback, never lost."""

import json

import pytest

from ie_scaling.errors import InputError
from ie_scaling.train import metrics, metrics_file

LINES = [json.dumps({"step": step, "loss": 4.0}) for step in (1, 2, 3)]


def write(directory, content):
    data = content if isinstance(content, bytes) else content.encode()
    (directory / "metrics.jsonl").write_bytes(data)


@pytest.mark.parametrize("tail", ["", '{"step": 4, "lo', "\0" * 40, '{"step": 4}'])
def test_a_last_line_cut_off_is_passed_over_in_silence(tmp_path, tail):
    write(tmp_path, "\n".join([*LINES, tail]))
    found = metrics_file.read(tmp_path)
    assert [entry["step"] for entry in found.entries] == [1, 2, 3]
    assert found.damage == ""


@pytest.mark.parametrize(
    "line",
    [
        "[1, 2, 3]",
        "4",
        '"step"',
        "null",
        "{",
        "",
        "[" * 100_000,
        '{"step": 4}',
        '{"loss": 4.0}',
        '{"step": "4", "loss": 4.0}',
        '{"step": true, "loss": 4.0}',
        '{"step": 4.5, "loss": 4.0}',
        '{"step": -4, "loss": 4.0}',
        '{"step": 4, "loss": "low"}',
        '{"step": 4, "loss": NaN}',
        '{"step": 4, "loss": 1' + "0" * 400 + "}",
        '{"step": 1' + "0" * 5000 + ', "loss": 1}',
        '{"step": 3, "loss": 4.0}',
        '{"step": 4, "loss": 4.0, "grad_norm": []}',
    ],
)
def test_a_line_that_is_no_metrics_is_counted(tmp_path, line):
    write(tmp_path, "\n".join([*LINES, line, '{"step": 5, "loss": 3.0}', ""]))
    found = metrics_file.read(tmp_path)
    assert [entry["step"] for entry in found.entries] == [1, 2, 3, 5]
    assert "1 of 5 lines are no metrics, the first line 4" in found.damage


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\0\x01\n", b"\x1f\x8b\x08" + bytes(range(256)) + b"\n", "é{}\n".encode("latin-1")]
)
def test_what_is_not_utf_8_is_set_aside_when_the_run_goes_on(plan, tmp_path, capsys, content):
    write(tmp_path, content)
    with metrics.MetricsLog(tmp_path, plan, 0):
        pass
    assert "lines are no metrics" in capsys.readouterr().err
    (aside,) = tmp_path.glob("metrics.jsonl.broken-*")
    assert aside.read_bytes() == content
    assert (tmp_path / "metrics.jsonl").read_bytes() == b""


def test_a_directory_is_refused_in_one_line(tmp_path):
    (tmp_path / "metrics.jsonl").mkdir()
    with pytest.raises(InputError, match=r"metrics.jsonl: must be a file of JSON lines"):
        metrics_file.read(tmp_path)
