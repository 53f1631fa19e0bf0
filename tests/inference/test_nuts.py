"""NUTS of normal densities, whose moments are known: several chains of one, and one chain of each of many."""

import jax.numpy as jnp
import numpy as np
import pytest

from ie_scaling.inference import nuts
from ie_scaling.inference.config import NutsConfig

SD = np.array([0.5, 2.0])
SCHEDULE = nuts.ChainSchedule(n_warmup=200, n_samples=500, max_samples=500, target_accept=0.8, chunk=100, thin=2)


def normal(mean_Q) -> nuts.Target:
    """Independent coordinates of these means; the rest counts how it was called."""
    return nuts.Target(
        n_coordinates=2,
        sites_of=lambda y_Q: {"y": y_Q},
        log_density=lambda sites: -0.5 * jnp.sum(((sites["y"] - mean_Q) / SD) ** 2),
        draw_rest=lambda key, sites: sites["y"].sum(),
    )


def test_chains_of_one_density_have_its_moments_and_go_on_until_they_are_enough():
    config = NutsConfig(n_chains=4, n_warmup=200, n_samples=250, max_samples=1000, target_accept=0.8)
    compiling = nuts.compile_ahead(normal(np.array([1.0, -3.0])), config)
    lengths, progress = [], []

    def enough(sites):
        lengths.append(sites["y"].shape[1])
        return len(lengths) == 2

    draws = nuts.run(compiling, np.zeros(2), np.diag(SD), config, 0, enough, progress.append)
    assert lengths == [250, 500]
    assert sum(progress) == 200 + 500
    assert draws.sites["y"].shape == (4, 500, 2)
    np.testing.assert_allclose(draws.sites["y"].mean(axis=(0, 1)), [1.0, -3.0], atol=0.3)
    np.testing.assert_allclose(draws.sites["y"].std(axis=(0, 1)), SD, rtol=0.15)
    np.testing.assert_allclose(draws.rest, draws.sites["y"].sum(axis=-1), rtol=1e-12)
    assert set(draws.stats) == set(nuts.STATS)


MEAN_CQ = np.array([[0.0, 0.0], [5.0, -5.0], [-5.0, 5.0]])
SCALE_CQQ = np.tile(np.diag(SD), (3, 1, 1))


@pytest.fixture(scope="module")
def many():
    """One chain for each of three means in groups of two: the last group wraps round to the first chain."""
    progress = []
    draws = nuts.run_many(normal, MEAN_CQ, MEAN_CQ, SCALE_CQQ, None, 0, SCHEDULE, 2, progress.append)
    assert sum(progress) == SCHEDULE.n_warmup + SCHEDULE.n_samples
    return draws


def test_every_chain_of_many_draws_from_its_own_density(many):
    assert many.sites["y"].shape == (3, 250, 2)  # every second
    assert many.stats["diverging"].shape == (3, 500)
    np.testing.assert_allclose(many.sites["y"].mean(axis=1), MEAN_CQ, atol=0.6)
    np.testing.assert_allclose(many.sites["y"].std(axis=1), np.tile(SD, (3, 1)), rtol=0.25)


def test_the_start_of_a_chain_moves_its_draws_and_not_its_density(many):
    start_CQ = np.full((3, 2), 3.0)
    moved = nuts.run_many(normal, MEAN_CQ, MEAN_CQ, SCALE_CQQ, start_CQ, 0, SCHEDULE, 2, lambda n: None)
    assert not np.allclose(moved.sites["y"], many.sites["y"])
    np.testing.assert_allclose(moved.sites["y"].mean(axis=1), MEAN_CQ, atol=0.6)
