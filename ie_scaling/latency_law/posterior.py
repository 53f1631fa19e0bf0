"""The latency law as a posterior: fit it to timed cases, predict cases that were not timed, save it and load it.

  fit(table, config)                           a LatencyPosterior of rows of latency.csv, of one or several devices
  load(path), load_fit(directory)              the LatencyPosterior in a netCDF file, or in a fit directory
  posterior.predict(cases, device_kind, seed)  paired draws of TTFT, TPOT, E2E and tokens/s, [W, A]
  posterior.failures                           why the convergence gate failed; empty where it passed

The law itself is in formula.py, the likelihood of measured times in likelihood.py and misfit.py, and draws of new
measurements in predictive.py. Letters: C chains, S draws, W all draws, K devices, A cases, R rows.
"""

import dataclasses
import enum
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ie_scaling.architecture import Architecture
from ie_scaling.errors import InputError
from ie_scaling.inference import diagnostics
from ie_scaling.inference.draws import Draws, DrawSummary, interval, summarize
from ie_scaling.latency_law import formula, posterior_file, predictive, sampling
from ie_scaling.latency_law.config import LatencyLawConfig, RooflineForm
from ie_scaling.latency_law.features import FittedDevice, features_of, index_of
from ie_scaling.latency_law.fitted_cases import FittedCases
from ie_scaling.latency_law.misfit import Misfit, sizes_of
from ie_scaling.latency_law.table import add_columns
from ie_scaling.latency_law.timed_rows import TimedRows, rows_of
from ie_scaling.running.progress import Progress
from ie_scaling.tables.latency_metric import LatencyMetric
from ie_scaling.workload import Case, Workload

FILE_NAME = "latency_posterior.nc"
FILES = (FILE_NAME, "diagnostics.json")  # what is read of a latency fit
LEAST_ROWS = 3
BLOCK = 1024  # cases whose times are computed at once
TYPICAL_SHAPE = Architecture(d_model=512, n_layers=8, n_heads=8, n_kv_heads=4, d_head=64, d_ff=1536, vocab_size=32768)
TYPICAL_LOAD = {"batch": 1, "prompt_tokens": 128, "new_tokens": 32}


class LatencyLevel(enum.StrEnum):
    """`law` is the law alone; `new_measurement` adds what another benchmark's medians differ from it by."""

    LAW = "law"
    NEW_MEASUREMENT = "new_measurement"


