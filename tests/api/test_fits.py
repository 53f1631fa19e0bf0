"""Fits from Python: the numbers, fields, defaults and rules of the command, and answers with what was asked for."""

import dataclasses
import inspect

import numpy as np
import pytest

import ie_scaling as ies
from experiments import fit as verb_fit
from ie_scaling.api import fits
from ie_scaling.api.loss_fits import PointFit, PosteriorFit
from ie_scaling.errors import InputError
from ie_scaling.inference.config import NutsConfig
from ie_scaling.laws import forms
from ie_scaling.laws.bayes import posterior as posterior_lib
from ie_scaling.running import files, runner
from ie_scaling.tables import cells, run_source
from tests.laws.simulated import simulate

SHAPES = ("d64-n4-h4-k2-c16-f192-v512", "d128-n2-h4-k4-c32-f384-v512", "pythia-160m")
QUICK = {"n_chains": 2, "n_warmup": 50, "n_samples": 50, "max_samples": 50}
SETTINGS = fits.Settings(
    law="chinchilla",
    tie="",
    count="",
    columns="",
    where="",
    method="least_squares",
    objective="huber_log",
    huber_delta=1e-3,
    n_starts=4,
    n_bootstrap=0,
    resample="model",
    misses="independent",
    skip_forward_coverage=False,
    nuts=NutsConfig(),
    seed=0,
)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "runs.csv"
    frame = simulate(forms.get_law("chinchilla"), seed=3, tau=0.004, sigma=0.006, tokens=(1e8, 3e8, 1e9))
    cells.write_table(path, frame)
    return path


def test_least_squares_is_that_of_the_command(table, tmp_path, capsys):
    config = verb_fit.Config(runs=str(table), law="chinchilla", method="least_squares", n_starts=8)
    runner.run(verb_fit, config, tmp_path / "fit")
    written = files.read_json(tmp_path / "fit" / "fit.json")
    capsys.readouterr()
    for rows in (table, ies.read_runs(table)):
        point = ies.fit(rows, "chinchilla", method="least_squares", n_starts=8, progress=False)
        assert capsys.readouterr() == ("", "")
        assert point.params == written["params"]
        assert (point.status, point.n_rows) == ("converged", written["n_rows"])
        assert f"from {table}" in repr(point)
    loss_A = point.predict(SHAPES[:2], n_tokens=[1e8, 1e9])
    assert loss_A.dims == ("shape",)
    assert loss_A.coords["shape"].to_numpy().tolist() == list(SHAPES[:2])
    assert 1.9 < float(loss_A.min()) < float(loss_A.max()) < 20


@pytest.mark.slow
def test_a_posterior_and_a_bootstrap_are_those_of_the_command(table, tmp_path):
    """Draw for draw, and with the same failures as a fit directory gives."""
    nuts = NutsConfig(**QUICK)
    config = verb_fit.Config(runs=str(table), law="chinchilla", method="both", n_starts=8, n_bootstrap=20, nuts=nuts)
    runner.run(verb_fit, config, tmp_path / "fit")
    saved = posterior_lib.load_fit(tmp_path / "fit")
    fitted = ies.fit(ies.read_runs(table), "chinchilla", method="both", n_starts=8, n_bootstrap=20, nuts=QUICK)
    for name, values in saved.draws.items():
        np.testing.assert_array_equal(fitted.posterior.draws[name], values)
    assert fitted.warnings == saved.all_failures
    assert fitted.point is not None
    resampled = posterior_lib.load(tmp_path / "fit" / "bootstrap.nc")
    np.testing.assert_array_equal(fitted.bootstrap.posterior.draws["E"], resampled.draws["E"])
    assert "least squares" in repr(fitted)
    assert "20 draws" in repr(fitted.bootstrap)


@pytest.fixture(scope="module")
def runs():
    frame = simulate(forms.get_law("chinchilla"), seed=3, tau=0.004, sigma=0.006)
    return run_source.open_frame(frame, "runs")


def test_fields_and_defaults_are_those_of_the_command():
    names = {field.name for field in dataclasses.fields(fits.Settings)}
    defaults = {name: p.default for name, p in inspect.signature(ies.fit).parameters.items() if name in names}
    own = {field.name: field.default for field in dataclasses.fields(verb_fit.Config) if field.name in names}
    assert set(defaults) == set(own) == names
    differing = {name for name in names if defaults[name] != own[name]}
    assert differing == {"method", "nuts"}  # one answer, not two; fields of NutsConfig as a map


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"objective": "squared", "n_bootstrap": 20}, "needs objective huber_log"),
        ({"resample": "seed"}, "resample='seed': must be one of model, row"),
        ({"misses": "rough"}, "misses='rough': must be one of independent, smooth"),
        ({"n_starts": 0}, "n_starts=0: must lie from 1"),
        ({"seed": -1}, "seed=-1: must be at least 0"),
    ],
)
def test_rules_are_those_of_the_command(changes, message):
    with pytest.raises(InputError, match=message):
        dataclasses.replace(SETTINGS, **changes)
    with pytest.raises(InputError, match=message):
        verb_fit.Config(**changes)


def test_least_squares_gives_a_point_and_with_resamples_draws_that_hold_it(runs):
    point = fits.fit(SETTINGS, runs, "runs")
    assert isinstance(point, PointFit)
    resampled = fits.fit(dataclasses.replace(SETTINGS, n_bootstrap=20), runs, "runs")
    assert isinstance(resampled, PosteriorFit)
    assert resampled.n_draws == 20
    assert resampled.point.params == point.params


def test_the_published_objective_is_its_own_fit(runs):
    point = fits.fit(dataclasses.replace(SETTINGS, objective="squared"), runs, "runs")
    assert point.fitted.loss_function == "squared"
    with pytest.raises(InputError, match="published for chinchilla"):
        fits.fit(dataclasses.replace(SETTINGS, objective="squared", law="effective"), runs, "runs")


def test_warnings_from_before_come_first_and_are_not_repeated(runs):
    frame = simulate(forms.get_law("chinchilla"), seed=3, tau=0.004, sigma=0.006)
    few = run_source.open_frame(frame[frame["model_id"].isin(sorted(set(frame["model_id"]))[:3])], "runs")
    settings = dataclasses.replace(SETTINGS, n_bootstrap=20)
    (warning,) = fits.fit(settings, few, "runs").point.warnings[-1:]
    assert "9 rows of 3 models" in warning
    again = fits.fit(settings, few, "runs", ("other: strange", f"mine{warning[len('runs') :]}"))
    kept = [line for line in again.point.warnings if "strange" in line or "of 3 models" in line]
    assert kept == ["other: strange", f"mine{warning[len('runs') :]}"]
