"""Timed rows as the latency law is fitted to them, with the devices that timed them and their ceilings."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from ie_scaling.latency_law.features import CaseFeatures, FittedDevice, features_of, index_of
from ie_scaling.latency_law.table import cases_of
from ie_scaling.tables import latency_spread
from ie_scaling.tables.latency_spread import MEDIAN_ERROR, P10_TO_P90
from ie_scaling.workload import Case

ONE_SESSION = "one session"
DEVICE_COLUMNS = ("device_kind", "dtype", "mode")


@dataclasses.dataclass(frozen=True)
class TimedRows:
    """R timed cases. Errors are relative standard errors of the row's own medians; a blank tpot_s is NaN.

    Attributes:
      device_R: index in `devices` of each row's device; `session_R` in `sessions`.
      speed_2R: how much faster than typical each row's device read and computed in its session; `features` have it.
    """

    cases: tuple[Case, ...]
    features: CaseFeatures
    ttft_s_R: np.ndarray
    tpot_s_R: np.ndarray
    ttft_error_R: np.ndarray
    tpot_error_R: np.ndarray
    devices: tuple[FittedDevice, ...]
    device_R: np.ndarray
    sessions: tuple[str, ...]
    session_R: np.ndarray
    speed_2R: np.ndarray

    def __len__(self) -> int:
        return len(self.cases)


def rows_of(
    frame: pd.DataFrame, devices: Sequence[FittedDevice] | None = None, sessions: Sequence[str] | None = None
) -> TimedRows:
    """The rows of a table that `read` or `add_columns` gave.

    Args:
      devices, sessions: those of an earlier fit, to predict rows that were not in it; a session not in it is −1.
        Without them they are the table's own.

    Raises:
      InputError: a device that `devices` lacks.
    """
    cases = tuple(cases_of(frame))
    names = _session_names(frame)
    devices = devices_of(frame) if devices is None else tuple(devices)
    sessions = tuple(dict.fromkeys(names)) if sessions is None else tuple(sessions)
    device_R = np.array(
        [index_of(devices, *(str(row[column]) for column in DEVICE_COLUMNS)) for row in frame.to_dict("records")]
    )
    speed_2R = np.ones((2, len(frame)))
    for index, device in enumerate(devices):
        speeds = session_speeds(frame[device_R == index], names[device_R == index], device)
        for name, speed in speeds.items():
            speed_2R[:, (device_R == index) & (names == name).to_numpy()] = np.array(speed)[:, None]
    return TimedRows(
        cases=cases,
        features=features_of(cases, [devices[index] for index in device_R]).at_speed(*speed_2R),
        ttft_s_R=frame["ttft_s"].to_numpy(float),
        tpot_s_R=frame["tpot_s"].to_numpy(float),
        ttft_error_R=_errors(frame, "ttft_s"),
        tpot_error_R=_errors(frame, "tpot_s"),
        devices=devices,
        device_R=device_R,
        sessions=sessions,
        session_R=np.array([sessions.index(name) if name in sessions else -1 for name in names]),
        speed_2R=speed_2R,
    )


def devices_of(frame: pd.DataFrame) -> tuple[FittedDevice, ...]:
    """Every device kind, dtype and mode of the table, with its typical ceilings and how fast its sessions were."""
    devices = []
    for _, rows in frame.groupby(list(DEVICE_COLUMNS), sort=True):
        device_kind, dtype, mode = (str(rows[column].iloc[0]) for column in DEVICE_COLUMNS)
        names, errors = _session_names(rows), [_typical_error(rows, metric) for metric in ("ttft_s", "tpot_s")]
        bandwidth_by_size, bandwidth_factors = _split_levels(_octaves(rows), names, rows["ceiling_bytes_per_s"])
        rate, rate_factors = _split_levels(np.zeros(len(rows)), names, rows["ceiling_flops_per_s"])
        devices.append(
            FittedDevice(
                device_kind=device_kind,
                dtype=dtype,
                mode=mode,
                sizes=tuple(float(2.0**octave) for octave in bandwidth_by_size),
                bytes_per_s=tuple(bandwidth_by_size.values()),
                flops_per_s=rate[0.0],
                errors=(errors[0], errors[1]),
                sessions=tuple(bandwidth_factors),
                bandwidth_factors=tuple(bandwidth_factors.values()),
                rate_factors=tuple(rate_factors.values()),
            )
        )
    return tuple(devices)


def session_speeds(frame: pd.DataFrame, names: pd.Series, device: FittedDevice) -> dict[str, tuple[float, float]]:
    """How much faster than typical a device read and computed in each session.

    Of a session in the fit, its factors of that fit; of another, the medians over its rows of their ceilings over the
    device's.
    """
    typical = np.array([device.bandwidth(2.0**octave) for octave in _octaves(frame)])
    bandwidth = frame["ceiling_bytes_per_s"].to_numpy(float) / typical
    rate = frame["ceiling_flops_per_s"].to_numpy(float) / device.flops_per_s
    fitted = zip(device.bandwidth_factors, device.rate_factors, strict=True)
    speeds = dict(zip(device.sessions, fitted, strict=True))
    for name in dict.fromkeys(names):
        if name not in speeds:
            speeds[name] = (float(np.median(bandwidth[names == name])), float(np.median(rate[names == name])))
    return speeds


def _octaves(frame: pd.DataFrame) -> np.ndarray:
    """log2 of the working set at which each row's bandwidth was measured, the nearest power of two."""
    return np.round(np.log2(frame["step_bytes"].to_numpy(float)))


