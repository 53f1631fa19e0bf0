"""A fit directory whose posterior is made up: the optimum at R = 40, and an effect of its own for one shape."""

from pathlib import Path

import numpy as np

from experiments import rank
from ie_scaling.laws import forms
from ie_scaling.laws.bayes import posterior
from ie_scaling.laws.observations import Reference
from ie_scaling.search.config import GridConfig
from tests.laws import small_posterior

GRID = GridConfig(
    n_params=2e6, tolerance=0.08, width_step=16, max_width=512, aspect_ratios=(3.0, 400.0), d_head=16, vocab_size=512
)


def write(directory: Path) -> rank.Config:
    """Write it, and return the question which shape of the grid is best under it."""
    rng = np.random.default_rng(0)
    means = {"E": 1.5, "A_ref": 0.5, "alpha": 0.4, "B_ref": 0.5, "beta": 0.4, "kappa": 0.02, "R_star": 40.0}
    draws = {name: value * np.exp(0.02 * rng.normal(size=(2, 300))) for name, value in means.items()}
    draws |= {"tau": np.full((2, 300), 0.002), "sigma": np.full((2, 300), 0.004), "nu": np.full((2, 300), 10.0)}
    draws |= {"sigma_fall_N": np.full((2, 300), 0.1), "sigma_fall_D": np.full((2, 300), 0.0)}
    names = ("d64-n8-h4-k4-c16-f192-v512",)
    posterior.Posterior(
        law=forms.get_law("effective", count="total"),
        reference=Reference(N0=3e6, D0=1e8, R0=30, d0=96, n0=4, r0=1.5, x0=0.2, g0=2, L0=3.0, L_min=2.5),
        draws=draws,
        effects_CSM=np.full((2, 300, 1), -0.05),
        model_ids=names,
        fitted_rows=small_posterior.rows(names, n_total=[1e6, 1e7], n_tokens=[1e7, 1e9], aspect_ratio=[2.0, 400.0]),
    ).save(directory / "posterior.nc")
    return rank.Config(fit=str(directory), candidates=(), grid=GRID, n_tokens=1e8, top_k=3)
