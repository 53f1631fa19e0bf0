"""Verbs read tables in one way: under a map, and what is suspicious stands beside the answer and in its files."""

import dataclasses
from pathlib import Path

import pytest

from experiments import certify, compare, compare_laws, fit, pool
from ie_scaling.errors import InputError
from ie_scaling.laws import forms
from ie_scaling.laws.observations import Observations
from ie_scaling.running import diagnostic, files, runner
from ie_scaling.running.diagnostic import Kind
from ie_scaling.tables import cells
from tests.laws.simulated import simulate

CASES = Path(__file__).resolve().parents[1] / "cases"
COLUMNS = "{'n_params_total': 'N', 'n_tokens': 'D'}"
QUICK = fit.Config(law="chinchilla", method="least_squares", n_starts=4)


def test_warnings_stand_beside_the_fit_and_in_its_files(tmp_path):
    config = dataclasses.replace(QUICK, runs=str(CASES / "millions_and_billions.csv"))
    warnings = diagnostic.lines(runner.run(fit, config, tmp_path / "fit"))
    assert ["looks like millions" in warnings[0], "looks like billions" in warnings[1]] == [True, True]
    assert {entry.kind for entry in diagnostic.read(tmp_path / "fit") if entry.is_warning} == {Kind.TABLE}
    found = files.read_json(tmp_path / "fit" / "fit.json")
    assert (found["warnings"], found["status"]) == (warnings, "converged")
    assert diagnostic.lines(runner.run(fit, config, tmp_path / "fit")) == warnings  # read, not refitted


def test_a_bootstrap_over_few_models_says_so(tmp_path):
    frame = simulate(forms.get_law("chinchilla"), sigma=0.003, tokens=(1e8, 3e8, 1e9, 3e9, 1e10, 3e10))
    chosen = sorted(set(frame["model_id"]))[:3]
    cells.write_table(tmp_path / "runs.csv", frame[frame["model_id"].isin(chosen)])
    few = dataclasses.replace(QUICK, runs=str(tmp_path / "runs.csv"), n_bootstrap=20)
    assert any("18 rows of 3 models; a posterior or bootstrap" in warning for warning in fit.load(few).warnings)
    assert not fit.load(dataclasses.replace(few, resample="row")).warnings
    assert not fit.load(dataclasses.replace(few, n_bootstrap=0)).warnings
    assert fit.load(dataclasses.replace(few, n_bootstrap=0, method="both")).warnings


def test_every_verb_reads_under_the_map():
    path = str(CASES / "C_N_D_loss.csv")
    chosen = dataclasses.replace(QUICK, runs=path, columns=COLUMNS, where="N < 4e8", holdout="D > 2e9")
    inputs = fit.load(chosen)
    assert (len(inputs.problem), len(inputs.holdout or ()), inputs.n_in_table) == (16, 6, 24)
    laws = {"laws": ("chinchilla:free:total",), "baseline": "chinchilla:free:total"}
    compared = compare_laws.load(compare_laws.Config(tables=(path,), columns=COLUMNS, **laws))
    assert len(compared.rows[path]) == 24
    contested = compare.load(
        compare.Config(tables=(path,), wheres=("",), columns=COLUMNS, laws=("chinchilla",), published=())
    )
    assert len(contested[0].rows) == 24
    rows = certify.load(certify.Config(runs=path, columns=COLUMNS, law="chinchilla")).rows
    assert len(rows) == 24
    for config in (chosen, certify.Config(runs=path, columns="{'n_tokens': 'E'}", law="chinchilla")):
        with pytest.raises(InputError, match="has no column"):
            load = fit.load if isinstance(config, fit.Config) else certify.load
            load(dataclasses.replace(config, columns="{'n_tokens': 'E'}"))


def test_a_holdout_table_is_read_under_the_same_map():
    path = str(CASES / "C_N_D_loss.csv")
    inputs = fit.load(dataclasses.replace(QUICK, runs=path, columns=COLUMNS, where="N < 4e8", holdout=path))
    assert isinstance(inputs.holdout, Observations)
    assert len(inputs.holdout) == 24


def test_families_are_pooled_by_the_user_s_column_under_the_map(tmp_path):
    frame = simulate(forms.get_law("effective"), sigma=0.003).rename(columns={"n_tokens": "D"})
    for name, part in (("one", frame[::2]), ("two", frame[1::2])):
        cells.write_table(tmp_path / f"{name}.csv", part.assign(corpus=name, model_id=part["model_id"] + name))
    runs = f"{tmp_path}/one.csv,{tmp_path}/two.csv"
    config = pool.Config(runs=runs, columns="{'n_tokens': 'D'}", by="corpus")
    assert {name: len(rows) for name, rows in pool.load(config).rows.items()} == {"one": 15, "two": 15}
    for name in ("one", "two"):
        cells.write_table(tmp_path / f"{name}.csv", frame.assign(corpus="../" + name))
    with pytest.raises(InputError, match=r"'\.\./one' cannot name a family's folder"):
        pool.load(config)


def test_shapes_that_larger_candidates_need_are_asked_for_before_a_certificate():
    path = str(CASES / "only_non_embedding.csv")
    with pytest.raises(InputError, match="has no n_params_total"):
        certify.load(certify.Config(runs=path, law="chinchilla", count="non_embedding"))
