"""How a new measurement lies about the law: draws of its hour's speed, its misfit, its session's effects and its noise.

Every function gives [2, W, A] for cases on the devices at place_A: `draw_speeds` factors of bandwidth and of rate, the
others a part of ln TTFT and of ln TPOT. Draws of parameters are a LatencyPosterior's, by name, [C, S, K] or [C, S].
W all draws, A cases, K devices, N sessions.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from ie_scaling.latency_law.features import Device
from ie_scaling.latency_law.misfit import Misfit
from ie_scaling.workload import Case

Draws = Mapping[str, np.ndarray]


def draw_speeds(
    devices: Sequence[Device], place_A: np.ndarray, names: Sequence[str], n_draws: int, rng: np.random.Generator | None
) -> np.ndarray:
    """How much faster than typical each device reads and computes in the session of this name.

    A session that is not known is, in each draw, one of those that the device was timed in; without `rng`, typical.
    """
    speed_2WA, share_W = np.ones((2, n_draws, len(place_A))), None if rng is None else rng.random(n_draws)
    for column, (place, name) in enumerate(zip(place_A, names, strict=True)):
        device = devices[place]
        factors_2N = np.array([device.bandwidth_factors, device.rate_factors])
        if name in device.sessions:
            speed_2WA[:, :, column] = factors_2N[:, [device.sessions.index(name)]]
        elif device.sessions and share_W is not None:
            speed_2WA[:, :, column] = factors_2N[:, (share_W * len(device.sessions)).astype(int)]
    return speed_2WA


def draw_misfits(
    draws: Draws, misfit: Misfit, cases: Sequence[Case], place_A: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """What the law misses of these cases."""
    amplitude_2WA = np.array([_flat(draws, f"{metric}_misfit")[:, place_A] for metric in ("ttft", "tpot")])
    return misfit.draw(cases, place_A, amplitude_2WA, rng)


def draw_noise(draws: Draws, devices: Sequence[Device], place_A: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The correlated noise of one measurement, as well known as this device's medians typically are."""
    noise_2WA = np.array([_flat(draws, f"{metric}_noise")[:, place_A] for metric in ("ttft", "tpot")])
    error_2A = np.array([devices[place].errors for place in place_A]).T
    rho_W1 = _flat(draws, "noise_correlation")
    first_WA, second_WA = rng.standard_normal(noise_2WA.shape)
    second_WA = rho_W1 * first_WA + np.sqrt(1 - rho_W1**2) * second_WA
    return np.hypot(noise_2WA, error_2A[:, None]) * np.array([first_WA, second_WA])


def draw_effects(
    draws: Draws, effects_CS2N: np.ndarray, known: Sequence[str], names: Sequence[str], rng: np.random.Generator
) -> np.ndarray:
    """The effect of the session of each case's name: one of those known, or a fresh one, common to all others."""
    spread_W1 = _flat(draws, "session_spread")
    fitted_W2N = effects_CS2N.reshape(len(spread_W1), 2, -1)
    fresh_W2 = spread_W1 * rng.standard_normal((len(spread_W1), 2))
    effects_W2N = np.concatenate([fitted_W2N, fresh_W2[:, :, None]], axis=2)
    places = {name: column for column, name in enumerate(known)}
    return effects_W2N[:, :, [places.get(name, len(known)) for name in names]].swapaxes(0, 1)


def _flat(draws: Draws, name: str) -> np.ndarray:
    """[W, K], or [W, 1] of what is common to all devices."""
    values = draws[name]
    return values.reshape(values.shape[0] * values.shape[1], -1)
