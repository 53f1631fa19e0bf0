"""What the law misses: much the same for shapes alike, known where it was timed, its amplitude elsewhere."""

import dataclasses

import numpy as np
import pytest

from ie_scaling.latency_law import misfit
from ie_scaling.latency_law.misfit import Misfit
from tests.latency_law import simulated

CASES = simulated.cases(6, seed=4)
N_DRAWS = 4000


def alike(case, factor):
    """The case with its MLP so many times as wide."""
    shape = dataclasses.replace(case.architecture, d_ff=round(case.architecture.d_ff * factor))
    return dataclasses.replace(case, architecture=shape)


@pytest.fixture(scope="module")
def known():
    """A misfit that is known to be one value at each of CASES, and that value; the first device's."""
    values_R = np.array([1.0, -0.5, 0.3, 0.0, 2.0, -1.0])
    sizes_2RI = misfit.sizes_of(CASES)
    weights_2R = np.array([np.linalg.solve(misfit.correlation(each, each), values_R) for each in sizes_2RI])
    return Misfit(sizes_2RI, np.zeros(6, int), np.broadcast_to(weights_2R, (2, N_DRAWS // 2, 2, 6))), values_R


def draw(misfit, cases, amplitude=0.1, place=0):
    places = np.full(len(cases), place)
    return misfit.draw(cases, places, np.full((2, N_DRAWS, len(cases)), amplitude), np.random.default_rng(0))


def test_sizes_so_many_times_apart_share_three_fifths():
    for metric, factor in enumerate((np.exp(1.5), np.e)):
        each = misfit.sizes_of([CASES[0], alike(CASES[0], factor)])[metric]
        assert misfit.correlation(each, each)[0, 1] == pytest.approx(np.exp(-0.5), rel=0.01)


def test_where_it_was_timed_it_is_known(known):
    misfit, values_R = known
    drawn_2WA = draw(misfit, CASES)
    np.testing.assert_allclose(drawn_2WA.mean(axis=1), np.tile(0.1 * values_R, (2, 1)), atol=1e-4)
    assert (drawn_2WA.std(axis=1) < 3e-4).all()


def test_far_away_and_on_another_device_only_its_amplitude_is(known):
    misfit, _ = known
    for drawn_2WA in (draw(misfit, [alike(CASES[0], 1e3)]), draw(misfit, CASES[:1], place=1)):
        np.testing.assert_allclose(drawn_2WA.mean(axis=1), 0, atol=0.006)
        np.testing.assert_allclose(drawn_2WA.std(axis=1), 0.1, rtol=0.05)


def test_shapes_alike_miss_alike(known):
    misfit, _ = known
    far = alike(CASES[0], 1e3)
    first, near, other = draw(misfit, [far, alike(far, 1.2), alike(far, 1e3)])[1].T
    assert np.corrcoef(first, near)[0, 1] == pytest.approx(np.exp(-(np.log(1.2) ** 2) / 2), abs=0.01)
    assert abs(np.corrcoef(first, other)[0, 1]) < 0.06
