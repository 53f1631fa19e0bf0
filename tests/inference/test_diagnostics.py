"""R-hat and ESS against ArviZ's, and the gate against chains that are known to be bad."""

import re
import warnings

import numpy as np
import pytest

from ie_scaling.inference import diagnostics
from ie_scaling.inference.config import NutsConfig

RNG = np.random.default_rng(0)
GOOD = {"x": RNG.standard_normal((4, 1000)), "v": RNG.standard_normal((4, 1000, 3))}
STATS = {"diverging": np.zeros((4, 1000), bool), "energy": RNG.standard_normal((4, 1000))}


def autoregressive(rho):
    noise = np.random.default_rng(1).standard_normal((4, 500))
    chain = np.zeros_like(noise)
    for i in range(1, 500):
        chain[:, i] = rho * chain[:, i - 1] + noise[:, i]
    return chain


@pytest.mark.parametrize("draws", [GOOD["x"], autoregressive(0.9), autoregressive(-0.5), RNG.standard_cauchy((4, 501))])
def test_equal_to_arviz(draws):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # arviz 0.23 announces its successor on import
        import arviz
    assert diagnostics.rhat(draws) == pytest.approx(float(arviz.rhat(draws)), rel=1e-6)
    assert diagnostics.ess_bulk(draws) == pytest.approx(float(arviz.ess(draws, method="bulk")), rel=0.02)
    assert diagnostics.ess_tail(draws) == pytest.approx(
        float(arviz.ess(draws, method="tail", prob=(0.05, 0.95))), rel=0.02
    )
    assert diagnostics.bfmi(draws) == pytest.approx(np.asarray(arviz.bfmi(draws)), rel=1e-6)


def test_good_chains_pass():
    gate = diagnostics.check(GOOD, STATS, NutsConfig())
    assert gate.passed
    assert gate.failures == ()


@pytest.mark.parametrize(
    ("draws", "sample_stats", "message"),
    [
        ({"x": GOOD["x"] + np.array([[0.0], [0.0], [0.0], [2.0]])}, {}, "R-hat .* of x is above 1.01"),
        ({"x": autoregressive(0.99)}, {}, "bulk ESS .* of x is below 400"),
        ({"x": np.full((4, 1000), np.nan)}, {}, "R-hat inf of x"),
        ({}, {"diverging": np.eye(4, 1000, dtype=bool)}, "4 divergent transitions"),
        ({}, {"energy": np.cumsum(STATS["energy"], axis=1)}, "E-BFMI 0.0. is below 0.3"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_bad_chains_fail(draws, sample_stats, message):
    gate = diagnostics.check(GOOD | draws, STATS | sample_stats, NutsConfig())
    assert not gate.passed
    assert any(re.search(message, failure) for failure in gate.failures)
