"""Token-equivalents: the closed form of Chinchilla's, and the first crossing of laws that do not fall for ever."""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import rank
from ie_scaling.inference import numerics
from ie_scaling.laws import forms, terms
from ie_scaling.laws.bayes import tokens
from ie_scaling.laws.least_squares import solver
from ie_scaling.laws.observations import Observations, features_of
from ie_scaling.laws.problem import pose
from ie_scaling.shapes import lookup
from ie_scaling.tables import run_table

DATA = Path(__file__).resolve().parents[3] / "data"


@pytest.fixture(scope="module")
def rows():
    return Observations.from_frame(run_table.read_runs(DATA / "bian2025.csv"))


def solve(law, params, features, reference, gap_A):
    with numerics.double_precision():
        draws_W = {name: np.array([params[name]]) for name in law.names}
        return np.asarray(tokens.factor(law, draws_W, features, reference, np.asarray(gap_A)[None]))[0]


def test_chinchilla_has_a_closed_form(rows):
    """L(k·D) = L − gap where k = (B·D^−β / (B·D^−β − gap))^(1/β), and never where the gap exceeds B·D^−β."""
    fitted = solver.fit(pose(forms.get_law("chinchilla"), rows), n_starts=16)
    features = rows.features.take(np.array([0, 0, 0, 0]))
    p = fitted.derived
    share = p["B"] * features.n_tokens[0] ** -p["beta"]
    loss = np.exp(fitted.predict(features))[0]
    gap_A = np.array([0.0, 0.2 * share, 0.7 * share, 1.01 * share])
    ours_A = solve(fitted.law, fitted.params, features, fitted.reference, -np.log1p(-gap_A / loss))
    expected_A = [1, 0.8 ** (-1 / p["beta"]), 0.3 ** (-1 / p["beta"]), np.inf]
    np.testing.assert_allclose(ours_A, expected_A, rtol=1e-9)


def moving_for_ever():
    """`effective_moving_D` with an optimum that does not saturate."""
    factor = dataclasses.replace(
        terms.MOVING_WITH_D_FACTOR,
        value=lambda p, x, N, ref: (
            1 + p["kappa"] * (jnp.log(x.aspect_ratio / p["R_star"]) - p["slope_D"] * jnp.log(x.n_tokens / ref.D0)) ** 2
        ),
    )
    return dataclasses.replace(forms.get_law("effective_moving_D"), factors=(factor,))


def test_under_a_moving_optimum_the_first_crossing_is_taken(rows):
    """Where it moves with ln D for ever, loss rises again, and a factor of 10⁴ says nothing of what a tenth more buys.

    Against a dense scan: of the six shapes of arXiv 2501.18107 four at least need some tenths more tokens.
    """
    law = moving_for_ever()
    fitted = solver.fit(pose(law, rows), n_starts=16)
    shapes = [lookup.resolve(name) for name in rank.Config().candidates]
    features = features_of(shapes, 3e10)
    log_loss_A = fitted.predict(features)
    gap_A = log_loss_A - log_loss_A.min()
    ours_A = solve(law, fitted.params, features, fitted.reference, gap_A)
    factors = np.geomspace(1, 1e4, 20_001)
    with jax.enable_x64(True):
        scanned_FA = np.stack([fitted.predict(features.scale_tokens(factor)) for factor in factors[::10]])
    fall_FA = log_loss_A - scanned_FA
    for a in range(len(shapes)):
        enough = np.flatnonzero(fall_FA[:, a] >= gap_A[a])
        expected = factors[::10][enough[0]] if len(enough) else np.inf
        assert ours_A[a] == pytest.approx(expected, rel=6e-3), shapes[a].name
    assert np.isfinite(ours_A[:4]).all()
    assert (fall_FA[-1] < 0).any(), "the law is monotone in D here, and the test says nothing"


def test_a_peak_between_two_steps_of_the_scan_is_found():
    """A gap that only the very best factor reaches, and one that it misses by a hair."""

    class Tokens:
        factor = 1.0

        def scale_tokens(self, factor):
            more = Tokens()
            more.factor = factor
            return more

    class Hill:
        def log_loss(self, draws, features, reference):
            return draws["height"] * (np.log(7.3) - jnp.log(features.factor)) ** 2

    gap = np.log(7.3) ** 2
    with numerics.double_precision():
        found = tokens.factor(
            Hill(), {"height": np.ones(1)}, Tokens(), None, np.array([[gap * (1 - 1e-9), gap * 1.001]])
        )
    np.testing.assert_allclose(np.asarray(found)[0], [7.3, np.inf], rtol=1e-3)
