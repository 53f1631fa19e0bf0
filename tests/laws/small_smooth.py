"""A small table of models with one and with several token counts, and a made-up posterior whose misses are smooth."""

import dataclasses

import numpy as np

from ie_scaling.laws import forms
from ie_scaling.laws.bayes import discrepancy, noise, sampler
from ie_scaling.laws.bayes.fitted_rows import FittedRows
from ie_scaling.laws.bayes.posterior import Posterior
from ie_scaling.laws.choices import Misses
from ie_scaling.laws.observations import Observations
from ie_scaling.laws.problem import Problem, pose
from tests.laws.simulated import simulate, truth

NOISE = {"tau": 0.003, "sigma": 0.004, "nu": 7.0, "sigma_fall_N": 0.1, "sigma_fall_D": 0.05}
NOISE |= {"tau_smooth": 0.006, "tau_tokens": 0.004}
N_ALONE = 4  # models of a single token count


def problem(law_name: str = "chinchilla") -> Problem:
    """Ten models, the last N_ALONE of which have one token count, which is far from the geometric mean."""
    law = forms.get_law(law_name)
    frame = simulate(law, seed=1, tau=0.004, sigma=0.005)
    models = sorted(set(frame["model_id"]))
    keep = ~frame["model_id"].isin(models[-N_ALONE:]) | (frame["n_tokens"] == frame["n_tokens"].max())
    rows = Observations.from_frame(frame[keep].reset_index(drop=True))
    return pose(law, rows, misses=Misses.SMOOTH)


def sites(posed: Problem, seed: int = 0) -> dict[str, np.ndarray]:
    """One value of every site: the law's truth, NOISE, and random weights."""
    rng, law = np.random.default_rng(seed), posed.law
    values = {"z": np.array([p.to_free(truth(law)[p.name]) for p in law.parameters])}
    values["noise"] = noise.to_coordinates({name: np.float64(value) for name, value in NOISE.items()})
    scales = sampler.site_scales(posed, values)
    return values | {name: scale * rng.standard_normal(scale.shape) for name, scale in scales.items()}


def posterior(posed: Problem, n_draws: int = 40, seed: int = 0, **changed: float) -> Posterior:
    """[2, n_draws] draws about the law's truth, at NOISE but for what is changed."""
    rng, law, shape = np.random.default_rng(seed), posed.law, (2, n_draws)
    design = discrepancy.design_of(posed)
    draws = {name: value * np.exp(0.01 * rng.standard_normal(shape)) for name, value in truth(law).items()}
    draws |= {name: np.full(shape, value) for name, value in (NOISE | changed).items()}
    return Posterior(
        law=law,
        reference=posed.reference,
        draws=draws,
        effects_CSM=0.003 * rng.standard_normal((*shape, posed.n_models)),
        slopes_CSM=0.004 * rng.standard_normal((*shape, posed.n_models)),
        sines=design.sines,
        sines_CSK=rng.standard_normal((*shape, len(design.sines))),
        model_ids=posed.rows.model_ids,
        fitted_rows=FittedRows.of(posed.rows),
    )


def of_sizes(posed: Problem, d_model: np.ndarray, n_layers: np.ndarray):
    """Features of the first row at other widths and depths."""
    first = posed.features.take(np.zeros(len(d_model), int))
    return dataclasses.replace(first, d_model=np.asarray(d_model, float), n_layers=np.asarray(n_layers, float))
