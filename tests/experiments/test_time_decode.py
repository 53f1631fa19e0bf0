"""time_decode: a whole run on tiny shapes, its tables, and bad input that leaves nothing behind."""

import dataclasses
import json

import numpy as np
import pytest

from experiments import time_decode
from ie_scaling.errors import InputError
from ie_scaling.latency import ceilings
from ie_scaling.running import diagnostic, runner
from ie_scaling.tables import latency_table

SHAPES = ("d16-n1-h2-k1-c8-f24-v32", "d16-n2-h2-k2-c8-f24-v32-tied")
CONFIG = time_decode.Config(
    architectures=SHAPES, prompt_tokens=4, new_tokens=5, batch=(2,), repeats=6, max_repeats=7, relative_error=1e9
)


@pytest.fixture(autouse=True)
def _quick_ceilings(monkeypatch):
    monkeypatch.setattr(ceilings, "REPEATS", 2)
    monkeypatch.setattr(ceilings, "MATRIX_WIDTH", {"cpu": 128})


@pytest.mark.parametrize("mode", ["loop", "step"])
def test_a_whole_run(tmp_path, mode):
    directory = tmp_path / "run"
    found = runner.run(time_decode, dataclasses.replace(CONFIG, mode=mode), directory)
    assert all("drift" in line for line in diagnostic.lines(found))
    frame = latency_table.read_latency(directory / "latency.csv")
    assert list(frame["architecture"]) == list(SHAPES)
    assert set(frame["mode"]) == {mode}
    assert json.loads((directory / "config.json").read_text())["experiment"] == "time_decode"
    lines = [json.loads(line) for line in (directory / "samples.jsonl").read_text().splitlines()]
    assert len(lines) == frame["count"].sum()
    for row in frame.to_dict("records"):
        mine = [line for line in lines if line["architecture"] == row["architecture"]]
        ttft_s, e2e_s = (np.array([line[name] for line in mine]) for name in ("ttft_s", "e2e_s"))
        assert row["count"] == len(mine)
        assert len(mine) >= 6
        assert row["predicted_memory_bytes"] < 2 * row["memory_bytes"]
        assert row["ttft_s"] == pytest.approx(np.median(ttft_s))
        assert row["e2e_s_p90"] == pytest.approx(np.percentile(e2e_s, 90))
        assert row["tpot_s"] == pytest.approx(np.median((e2e_s - ttft_s) / 4))
        assert row["tokens_per_s_p10"] == pytest.approx(np.percentile(2 * 5 / e2e_s, 10))
        assert 0 < row["floor_s"] < row["tpot_s"]
        assert row["over_floor"] == pytest.approx(row["tpot_s"] / row["floor_s"])
    (directory / "samples.jsonl").unlink()
    runner.run(time_decode, dataclasses.replace(CONFIG, mode=mode), directory)
    assert not (directory / "samples.jsonl").exists()  # done is done


def test_one_new_token_has_no_time_per_output_token(tmp_path):
    runner.run(time_decode, dataclasses.replace(CONFIG, architectures=SHAPES[:1], new_tokens=1), tmp_path)
    row = latency_table.read_latency(tmp_path / "latency.csv").iloc[0]
    assert np.isnan(row["tpot_s"])
    assert row["e2e_s"] >= row["ttft_s"] > 0


def test_a_median_not_known_well_enough_is_a_failed_diagnostic(tmp_path, capsys):
    config = dataclasses.replace(CONFIG, relative_error=1e-9)
    failures = runner.start(time_decode, config, tmp_path)
    assert sum("drift" not in failure for failure in failures) == 2
    assert failures[0].startswith(f"{SHAPES[0]}, batch 2: median e2e_s known to ")
    assert runner.start(time_decode, config, tmp_path) == failures  # as read back
    printed = capsys.readouterr().out
    assert all(name in printed for name in SHAPES)


def test_what_does_not_fit_is_refused_before_anything_is_made(tmp_path):
    config = dataclasses.replace(CONFIG, batch=(10**9,))
    with pytest.raises(
        ValueError,
        match=r"batch=1000000000: d16-n1-\S+ needs weights .*, cache .*, activations .*, ceilings .*: more than 80%",
    ):
        runner.run(time_decode, config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_estimate_names_every_shape():
    text = time_decode.estimate(CONFIG, [])
    assert "d16-n1-h2-k1-c8-f24-v32, batch 2: 2,992 parameters" in text
    assert "about" in text.splitlines()[-1]


def test_every_architecture_is_timed_at_every_batch_size():
    config = time_decode.Config(architectures=(SHAPES[0], "gpt2"), batch=(1, 8), prompt_tokens=3, new_tokens=5)
    cases = config.resolve_cases("bfloat16")
    assert [(case.architecture.name == SHAPES[0], case.workload.batch) for case in cases] == [
        (True, 1),
        (True, 8),
        (False, 1),
        (False, 8),
    ]
    assert {(case.workload.prompt_tokens, case.workload.new_tokens) for case in cases} == {(3, 5)}
    assert {case.workload.dtype for case in cases} == {"bfloat16"}
    assert config.shape_specs == (SHAPES[0], "gpt2")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"architectures": ()}, "at least one architecture"),
        ({"architectures": ("gtp2",)}, "architectures: .*unknown architecture"),
        ({"architectures": (SHAPES[0], SHAPES[0])}, "is listed twice"),
        ({"batch": ()}, "at least one batch size"),
        ({"batch": (2, 2)}, "must not name one twice"),
        ({"workload": "long"}, "workload='long': must be one of"),
        ({"seed": -1}, "seed=-1"),
    ],
)
def test_what_cannot_be_timed_is_named(fields, words):
    with pytest.raises(InputError, match=words):
        time_decode.Config(**fields)
