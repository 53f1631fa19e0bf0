"""Fits from Python: the numbers of the command, by least squares, bootstrap and NUTS."""

import numpy as np
import pytest

import ie_scaling as ies
from experiments import fit as verb_fit
from ie_scaling.inference.config import NutsConfig
from ie_scaling.laws import forms
from ie_scaling.laws.bayes import posterior as posterior_lib
from ie_scaling.running import files, runner
from ie_scaling.tables import cells
from tests.laws.simulated import simulate

SHAPES = ("d64-n4-h4-k2-c16-f192-v512", "d128-n2-h4-k4-c32-f384-v512", "pythia-160m")
QUICK = {"n_chains": 2, "n_warmup": 50, "n_samples": 50, "max_samples": 50}


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
