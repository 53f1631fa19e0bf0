"""A whole study in small: every stage, the files it promises, and that it goes on where it was interrupted."""

import dataclasses
import json
import shutil

import pandas as pd
import pytest

from experiments import fit, quickstart
from experiments.quickstart import stages
from experiments.select import Config as SelectConfig
from experiments.time_decode import Config as DecodeConfig
from ie_scaling.architecture import Architecture
from ie_scaling.corpus import prepare
from ie_scaling.corpus.config import CorpusConfig
from ie_scaling.errors import InputError
from ie_scaling.laws.bayes import posterior
from ie_scaling.running import config as config_lib
from ie_scaling.running import diagnostic, runner, workdir
from ie_scaling.running.diagnostic import Diagnostic, Kind
from ie_scaling.tables import cells, latency_table
from ie_scaling.tables.latency_table import LATENCY_COLUMNS
from ie_scaling.train.config import OptimizerConfig, RecipeConfig


def name(d_model: int, n_layers: int) -> str:
    return f"d{d_model}-n{n_layers}-h1-k1-c8-f{2 * d_model}-v270"


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = tmp_path_factory.mktemp("text")
    for number in range(40):
        (folder / f"{number}.txt").write_text(" ".join(str(number * k % 97) for k in range(500)))
    shapes = [name(8, 2), name(12, 1), name(16, 2), name(24, 1)]
    corpus = CorpusConfig(text=str(folder), directory="unused", vocab_size=270, validation_fraction=0.2)
    return quickstart.Config(
        runs=tuple(f"{shape}@{tokens}" for tokens in (2000, 4000, 8000) for shape in shapes),
        candidates=(name(16, 3), name(24, 2), name(32, 1)),
        candidate_tokens=4000,
        laws=("chinchilla", "aspect_ratio"),
        decision_law="aspect_ratio",
        n_parallel=2,
        recipe=RecipeConfig(
            corpus=corpus,
            sequence_length=16,
            batch_size=8,
            eval_tokens=2048,
            optimizer=OptimizerConfig(learning_rate=0.01),
        ),
        decode=DecodeConfig(prompt_tokens=4, new_tokens=4, repeats=3, max_repeats=3),
        fit=fit.Config(method="least_squares", n_bootstrap=100, n_starts=8),
        select=SelectConfig(max_latency_ratio=100.0),
    )


@pytest.mark.slow
def test_a_study_from_text_to_report(config, tmp_path, monkeypatch, capsys):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):

        def interrupted(*_):
            raise KeyboardInterrupt

        patch.setattr(stages.time_decode, "compute", interrupted)
        runner.run(quickstart, config, tmp_path / "study")
    trained = (tmp_path / "study" / "sweep" / "runs.csv").stat().st_mtime_ns
    runner.run(quickstart, config, tmp_path / "study")
    assert (tmp_path / "study" / "sweep" / "runs.csv").stat().st_mtime_ns == trained

    directory = tmp_path / "study"
    for stage in (
        ".",
        "corpus",
        "sweep",
        "latency",
        "fit/chinchilla",
        "fit/aspect_ratio",
        "select/aspect_ratio",
        "test",
    ):
        assert {"config.json", "environment.json", "DONE"} <= {path.name for path in (directory / stage).iterdir()}
    assert len(pd.read_csv(directory / "sweep" / "runs.csv")) == 12
    latency = pd.read_csv(directory / "latency" / "latency.csv")
    assert set(LATENCY_COLUMNS) <= set(latency.columns)
    assert len(latency) == 7
    table = pd.read_csv(directory / "select" / "aspect_ratio" / "candidates.csv")
    assert table["recommended"].sum() == 1
    assert table["p_best"].sum() == pytest.approx(1)
    test = pd.read_csv(directory / "test.csv")
    assert sorted(set(test["role"])) == ["rated poor", "recommended", "runner-up"]
    assert set(test["architecture"]) == set(config.candidates)
    page = (directory / "report.html").read_text()
    assert page.count("data:image/png;base64,") == len(list((directory / "figures").glob("*.png"))) == 8
    assert "http" not in page
    summary = json.loads((directory / "summary.json").read_text())
    assert summary["recommendation"] in page.replace("&gt;", ">").replace("&#39;", "'")

    shutil.rmtree(directory / "select")
    slow = dataclasses.replace(config, select=SelectConfig(max_latency_s=1e-9))
    with pytest.raises(InputError, match=r"started with select\.max_latency_ratio=100\.0, now None"):
        runner.run(quickstart, slow, directory)
    assert posterior.load_fit(directory / "fit" / "aspect_ratio").law.name == "aspect_ratio"


