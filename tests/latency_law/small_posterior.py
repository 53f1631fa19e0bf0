"""A posterior of a few draws that needs no fit: a latency law about its prior, of one device in two sessions."""

import numpy as np
import xarray as xr

from ie_scaling.latency_law import formula as law_model
from ie_scaling.latency_law.features import RANGES, Device
from ie_scaling.latency_law.misfit import Misfit
from ie_scaling.latency_law.posterior import LatencyPosterior

SHAPE = (2, 20)


def make() -> LatencyPosterior:
    """[2, 20] draws within a tenth of the priors' spread, and what is known of three rows."""
    rng = np.random.default_rng(1)
    device = Device(
        *("sim", "float32", "loop", (2.0**22, 2.0**26), (2e10, 1e10), 1e11, (0.01, 0.01)),
        *(("a", "b"), (1.0, 1.1), (1.0, 0.9)),
    )
    free_PCS = 0.1 * rng.standard_normal((len(law_model.PARAMETERS), *SHAPE))
    draws = {name: values[..., None] for name, values in law_model.constrain(free_PCS).items()}
    draws |= {"weight_efficiency": draws["step_efficiency"]}  # one of those that derive from the others
    draws |= {"noise_correlation": np.full(SHAPE, 0.3), "device_spread": np.full(SHAPE, 0.5)}
    draws |= {"session_spread": np.full(SHAPE, 0.05)}
    rows = {name: ("row", np.array([1.0, 1e6, 1e12])) for name in RANGES}
    return LatencyPosterior(
        form="serial",
        devices=(device,),
        sessions=("a", "b"),
        draws=draws,
        effects_CS2N=0.05 * rng.standard_normal((*SHAPE, 2, 2)),
        misfit=Misfit(rng.normal(size=(2, 3, 8)), np.zeros(3, int), 0.1 * rng.standard_normal((*SHAPE, 2, 3))),
        failures=("R-hat 1.3 of sharpness is above 1.01",),
        groups={"constant_data": xr.Dataset(rows | {"device": ("row", np.array([device.name] * 3))})},
    )
