"""What the sampler walks in: coordinates and sites, care with few rows, and a mode near the truth."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest

from ie_scaling.inference.config import NutsConfig
from ie_scaling.latency_law import formula, likelihood, sampling, timed_rows
from ie_scaling.latency_law.table import add_columns
from tests.latency_law import simulated


@pytest.fixture(scope="module")
def truth():
    return simulated.coordinates(np.random.default_rng(5), 2, 0.2)


@pytest.fixture(scope="module")
def rows(truth):
    rng = np.random.default_rng(6)
    tables = [simulated.table(simulated.cases(30, k), simulated.device(k), truth[:, k], rng) for k in (0, 1)]
    return timed_rows.rows_of(add_columns(pd.concat(tables)))


def test_stacked_coordinates_are_the_sites_in_order(rows):
    problem = likelihood.pose(rows, "serial")
    shapes = sampling.site_shapes(problem)
    assert shapes == {"x": (len(formula.PARAMETERS), 2), "log_lambda": (), "atanh_rho": ()}
    y_WQ = np.arange(2.0 * sum(math.prod(shape) for shape in shapes.values())).reshape(2, -1)
    sites = sampling.sites_of(problem, y_WQ)
    np.testing.assert_array_equal(sites["x"].reshape(2, -1), y_WQ[:, :-2])
    np.testing.assert_array_equal(np.stack([sites["log_lambda"], sites["atanh_rho"]], axis=1), y_WQ[:, -2:])


def test_few_rows_are_sampled_with_more_care(rows):
    settings = NutsConfig(n_warmup=100, n_samples=100, target_accept=0.9)
    careful = sampling.nuts_of(rows, settings)  # 60 rows of two devices: enough in all, few a device
    assert (careful.n_warmup, careful.target_accept) == (100, sampling.CAREFUL_ACCEPT)
    few = dataclasses.replace(rows, cases=rows.cases[:40])
    assert sampling.nuts_of(few, settings).n_warmup == 200
    many = dataclasses.replace(rows, cases=rows.cases * 2)
    assert sampling.nuts_of(many, settings) == settings


def test_the_mode_predicts_the_rows(rows):
    problem = likelihood.pose(rows, "serial")
    x_PK, factor_DD = sampling.fit_mode(problem)
    residual_M = likelihood.residuals(problem, x_PK)
    assert np.median(np.abs(residual_M)) < 0.06
    n_located = (len(formula.PARAMETERS) - len(sampling.SCALES)) * 2
    assert factor_DD.shape == (n_located, n_located)
    origin_Q, scale_QQ = sampling.precondition(problem)
    assert origin_Q.shape == (x_PK.size + 2,)
    assert np.linalg.matrix_rank(scale_QQ) == len(origin_Q)


def test_draws_have_the_parameters_their_derived_ones_and_what_is_common(rows):
    sites = {"x": np.zeros((2, 3, len(formula.PARAMETERS), 2)), "log_lambda": np.zeros((2, 3))}
    sites |= {"atanh_rho": np.full((2, 3), 0.5)}
    nothing = np.zeros((2, 3, 0))
    samples = sampling.LatencySamples(
        sites=sites, log_density_CSR=nothing, weights_CS2R=nothing, effects_CS2N=nothing, stats={}
    )
    draws = sampling.draws_of(rows, samples)
    assert set(formula.NAMES) < set(draws)
    np.testing.assert_allclose(draws["overhead_s"], 3e-4)
    np.testing.assert_allclose(draws["noise_correlation"], np.tanh(0.5))
    assert "session_spread" not in draws
    assert {values.shape for values in sampling.monitored(sites).values()} == {(2, 3, 2), (2, 3, 1)}
