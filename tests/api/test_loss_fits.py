"""Fits as callers see them: losses by name, and what a posterior shows of itself."""

import dataclasses

import numpy as np
import pytest

import ie_scaling as ies
from ie_scaling.api.loss_fits import PosteriorFit
from tests.laws import small_posterior

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