def _split_levels(
    level_R: np.ndarray, names: pd.Series, ceiling_R: pd.Series
) -> tuple[dict[float, float], dict[str, float]]:
    """Ceilings as a value of the level times a factor of the session; the factor is 1 in the median row's session.

    Factors of sessions are by least squares in logs, and a level's value is the median of what they leave.
    """
    log_R = np.log(ceiling_R.to_numpy(float))
    levels, level_R = np.unique(level_R, return_inverse=True)
    session_R, sessions = pd.factorize(names)
    design_RP = np.concatenate(
        [level_R[:, None] == np.arange(len(levels)), session_R[:, None] == np.arange(len(sessions))], axis=1
    )
    session_S = np.linalg.lstsq(design_RP.astype(float), log_R)[0][len(levels) :]
    session_S = session_S - np.median(session_S[session_R])
    rest_R = log_R - session_S[session_R]
    return (
        {float(level): math.exp(np.median(rest_R[level_R == index])) for index, level in enumerate(levels)},
        {str(name): math.exp(effect) for name, effect in zip(sessions, session_S, strict=True)},
    )


def _session_names(frame: pd.DataFrame) -> pd.Series:
    """The session of each row."""
    return frame["session"].astype(str) if "session" in frame else pd.Series(ONE_SESSION, frame.index)


def _errors(frame: pd.DataFrame, metric: str) -> np.ndarray:
    """Relative standard error of each row's median, from its 10th and 90th percentiles.

    Where they are blank or all one, what the other rows' spread gives for its count; 0 where the metric is blank.
    """
    width = frame[f"{metric}_p90"].to_numpy(float) - frame[f"{metric}_p10"].to_numpy(float)
    count = frame["count"].to_numpy(float)
    error = MEDIAN_ERROR * width / P10_TO_P90 / np.sqrt(count) / frame[metric].to_numpy(float)
    spread, _ = latency_spread.moderate(latency_spread.of_table(frame, metric), count)
    error = np.where(error > 0, error, MEDIAN_ERROR * spread / np.sqrt(count))
    return np.where(frame[metric].notna(), error, 0.0)


def _typical_error(frame: pd.DataFrame, metric: str) -> float:
    """The median of the rows' errors; 0 where none has the metric."""
    measured = _errors(frame, metric)[frame[metric].notna()]
    return float(np.median(measured)) if len(measured) else 0.0
