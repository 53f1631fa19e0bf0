"""A latency study in small: what it writes, that what was timed is not timed again, and how failures are reported."""

import dataclasses
import html
import json

import jax
import pandas as pd
import pytest

from experiments import latency_study
from experiments.latency_study import stages
from experiments.latency_study.config import (
    SWEEPS,
    Config,
    LongContextConfig,
    ProportionsConfig,
    RandomConfig,
)
from experiments.time_decode import Config as DecodeConfig
from ie_scaling.errors import InputError
from ie_scaling.running import diagnostic, runner
from ie_scaling.tables.latency_table import LATENCY_COLUMNS

TINY = Config(
    sweeps=("query_group",),
    proportions=ProportionsConfig(vocab_size=32, d_head=8, query_group=1, d_ff_multiple=4),
    prompt_tokens=2,
    new_tokens=3,
    depth_widths=(16,),
    depths=(1, 2, 3),
    sizes=(20_000,),
    size_tolerance=0.1,
    ratio_tolerance=0.2,
    n_aspect_ratios=2,
    aspect_ratios=(3.0, 100.0),
    batches=(1, 2),
    long_context=LongContextConfig(
        d_model=16, n_layers=1, prompt_tokens=6, new_tokens=3, batches=(1,), mlp_ratios=(1.0, 3.0)
    ),
    random=RandomConfig(n_training=4, n_held_out=0, prompt_tokens=(2, 6), new_tokens=(2, 4)),
    decode=DecodeConfig(warmup=1, repeats=6, max_repeats=6, relative_error=1e9),
    n_resamples=200,
)


@pytest.fixture(autouse=True, scope="module")
def _compile_quickly():
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Interrupted before its report, then taken up again: its directory, failures, and the cases timed each time."""
    directory = tmp_path_factory.mktemp("study") / "run"
    time_cases, timed = stages.benchmark.time_cases, []

    def counted(cases, config):
        timed.append(len(cases))
        return time_cases(cases, config)

    def interrupted(*_):
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stages.benchmark, "time_cases", counted)
        with patch.context() as first, pytest.raises(KeyboardInterrupt):
            first.setattr(stages.page, "write", interrupted)
            runner.run(latency_study, TINY, directory)
        assert not (directory / "DONE").exists()
        failures = diagnostic.lines(runner.run(latency_study, TINY, directory))
    return directory, failures, timed


def test_an_interrupted_study_does_not_time_again_what_was_timed(study):
    _, _, timed = study
    assert timed == [2]


def test_a_study_leaves_its_tables_findings_and_page(study):
    directory, failures, _ = study
    table = pd.read_csv(directory / "latency.csv")
    assert set(LATENCY_COLUMNS) <= set(table.columns)
    assert table["sweep"].tolist() == table["session"].tolist() == ["query_group"] * 2
    assert table["x"].tolist() == [1, 2]
    left = {path.name for path in (directory / "query_group").iterdir()}
    assert {"latency.csv", "samples.jsonl", "diagnostics.json", "config.json", "DONE"} <= left
    summary = json.loads((directory / "summary.json").read_text())
    assert summary["n_cases"] == 2
    assert [finding["metric"] for finding in summary["findings"]] == ["tpot_s", "tokens_per_s", "tpot_s"]
    page = html.unescape((directory / "report.html").read_text())
    assert summary["headline"] in page
    assert all(finding["statement"] in page for finding in summary["findings"])
    assert page.count("data:image/png;base64,") == len(list((directory / "figures").glob("*.png"))) == 1
    assert "http" not in page
    assert summary["failures"] == failures
    assert all(failure.startswith("query_group: ") for failure in failures)


def test_what_is_done_is_read_back_and_printed(study, capsys, monkeypatch):
    directory, failures, _ = study
    monkeypatch.setattr(stages.benchmark, "time_cases", None)
    assert runner.start(latency_study, TINY, directory) == failures
    printed = capsys.readouterr().out
    assert "query_group: Larger g" in printed
    assert printed.splitlines()[-1] == f"report: {directory / 'report.html'}"


def test_another_config_is_refused_where_one_was_started(study):
    directory, _, _ = study
    with pytest.raises(InputError, match="started with seed=0, now 1"):
        runner.run(latency_study, dataclasses.replace(TINY, seed=1), directory)


def test_what_does_not_fit_is_refused_before_anything_is_made(tmp_path):
    long = dataclasses.replace(TINY.long_context, batches=(1, 10**9))
    huge = dataclasses.replace(TINY, long_context=long, max_case_gib=1e9)
    with pytest.raises(InputError, match="GiB"):
        runner.run(latency_study, huge, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_estimate_prices_every_sweep():
    config = Config()
    lines = latency_study.estimate(config, latency_study.load(config)).splitlines()
    assert [line.split(":")[0] for line in lines[:-1]] == [*SWEEPS, "random"]
    assert lines[-1].startswith("114 cases in float32, ")
    assert "MiB" in lines[0]


@pytest.mark.slow
def test_a_whole_study_with_its_law(tmp_path):
    config = dataclasses.replace(TINY, sweeps=SWEEPS, random=dataclasses.replace(TINY.random, n_held_out=6))
    diagnostics = runner.run(latency_study, config, tmp_path)
    predictions = pd.read_csv(tmp_path / "law" / "predictions.csv")
    assert len(predictions) == 3 * 6
    summary = json.loads((tmp_path / "summary.json").read_text())
    judged = [finding for finding in summary["findings"] if finding["series"] == "law"]
    assert [finding["metric"] for finding in judged] == ["tpot_s", "ttft_s", "e2e_s"]
    assert summary["failures"] == diagnostic.lines(diagnostics)
    assert {entry.subject for entry in diagnostics} <= {*SWEEPS, "random", "law"}
    assert "linear in depth" in summary["headline"]
    wanted = {f"latency_against_{sweep}.png" for sweep in SWEEPS} | {"law_on_held_out.png"}
    assert {path.name for path in (tmp_path / "figures").glob("*.png")} == wanted
    random = pd.read_csv(tmp_path / "random" / "latency.csv")
    assert random["series"].tolist() == ["training"] * 4 + ["held_out"] * 6
    assert not random["architecture"].duplicated().any()
