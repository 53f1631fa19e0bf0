"""Posterior predictive draws of a new measurement: session speed, misfit, session effect, noise.

Every function gives [2, W, A] for cases on the devices of index device_A: `draw_speeds` factors of bandwidth and of
rate, the others a summand of ln TTFT and of ln TPOT. `flat` has the posterior's draws by name, [W, K] or [W].
W all draws, A cases, K devices, N sessions.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from ie_scaling.latency_law.features import FittedDevice
from ie_scaling.latency_law.misfit import Misfit
from ie_scaling.workload import Case


def draw_speeds(
    devices: Sequence[FittedDevice],
    device_A: np.ndarray,
    names: Sequence[str],
    n_draws: int,
    rng: np.random.Generator | None,
) -> np.ndarray:
    """How much faster than typical each device reads and computes in the session of this name.

    A new session is, in each draw, as fast as one of those that the device was timed in; without `rng`, typical.
    """
    speed_2WA, share_W = np.ones((2, n_draws, len(device_A))), None if rng is None else rng.random(n_draws)
    for column, (index, name) in enumerate(zip(device_A, names, strict=True)):
        device = devices[index]
        factors_2N = np.array([device.bandwidth_factors, device.rate_factors])
        if name in device.sessions:
            speed_2WA[:, :, column] = factors_2N[:, [device.sessions.index(name)]]
        elif device.sessions and share_W is not None:
            speed_2WA[:, :, column] = factors_2N[:, (share_W * len(device.sessions)).astype(int)]
    return speed_2WA


def draw_misfits(
    flat: Mapping[str, np.ndarray],
    misfit: Misfit,
    cases: Sequence[Case],
    device_A: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """The misfit of the law at these cases."""
    amplitude_2WA = np.array([flat[f"{metric}_misfit"][:, device_A] for metric in ("ttft", "tpot")])
    return misfit.draw(cases, device_A, amplitude_2WA, rng)


def draw_noise(
    flat: Mapping[str, np.ndarray], devices: Sequence[FittedDevice], device_A: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """The correlated noise of one measurement, whose medians have the device's typical error."""
    noise_2WA = np.array([flat[f"{metric}_noise"][:, device_A] for metric in ("ttft", "tpot")])
    error_2A = np.array([devices[index].errors for index in device_A]).T
    rho_W1 = flat["noise_correlation"][:, None]
    first_WA, second_WA = rng.standard_normal(noise_2WA.shape)
    second_WA = rho_W1 * first_WA + np.sqrt(1 - rho_W1**2) * second_WA
    return np.hypot(noise_2WA, error_2A[:, None]) * np.array([first_WA, second_WA])


def draw_effects(
    flat: Mapping[str, np.ndarray],
    effects_CS2N: np.ndarray,
    fitted: Sequence[str],
    names: Sequence[str],
    rng: np.random.Generator,
) -> np.ndarray:
    """The effect of the session of each case's name: a fitted one's own, or a fresh one, common to all others."""
    spread_W1 = flat["session_spread"][:, None]
    fitted_W2N = effects_CS2N.reshape(len(spread_W1), 2, -1)
    fresh_W2 = spread_W1 * rng.standard_normal((len(spread_W1), 2))
    effects_W2N = np.concatenate([fitted_W2N, fresh_W2[:, :, None]], axis=2)
    indices = {name: column for column, name in enumerate(fitted)}
    return effects_W2N[:, :, [indices.get(name, len(fitted)) for name in names]].swapaxes(0, 1)
