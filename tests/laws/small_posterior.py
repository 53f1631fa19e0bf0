"""A posterior of a few draws that needs no fit: law `effective` at known values, with effects of two models."""

import dataclasses

import numpy as np

from ie_scaling.inference.draws import Origin
from ie_scaling.laws import forms
from ie_scaling.laws.bayes.fitted_rows import FittedRows
from ie_scaling.laws.bayes.fitted_shapes import FittedShapes
from ie_scaling.laws.bayes.posterior import Posterior
from ie_scaling.laws.observations import Features, Reference

MEANS = {"E": 1.5, "A_ref": 0.5, "alpha": 0.4, "B_ref": 0.5, "beta": 0.4, "kappa": 0.02, "R_star": 40.0, "omega": 0.3}
MEANS |= {"tau": 0.002, "sigma": 0.004, "nu": 10.0, "sigma_fall_N": 0.1, "sigma_fall_D": 0.02}
SHAPE = (2, 40)
MODEL_IDS = ("wide", "deep")


def rows(model_ids: tuple[str, ...], **features: list[float]) -> FittedRows:
    """Rows of these features, blank in all others, whose models take turns; every loss is 2.5 nats."""
    n_rows = len(next(iter(features.values())))
    known = {name: np.array(values) for name, values in features.items()}
    blank_R = np.full(n_rows, np.nan)
    x = Features(**{field.name: known.get(field.name, blank_R) for field in dataclasses.fields(Features)})
    model_R = np.arange(n_rows, dtype=np.int32) % len(model_ids)
    names = tuple(f"run{row}" for row in range(n_rows))
    return FittedRows(names, x, np.full(n_rows, np.log(2.5)), model_R, FittedShapes.of_features(x, model_R, model_ids))


def make(method: Origin | str = Origin.BAYES) -> Posterior:
    """[2, 40] draws, within two in a hundred of MEANS, and the features of three rows."""
    rng = np.random.default_rng(0)
    fitted_rows = rows(
        MODEL_IDS,
        n_total=[1e6, 3e6, 1e7],
        n_non_embedding=[6e5, 2e6, 8e6],
        n_embedding=[4e5, 1e6, 2e6],
        n_tokens=[1e7, 1e8, 1e9],
        aspect_ratio=[2.0, 30.0, 400.0],
    )
    return Posterior(
        law=forms.get_law("effective"),
        reference=Reference(N0=3e6, D0=1e8, R0=30, d0=96, n0=4, r0=1.5, x0=0.2, g0=2, L0=3.0, L_min=2.5),
        method=Origin(method),
        draws={name: value * np.exp(0.02 * rng.normal(size=SHAPE)) for name, value in MEANS.items()},
        effects_CSM=0.002 * rng.normal(size=(*SHAPE, 2)),
        model_ids=MODEL_IDS,
        failures=("R-hat 1.2 of E is above 1.01",),
        fitted_rows=fitted_rows,
    )
