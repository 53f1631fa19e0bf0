"""Fits as callers see them: losses by name, and what a posterior shows of itself."""

import dataclasses

import numpy as np
import pytest

import ie_scaling as ies
from ie_scaling.api.loss_fits import PointFit, PosteriorFit
from ie_scaling.errors import InputError
from ie_scaling.laws import forms, least_squares
from ie_scaling.laws.observations import Observations, features_of
from ie_scaling.laws.problem import pose
from tests.laws import small_posterior
from tests.laws.simulated import simulate

SHAPES = ("d64-n4-h4-k2-c16-f192-v512", "d128-n2-h4-k4-c32-f384-v512", "pythia-160m")


@pytest.fixture(scope="module")
def posterior():
    return PosteriorFit(posterior=small_posterior.make(), source="nowhere")


def test_losses_are_paired_draws_by_the_callers_names(posterior):
    loss_WA = posterior.losses(SHAPES, n_tokens=1e9, level="law")
    assert loss_WA.dims == ("draw", "shape")
    assert loss_WA.sizes == {"draw": 80, "shape": 3}
    assert loss_WA.attrs["units"] == "nats per token"
    assert loss_WA.attrs["warnings"] == list(posterior.warnings)
    one = posterior.losses("pythia-160m", n_tokens=[1e9], level="law")
    np.testing.assert_array_equal(one.sel(shape="pythia-160m"), loss_WA.sel(shape="pythia-160m"))
    own = small_posterior.make().losses([ies.Architecture.parse(SHAPES[0])], 1e9, level="law").all()
    np.testing.assert_allclose(loss_WA.sel(shape=SHAPES[0]), own[:, 0], rtol=1e-12)


def test_what_a_posterior_shows_can_be_read(posterior):
    text, page = repr(posterior), posterior._repr_html_()
    for words in ("Posterior of law effective", "N = N_non + omega·N_emb", "convergence gate FAILED", "R_star", "90 %"):
        assert words in text
        assert words in page
    assert "warning: R-hat 1.2 of E is above 1.01" in text
    assert len(text.splitlines()) < 30
    hostile = dataclasses.replace(posterior, source="<script>alert(1)</script>")
    assert "<script>" not in hostile._repr_html_()


@pytest.fixture(scope="module")
def point():
    law = forms.get_law("chinchilla")
    problem = pose(law, Observations.from_frame(simulate(law, sigma=0.002)))
    return PointFit(fitted=least_squares.fit(problem, n_starts=4), source="runs.csv", warnings=("odd rows",))


def test_a_point_predicts_losses_by_name(point):
    losses = point.predict(SHAPES[:2], n_tokens=[1e8, 1e9])
    features = features_of([ies.Architecture.parse(SHAPES[0])], 1e8)
    assert float(losses.sel(shape=SHAPES[0])) == pytest.approx(float(np.exp(point.fitted.predict(features))[0]))
    assert losses.coords["n_tokens"].to_numpy().tolist() == [1e8, 1e9]
    assert losses.attrs["units"] == "nats per token"


def test_a_point_shows_its_law_its_rows_and_its_warnings(point):
    text = repr(point)
    assert "Least squares of law chinchilla" in text
    assert "N counts all parameters; tie free" in text
    assert "30 rows of 10 models, from runs.csv" in text
    assert text.endswith("warning: odd rows")
    assert point.params["alpha"] == point.fitted.derived["alpha"]


def test_draws_have_every_parameter_and_a_summary_of_each(posterior):
    assert {"E", "A", "alpha", "tau"} <= set(posterior.draws)
    assert posterior.draws["E"].dims == ("chain", "draw")
    assert list(posterior.parameters.columns) == ["mean", "sd", "lo90", "median", "hi90"]
    assert posterior.parameters.loc["E", "mean"] == pytest.approx(float(posterior.draws["E"].mean()))
    assert posterior.warnings == posterior.posterior.all_failures


def test_a_shape_adds_its_effect_to_the_law_and_a_new_run_its_noise(posterior):
    law, shape, new_run = (
        np.log(posterior.losses(SHAPES[2], 1e9, level=level)) for level in ("law", "shape", "new_run")
    )
    assert float((shape - law).std()) == pytest.approx(small_posterior.MEANS["tau"], rel=0.3)
    assert float((new_run - shape).std()) > small_posterior.MEANS["sigma"] / 2


def test_what_a_law_reads_of_trained_models_alone_is_refused():
    law = forms.get_law("conditional_published")
    problem = pose(law, Observations.from_frame(simulate(law)))
    fit = PointFit(fitted=least_squares.fit(problem, n_starts=2), source="runs.csv", warnings=())
    with pytest.raises(InputError, match="needs loss_optimal, which a shape that was not trained does not have"):
        fit.predict(SHAPES[0], 1e9)
