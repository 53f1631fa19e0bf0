"""The one way from a posed law to its posterior, whether the sampler was compiled ahead or not."""

import numpy as np

from ie_scaling.inference.config import NutsConfig
from ie_scaling.laws import bayes, forms, least_squares
from ie_scaling.laws.observations import Observations
from ie_scaling.laws.problem import pose
from tests.laws.simulated import simulate

CONFIG = NutsConfig(n_chains=2, n_warmup=50, n_samples=50, max_samples=50)


def test_a_posterior_is_the_same_whoever_prepares_it_and_carries_its_gate():
    problem = pose(forms.get_law("chinchilla"), Observations.from_frame(simulate(forms.get_law("chinchilla"))))
    transitions = []
    whole = bayes.fit(problem, CONFIG, 3, transitions.append, n_starts=8)
    parts = bayes.finish(bayes.prepare(problem, CONFIG), least_squares.fit(problem, n_starts=8, seed=3), 3)
    for name, values in whole.draws.items():
        np.testing.assert_array_equal(values, parts.draws[name], err_msg=name)
    assert sum(transitions) == CONFIG.n_warmup + CONFIG.n_samples
    assert whole.gate is not None
    assert whole.failures == whole.gate.failures
    assert whole.failures  # 100 draws do not reach the effective sample size
    assert whole.seconds > 0