def test_a_finished_study_of_another_text_is_refused(config, tmp_path, text_folder):
    folder = tmp_path / "text"
    shutil.copytree(text_folder, folder)
    corpus = dataclasses.replace(config.recipe.corpus, text=str(folder))
    config = dataclasses.replace(config, recipe=dataclasses.replace(config.recipe, corpus=corpus))
    resolved = {"experiment": "quickstart"} | config_lib.to_plain(config)
    one = Diagnostic(Kind.TIMING, "", "one")
    with workdir.opened(tmp_path / "study", resolved) as directory:
        prepare.prepare(dataclasses.replace(config.recipe.corpus, directory=str(directory / "corpus")))
        diagnostic.write(directory, [one])
    assert runner.run(quickstart, config, tmp_path / "study") == [one]
    (folder / "00.txt").write_text("another text " * 1000)
    with pytest.raises(InputError, match=r"is not what .* was made from"):
        runner.run(quickstart, config, tmp_path / "study")
    shutil.rmtree(folder)
    assert runner.run(quickstart, config, tmp_path / "study") == [one]


@pytest.mark.parametrize(("spread", "is_raised"), [(1.02, False), (4.0, True)], ids=["quiet", "busy"])
def test_on_a_busy_machine_the_latency_bound_is_raised_with_a_warning(tmp_path, spread, is_raised):
    """p10 and p90 a factor of `spread` from the median: at 4 not even the fastest keeps within 1.8 × itself."""
    rows = []
    for shape, seconds in ((name(8, 2), 0.2), (name(16, 3), 0.4)):
        measured = {"device_kind": "cpu", "n_devices": 1, "dtype": "float32", "batch": 1, "prompt_tokens": 8}
        measured |= {"new_tokens": 8, "mode": "loop", "compile_s": 1.0, "count": 50, "floor_s": 0.01}
        timed = {"ttft_s": seconds / 8, "tpot_s": seconds / 8, "e2e_s": seconds, "tokens_per_s": 8 / seconds}
        for metric, middle in timed.items():
            measured |= {metric: middle, f"{metric}_p10": middle / spread, f"{metric}_p90": middle * spread}
            measured[f"{metric}_p99"] = 1.1 * middle * spread
        rows.append(latency_table.latency_record(Architecture.parse(shape), **measured))
    cells.write_table(tmp_path / "latency.csv", rows)
    config = SelectConfig(fit="unused", latency=str(tmp_path / "latency.csv"), n_tokens=1e6, max_latency_ratio=1.8)
    chosen, warnings = stages.with_a_bound_that_is_met(config)
    if not is_raised:
        assert (chosen, warnings) == (config, [])
        return
    assert 4 < chosen.max_latency_ratio < 8
    assert str(warnings[0]).startswith("latency bound 1.8 × the fastest: no shape meets it with probability 0.9")
    assert stages.with_a_bound_that_is_met(chosen) == (chosen, [])


def test_the_recommended_shape_the_next_best_and_the_worst_predicted_one_are_trained(tmp_path):
    table = pd.DataFrame(
        {
            "architecture": ["a", "b", "c", "d"],
            "loss_mean": [3.0, 3.1, 3.4, 3.3],
            "expected_regret": [0.01, 0.02, None, 0.05],  # blank: too slow
            "recommended": [True, False, False, False],
        }
    )
    table.to_csv(tmp_path / "candidates.csv", index=False)
    assert stages.choose_tests(tmp_path) == {"a": "recommended", "b": "runner-up", "c": "rated poor"}
