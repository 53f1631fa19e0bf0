"""Calls from Python: the numbers of the commands, shapes by name, warnings beside answers, bad input in a line."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

import ie_scaling as ies
from experiments import rank as verb_rank
from experiments import select as verb_select
from ie_scaling.api.answers import LatencyFit
from ie_scaling.api.loss_fits import PosteriorFit
from ie_scaling.errors import InputError
from ie_scaling.latency_law import predict
from ie_scaling.latency_law.config import RequestConfig
from ie_scaling.laws import forms
from ie_scaling.running import files
from ie_scaling.shapes import lookup
from ie_scaling.tables import cells
from tests.latency_law import small_posterior as small_latency
from tests.laws import small_posterior
from tests.laws.simulated import DATA, simulate

SHAPES = ("d64-n4-h4-k2-c16-f192-v512", "d128-n2-h4-k4-c32-f384-v512", "pythia-160m")
LATENCY = DATA.parent / "results" / "latency_study" / "draw_07.csv"
ROWS_40M = "series == '40M parameters'"


@pytest.fixture(scope="module")
def posterior():
    return PosteriorFit(posterior=small_posterior.make(), source="nowhere")


@pytest.fixture
def directories(tmp_path):
    """Directories as `fit` and `fit_latency` leave them, of a few draws."""
    small_posterior.make().save(tmp_path / "fit" / "posterior.nc")
    small_latency.make().save(tmp_path / "fit_latency" / "latency_posterior.nc")
    for name in ("fit", "fit_latency"):
        files.write_json(tmp_path / name / "config.json", {"experiment": name})
        files.write_text(tmp_path / name / "DONE", "")
    return tmp_path


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "runs.csv"
    frame = simulate(forms.get_law("chinchilla"), seed=3, tau=0.004, sigma=0.006, tokens=(1e8, 3e8, 1e9))
    cells.write_table(path, frame)
    return path


def test_ranks_are_those_of_the_command_by_the_callers_names(directories, posterior, capsys):
    config = verb_rank.Config(fit=str(directories / "fit"), candidates=SHAPES, n_tokens=1e9)
    expected = verb_rank.compute(config, verb_rank.load(config))
    capsys.readouterr()
    for given in (directories / "fit", ies.load(directories / "fit"), posterior.posterior):
        table = ies.rank(given, SHAPES, n_tokens=np.float64(1e9), progress=False)
        assert capsys.readouterr() == ("", "")
        pd.testing.assert_frame_equal(table.reset_index(drop=True), expected.table)
        assert set(table.index) == set(SHAPES)
        assert table.attrs["warnings"] == expected.answer["warnings"] != []
        assert table.attrs["notes"] == [note for note in table.attrs["notes"] if note.startswith("pythia-160m:")] != []
        assert table.attrs["answer"].startswith("At 1e+09 tokens, ")


def test_grids_and_architectures_are_ranked_too(posterior):
    grid = {"n_params": 1e7, "vocab_size": 512, "width_step": 64, "d_head": 32, "tolerance": 0.1}
    shape = ies.Architecture.parse(SHAPES[0])
    table = ies.rank(posterior, [shape], n_tokens=1e9, grid=grid, n_listed=5)
    assert len(table) == 5
    assert "parameters exactly" in table.attrs["answer"]


def test_several_posteriors_are_stacked_or_refused(posterior):
    without_rows = dataclasses.replace(posterior.posterior, fitted_rows=None)
    with pytest.raises(InputError, match="rows"):
        ies.rank([without_rows, without_rows], SHAPES, n_tokens=1e9)
    with pytest.raises(InputError, match="at least one"):
        ies.rank([], SHAPES, n_tokens=1e9)


def test_a_decision_is_that_of_the_command(directories, posterior):
    bound = {"n_tokens": 1e9, "where": ROWS_40M, "max_latency_ratio": 1.3}
    config = verb_select.Config(fit=str(directories / "fit"), latency=str(LATENCY), **bound)
    expected = verb_select.compute(config, verb_select.load(config))
    for latency in (LATENCY, pd.read_csv(LATENCY)):
        decision = ies.select(posterior, latency, **bound)
        pd.testing.assert_frame_equal(decision.table.reset_index(drop=True), expected.table)
        assert decision.recommended == decision.architecture.name == expected.answer["recommended"]
        assert decision.warnings == tuple(expected.answer["failures"])
        text = repr(decision)
        assert f"Train {decision.recommended} within timed e2e_s" in text
        assert f"warning: {decision.warnings[0]}" in text


def test_a_latency_law_predicts_and_decides_by_name(directories):
    law = ies.load(directories / "fit_latency")
    assert isinstance(law, LatencyFit)
    table = ies.predict_latency(law, SHAPES, batch=4, seed=1)
    assert table.index.tolist() == list(SHAPES)
    shapes = [lookup.resolve(name) for name in SHAPES]
    kind, cases = predict.resolve(RequestConfig(batch=4), shapes, law.posterior)
    intervals = law.posterior.predict(cases, kind, 1).intervals()
    pd.testing.assert_frame_equal(table[intervals.columns].reset_index(drop=True), intervals)
    assert "latency law: R-hat 1.3 of sharpness is above 1.01" in table.attrs["warnings"]
    for latency in (law, law.posterior, directories / "fit_latency"):
        decision = ies.select(directories / "fit", latency, SHAPES, n_tokens=1e9, request={"batch": 4})
        assert decision.recommended in SHAPES
        assert decision.facts["latency_source"] == "predicted"


def test_only_finished_directories_are_loaded(directories):
    (directories / "fit" / "DONE").unlink()
    with pytest.raises(InputError, match=r"fit: is not finished \(no DONE\)"):
        ies.load(directories / "fit")
    assert ies.load(directories / "fit", allow_unfinished=True).n_draws == 80
    with pytest.raises(InputError, match="nowhere: no such directory"):
        ies.load(directories / "nowhere")
    cells.write_table(directories / "fit" / "runs.csv", pd.DataFrame({"loss": [1.0]}))
    with pytest.raises(InputError, match="is not finished"):
        ies.fit(directories / "fit" / "runs.csv")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda fitted: ies.read_runs("nowhere.csv"), r"nowhere\.csv: no such file"),
        (lambda fitted: ies.read_runs([1, 2]), r"rows=\[1, 2\]: must be a DataFrame"),
        (lambda fitted: ies.read_runs("a.csv", columns=3), "columns=3: must be a map"),
        (
            lambda fitted: ies.fit(pd.DataFrame({"loss": [1.0], "D": [1e9]})),
            "DataFrame: column n_params_total is missing",
        ),
        (lambda fitted: ies.fit(DATA / "bian2025.csv", "quadratic"), "law='quadratic': must be one of chinchilla"),
        (lambda fitted: ies.fit(DATA / "bian2025.csv", method="mle"), r"fit\.method='mle': must be one of"),
        (lambda fitted: ies.fit(DATA / "bian2025.csv", nuts={"chains": 2}), r"fit\.nuts.*chains"),
        (lambda fitted: ies.fit(DATA / "bian2025.csv", seed="x"), r"fit\.seed='x': must be of type int"),
        (lambda fitted: fitted.losses(["gpt-17"], 1e9), r"shapes\[0\]: 'gpt-17': unknown architecture"),
        (lambda fitted: fitted.losses([3], 1e9), r"shapes\[0\]: 3: must be an Architecture"),
        (lambda fitted: fitted.losses(3, 1e9), "shapes=3: must be a shape"),
        (lambda fitted: fitted.losses([], 1e9), "shapes: none"),
        (lambda fitted: fitted.losses(SHAPES, [1e9, 1e9]), "n_tokens: has 2 numbers for 3 shapes"),
        (lambda fitted: fitted.losses(SHAPES, -1), "n_tokens=-1: must be from 1"),
        (lambda fitted: fitted.losses(SHAPES, float("nan")), "n_tokens=nan: must be from 1"),
        (lambda fitted: fitted.losses(SHAPES, "30B"), "n_tokens='30B': must be a number"),
        (lambda fitted: fitted.losses(SHAPES, 1e9, level="all"), "level='all': must be one of law"),
        (lambda fitted: ies.rank(fitted), "candidates: none"),
        (lambda fitted: ies.rank(fitted, SHAPES, grid={"size": 1}), r"rank\.grid\.size"),
        (lambda fitted: ies.rank(3, SHAPES), "posterior=3: must be a posterior"),
        (lambda fitted: ies.rank("no\0where", SHAPES), "no usable path"),
        (lambda fitted: ies.select(fitted, LATENCY, ["pythia-160m"], n_tokens=1e9, where=ROWS_40M), "not timed in"),
        (lambda fitted: ies.select([fitted, fitted], LATENCY, n_tokens=1e9), "posterior=.*must be a posterior"),
        (lambda fitted: ies.select(fitted, 7, n_tokens=1e9), "latency=7: must be a latency table"),
        (lambda fitted: ies.select(fitted, pd.DataFrame({"a": [1]}), n_tokens=1e9), "DataFrame: column architecture"),
        (lambda fitted: ies.predict_latency(LATENCY, SHAPES), "must be a latency law"),
        (lambda fitted: ies.predict_latency(small_latency.make(), SHAPES, dtype="int4"), "dtype='int4'"),
        (lambda fitted: ies.predict_latency(small_latency.make(), SHAPES, device_kind="x"), "device_kind='x'"),
        (lambda fitted: ies.predict_latency(small_latency.make(), SHAPES, workload="x"), "workload='x'"),
        (lambda fitted: ies.load(3), "directory=3: must be text"),
    ],
)
def test_bad_input_is_an_input_error_of_one_line(posterior, call, words):
    with pytest.raises(InputError, match=words) as caught:
        call(posterior)
    assert "\n" not in str(caught.value)