@dataclasses.dataclass(frozen=True)
class Predicted:
    """Paired draws [W, A] of what would be measured; `tpot_s_WA` is NaN for cases of one new token."""

    ttft_s_WA: np.ndarray
    tpot_s_WA: np.ndarray
    e2e_s_WA: np.ndarray
    tokens_per_s_WA: np.ndarray

    @classmethod
    def of(cls, cases: Sequence[Case], log_2WA: np.ndarray) -> "Predicted":
        """From draws of ln TTFT and of ln TPOT of these cases, [2, W, A]."""
        new_A = np.array([case.workload.new_tokens for case in cases])
        batch_A = np.array([case.workload.batch for case in cases])
        ttft_s_WA, tpot_s_WA = np.exp(log_2WA)
        e2e_s_WA = ttft_s_WA + (new_A - 1) * tpot_s_WA
        tpot_s_WA[:, new_A == 1] = np.nan
        return cls(ttft_s_WA, tpot_s_WA, e2e_s_WA, batch_A * new_A / e2e_s_WA)

    def intervals(self) -> pd.DataFrame:
        """A row a case: the median and the 5 % and 95 % points of every metric, as METRIC, METRIC_lo90, METRIC_hi90."""
        columns = {}
        for metric in LatencyMetric:
            low, middle, high = interval(getattr(self, f"{metric}_WA"), axis=0)
            columns |= {metric: middle, f"{metric}_lo90": low, f"{metric}_hi90": high}
        return pd.DataFrame(columns)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LatencyPosterior(Draws):
    """Draws of the latency law.

    Attributes:
      draws: each device's parameters by name, [C, S, K]; device_spread (λ), noise_correlation (ρ) and, of several
        sessions, session_spread (τ), each [C, S].
      effects_CS2N: u of each session on TTFT and on TPOT, [C, S, 2, N]; N is 0 with one session.
      misfit: δ of the rows, from which those of other cases follow.
      fitted_cases: what it was fitted to.
      log_density_CSR: ln density of each row's times given all other rows; None of a file without it.
    """

    form: RooflineForm
    devices: tuple[FittedDevice, ...]
    sessions: tuple[str, ...]
    effects_CS2N: np.ndarray
    misfit: Misfit
    fitted_cases: FittedCases
    log_density_CSR: np.ndarray | None = None

    def predict(
        self,
        cases: Sequence[Case],
        device_kind: str = "",
        seed: int = 0,
        level: str = LatencyLevel.NEW_MEASUREMENT,
        sessions: Sequence[str] | None = None,
        speeds: np.ndarray | None = None,
    ) -> Predicted:
        """Draws of the times of cases on one kind of device; a row is one joint draw of all.

        Args:
          device_kind: "" means the only one that was fitted; dtype and mode are each case's own.
          level: `new_measurement` is the median that another benchmark would find, with the law's misfit, noise and,
            where several sessions were fitted, the effects of a new one, common to all cases; `law` is the law alone.
          sessions: the session of each case; one that was fitted keeps its own speed and effect.
          speeds: how much faster than typical each case's device reads and computes, [2, A], where that was measured
            (`TimedRows.speed_2R`). Where it was not, a new measurement is as fast as in one of the sessions fitted.

        Raises:
          InputError: no cases, an unknown level, or a device, dtype or mode that was not fitted.
        """
        if not len(cases):
            raise InputError("predict: needs at least one case")
        if level not in [*LatencyLevel]:
            raise InputError(f"level={level!r}: must be one of {', '.join(LatencyLevel)}")
        kind = self.resolve_kind(device_kind)
        device_A = np.array([index_of(self.devices, kind, case.workload.dtype, case.workload.mode) for case in cases])
        rng = np.random.default_rng(seed)
        names = [""] * len(cases) if sessions is None else sessions
        if speeds is None:
            fresh = rng if level == LatencyLevel.NEW_MEASUREMENT else None
            speed_2WA = predictive.draw_speeds(self.devices, device_A, names, self.n_draws, fresh)
        else:
            speed_2WA = np.asarray(speeds)[:, None]
        log_2WA = self._log_times(cases, device_A, speed_2WA)
        if level == LatencyLevel.NEW_MEASUREMENT:
            log_2WA += predictive.draw_misfits(self.flat, self.misfit, cases, device_A, rng)
            log_2WA += predictive.draw_noise(self.flat, self.devices, device_A, rng)
            if self.effects_CS2N.shape[-1]:
                log_2WA += predictive.draw_effects(self.flat, self.effects_CS2N, self.sessions, names, rng)
        return Predicted.of(cases, log_2WA)

    def resolve_kind(self, device_kind: str) -> str:
        """This device kind, or for "" the only one there is.

        Raises:
          InputError: "" with several fitted.
        """
        kinds = list(dict.fromkeys(device.device_kind for device in self.devices))
        if not device_kind and len(kinds) > 1:
            raise InputError(f"device_kind='': several were fitted, name one of {', '.join(kinds)}")
        return device_kind or kinds[0]

    def _log_times(self, cases: Sequence[Case], device_A: np.ndarray, speed_2WA: np.ndarray) -> np.ndarray:
        """Logs of TTFT and TPOT under the law alone, [2, W, A]."""
        free = formula.free_from(self.flat)
        log_2WA = np.empty((2, self.n_draws, len(cases)))
        for device, columns in _blocks(device_A):
            chosen = [cases[column] for column in columns]
            features = features_of(chosen, [self.devices[device]] * len(chosen))
            features = features.at_speed(*speed_2WA[:, :, columns])
            z = {name: values[:, [device]] for name, values in free.items()}
            log_2WA[0][:, columns] = formula.log_prefill_s(z, features)
            log_2WA[1][:, columns] = formula.log_step_s(z, features, self.form)
        return log_2WA

    def summary(self) -> dict[str, dict[str, DrawSummary]]:
        """Mean, sd, 5 %, 50 % and 95 % points: of each device's parameters by its name, and of the rest as `common`."""
        of_device = {name: values for name, values in self.draws.items() if values.ndim == 3}
        devices = {
            device.name: {name: summarize(values[..., k]) for name, values in of_device.items()}
            for k, device in enumerate(self.devices)
        }
        rest = {name: values for name, values in self.draws.items() if name not in of_device}
        return devices | {"common": {name: summarize(values) for name, values in rest.items()}}

    def save(self, path: Path) -> None:
        """Write the netCDF file that `arviz.from_netcdf` and `load` read, whole or not at all."""
        posterior_file.write(path, self)


