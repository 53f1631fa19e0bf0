"""A posterior of a few draws that needs no fit: a latency law about its prior, of one device in two sessions."""

import numpy as np

from ie_scaling.latency_law import formula
from ie_scaling.latency_law.config import RooflineForm
from ie_scaling.latency_law.features import RANGES, FittedDevice
from ie_scaling.latency_law.fitted_cases import FittedCases
from ie_scaling.latency_law.misfit import Misfit
from ie_scaling.latency_law.posterior import LatencyPosterior

SHAPE = (2, 20)


def fitted_cases(device_name: str, values: list[float]) -> FittedCases:
    """A case for each value, which is its time and all of its features, on one device in one session."""
    n_rows = len(values)
    return FittedCases(
        names=tuple(f"case{row}" for row in range(n_rows)),
        device_names=(device_name,) * n_rows,
        session_names=("a",) * n_rows,
        ttft_s_R=np.array(values),
        tpot_s_R=np.array(values),
        features={name: np.array(values) for name in RANGES},
    )


def make() -> LatencyPosterior:
    """[2, 20] draws within a tenth of the priors' spread, and what is known of three rows."""
    rng = np.random.default_rng(1)
    device = FittedDevice(
        *("sim", "float32", "loop", (2.0**22, 2.0**26), (2e10, 1e10), 1e11, (0.01, 0.01)),
        *(("a", "b"), (1.0, 1.1), (1.0, 0.9)),
    )
    free_PCS = 0.1 * rng.standard_normal((len(formula.PARAMETERS), *SHAPE))
    draws = {name: values[..., None] for name, values in formula.constrain(free_PCS).items()}
    draws |= {"weight_efficiency": draws["step_efficiency"]}  # one of those that derive from the others
    draws |= {"noise_correlation": np.full(SHAPE, 0.3), "device_spread": np.full(SHAPE, 0.5)}
    draws |= {"session_spread": np.full(SHAPE, 0.05)}
    return LatencyPosterior(
        form=RooflineForm.SERIAL,
        devices=(device,),
        sessions=("a", "b"),
        draws=draws,
        effects_CS2N=0.05 * rng.standard_normal((*SHAPE, 2, 2)),
        misfit=Misfit(rng.normal(size=(2, 3, 8)), np.zeros(3, int), 0.1 * rng.standard_normal((*SHAPE, 2, 3))),
        failures=("R-hat 1.3 of sharpness is above 1.01",),
        fitted_cases=fitted_cases(device.name, [1.0, 1e6, 1e12]),
    )
