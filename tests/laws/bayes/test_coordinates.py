"""Straightened coordinates: a change of variables that inverts and keeps volume, for every law, tie and count."""

import jax
import numpy as np
import pytest

from ie_scaling.laws import forms
from ie_scaling.laws.bayes import coordinates
from ie_scaling.laws.choices import COUNTS
from ie_scaling.laws.observations import Observations
from ie_scaling.laws.problem import pose
from tests.laws.simulated import simulate

ROWS = Observations.from_frame(simulate(forms.get_law("effective"), seed=1))
ADDITIVE = [name for name in forms.LAWS if not name.startswith("coupled")]
CASES = [(name, tie.name, count) for name in ADDITIVE for tie in forms.LAWS[name].ties for count in COUNTS]
CASES += [("coupled", "free", "total"), ("coupled_effective", "alpha=beta", "effective")]
CASES += [("coupled_width_depth", "free", "effective")]


@pytest.mark.parametrize(("name", "tie", "count"), CASES)
def test_bend_inverts_straighten_and_keeps_volume(name, tie, count):
    law = forms.get_law(name, tie, count)
    problem = pose(law, ROWS)
    center_P, spread_P = problem.prior
    with jax.enable_x64(True):
        z_P = jax.numpy.asarray(center_P + 0.3 * spread_P * np.sin(np.arange(len(center_P))))
        y_P = coordinates.straighten(problem, z_P)
        back_P, bend_PP = jax.jit(
            lambda y_P: (
                coordinates.bend(problem, y_P),
                jax.jacfwd(lambda y_P: coordinates.bend(problem, y_P))(y_P),
            )
        )(y_P)
    np.testing.assert_allclose(back_P, z_P, rtol=1e-11, atol=1e-11)
    assert abs(np.linalg.det(bend_PP)) == pytest.approx(1.0, rel=1e-9)


def test_the_first_coordinate_is_the_loss_in_the_middle_of_the_rows():
    law = forms.get_law("effective")
    problem = pose(law, ROWS)
    z_P, reference = problem.prior[0], problem.reference
    p = law.from_free(z_P)
    mean_size = np.exp(np.log(ROWS.features.n_non_embedding + p["omega"] * ROWS.features.n_embedding).mean())
    by_hand = p["E"] + p["A_ref"] * (mean_size / reference.N0) ** -p["alpha"] + p["B_ref"]
    with jax.enable_x64(True):
        y_P = coordinates.straighten(problem, jax.numpy.asarray(z_P))
    assert float(np.exp(y_P[0])) == pytest.approx(by_hand, rel=1e-12)
