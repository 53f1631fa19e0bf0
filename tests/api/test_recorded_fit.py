"""A fit by least squares loaded from its directory: what the call from Python gives, and records that are none."""

import dataclasses

import numpy as np
import pytest

import ie_scaling as ies
from experiments import fit
from ie_scaling.api.loss_fits import PosteriorFit
from ie_scaling.errors import InputError
from ie_scaling.running import files, runner
from tests.laws import small_posterior
from tests.laws.simulated import DATA

QUICK = {"law": "chinchilla", "method": "least_squares", "n_starts": 4}
SHAPES = ("pythia-160m", "pythia-410m")


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "fit"
    runner.run(fit, fit.Config(runs=str(DATA / "bian2025.csv"), **QUICK), path)
    return path


def test_a_loaded_fit_is_that_of_the_call(directory):
    point, loaded = ies.fit(DATA / "bian2025.csv", **QUICK, progress=False), ies.load(directory)
    assert (loaded.params, loaded.status, loaded.n_rows) == (point.params, point.status, point.n_rows)
    assert loaded.warnings == point.warnings
    assert loaded.fitted.params == point.fitted.params
    np.testing.assert_array_equal(loaded.predict(SHAPES, 3e10), point.predict(SHAPES, 3e10))
    assert f"rows, from {directory}" in repr(loaded)
    assert "least squares" in loaded._repr_html_()


def test_it_is_no_posterior(directory):
    with pytest.raises(InputError, match="least squares needs n_bootstrap"):
        ies.rank(directory, SHAPES)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"params": {"E": 1.0}}, "params lack 'A_ref'"),
        ({"params": None}, "is no record of least squares"),
        ({"objective": None}, "is no record of least squares"),
        ({"law": "newton"}, "is no record of least squares.*newton"),
        ({"reference": {"N0": 1.0}}, "is no record of least squares"),
    ],
)
def test_what_is_no_record_is_refused_in_one_line(directory, tmp_path, change, message):
    for name in ("config.json", "diagnostics.json", "DONE"):
        (tmp_path / name).write_bytes((directory / name).read_bytes())
    files.write_json(tmp_path / "fit.json", files.read_json(directory / "fit.json") | change)
    with pytest.raises(InputError, match=message) as caught:
        ies.load(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_saved_posterior_keeps_what_failed(tmp_path):

    failed = ("certificate: priors: 9 % of the losses lie outside",)
    draws = dataclasses.replace(small_posterior.make(), fit_failures=failed)
    PosteriorFit(posterior=draws, source="nowhere").save(tmp_path / "mine.nc")
    assert ies.load(tmp_path / "mine.nc").warnings == (*draws.failures, *failed)
