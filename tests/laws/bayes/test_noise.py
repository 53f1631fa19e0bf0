"""The noise's coordinates, its scale by hand, and the mean of e^(scale·t) against quadrature."""

import dataclasses

import numpy as np
import pytest
from scipy import integrate, stats

from ie_scaling.laws.bayes import noise
from tests.laws import small_posterior


def test_coordinates_and_values_are_inverse():
    x_WZ = noise.CENTER + noise.SPREAD * np.random.default_rng(0).standard_normal((7, len(noise.COORDINATES)))
    values = noise.from_coordinates(x_WZ)
    assert tuple(values) == noise.NAMES
    assert (values["nu"] > noise.MIN_NU).all()
    np.testing.assert_allclose(noise.to_coordinates(values), x_WZ, rtol=1e-9)


def test_the_scale_falls_as_powers_of_size_and_tokens():
    posterior = small_posterior.make()
    law = dataclasses.replace(posterior.law, count="total")
    values = {"sigma": 0.01, "sigma_fall_N": 0.2, "sigma_fall_D": 0.1}
    x = posterior.rows.features
    expected_R = 0.01 * (x.n_total / 3e6) ** -0.2 * (x.n_tokens / 1e8) ** -0.1
    np.testing.assert_allclose(noise.scale(law, {}, x, posterior.reference, values), expected_R)
    blank = dataclasses.replace(x, n_tokens=np.full(3, np.nan))
    np.testing.assert_allclose(
        noise.scale(law, {}, blank, posterior.reference, values), 0.01 * (x.n_total / 3e6) ** -0.2
    )


@pytest.mark.parametrize(("scale", "nu"), [(0.01, 10.0), (0.1, 2.5), (0.4, 4.0)])
def test_the_mean_of_a_capped_t_is_that_of_quadrature(scale, nu):
    def integrand(t):
        return np.cosh(scale * t) * 2 * stats.t.pdf(t, nu)

    inside, _ = integrate.quad(integrand, 0, noise.MAX_T)
    expected = inside + np.cosh(scale * noise.MAX_T) * 2 * stats.t.sf(noise.MAX_T, nu)
    assert noise.mean_factor(np.array([[scale]]), np.array([nu]))[0, 0] == pytest.approx(expected, rel=1e-6)