def fit(table: pd.DataFrame, config: LatencyLawConfig | None = None) -> LatencyPosterior:
    """The posterior of the latency law given rows of latency.csv, of one device or several.

    The table needs what `latency_table.read_latency` gives, the two ceilings, and `session` where there are several.

    Raises:
      InputError: fewer than three rows, or a column that the law needs and the table lacks.
    """
    return fit_rows(rows_of(add_columns(table)), config or LatencyLawConfig())


def fit_rows(rows: TimedRows, config: LatencyLawConfig) -> LatencyPosterior:
    """The posterior given rows, with the verdict on its chains.

    Raises:
      InputError: fewer than three rows.
    """
    if len(rows) < LEAST_ROWS:
        raise InputError(f"table: has {len(rows)} rows; a latency law needs at least {LEAST_ROWS}")
    nuts = sampling.nuts_of(rows, config.nuts)
    label = f"sampling latency law ({nuts.n_chains} chains)"
    with Progress(label, nuts.n_warmup + nuts.n_samples, "draw") as progress:
        samples = sampling.sample(rows, config, progress.advance)
    gate = diagnostics.check(sampling.monitored(samples.sites), samples.stats, nuts)
    return LatencyPosterior(
        form=RooflineForm(config.form),
        devices=rows.devices,
        sessions=rows.sessions,
        draws=sampling.draws_of(rows, samples),
        effects_CS2N=samples.effects_CS2N,
        misfit=Misfit(sizes_of(rows.cases), rows.device_R, samples.weights_CS2R),
        fitted_cases=FittedCases.of(rows),
        log_density_CSR=samples.log_density_CSR,
        stats=samples.stats,
        failures=gate.failures,
        gate=gate,
    )


def load(path: str | Path) -> LatencyPosterior:
    """The posterior in a netCDF file that `LatencyPosterior.save` wrote.

    Raises:
      InputError: no such file, not such a file, or one whose draws predict no time.
    """
    posterior = LatencyPosterior(**posterior_file.read(Path(path)))
    _check_predictions(path, posterior)
    return posterior


def load_fit(directory: str | Path) -> LatencyPosterior:
    """The posterior of a directory that `configs/fit_latency.py` wrote."""
    return load(Path(directory) / FILE_NAME)


def _check_predictions(path: str | Path, posterior: LatencyPosterior) -> None:
    """Every draw predicts a time on every device."""
    for device in posterior.devices:
        load = Workload(**TYPICAL_LOAD, dtype=device.dtype, mode=device.mode)
        with np.errstate(all="ignore"):
            e2e_s_W = posterior.predict([Case(TYPICAL_SHAPE, load)], device.device_kind).e2e_s_WA[:, 0]
        is_time_W = np.isfinite(e2e_s_W) & (e2e_s_W > 0)
        if not is_time_W.all():
            draw = int(np.argmin(is_time_W))
            raise InputError(f"{path}: draw {draw} predicts no time of a typical shape on {device.name}; fit again")


def _blocks(device_A: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Each device with the cases on it, BLOCK at a time."""
    for device in np.unique(device_A):
        columns = np.flatnonzero(device_A == device)
        for first in range(0, len(columns), BLOCK):
            yield int(device), columns[first : first + BLOCK]
