"""Timed cases with the uncertainty of their medians: a table, and the medians of resampled samples."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ie_scaling.errors import InputError
from ie_scaling.running import files
from ie_scaling.tables import latency_table
from ie_scaling.tables.latency_metric import LatencyMetric

NUMBERS = ("x", "ttft_floor_s", "step_bytes", "step_flops", "ceiling_bytes_per_s", "ceiling_flops_per_s")
CASE = ("architecture", "batch", "prompt_tokens", "new_tokens")  # what tells the cases of one sweep apart
QUANTILES = (0.05, 0.95)


@dataclasses.dataclass(frozen=True)
class Timings:
    """A row for each case, and each timed metric's medians in W bootstrap resamples of the case's samples, [W, A]."""

    table: pd.DataFrame
    medians_WA: Mapping[str, np.ndarray]

    @classmethod
    def read(cls, directory: Path, n_resamples: int, seed: int) -> "Timings":
        """From the latency.csv and samples.jsonl of a sweep.

        Raises:
          InputError: a file is missing or broken, or a case has no samples.
        """
        table = latency_table.read_latency(directory / "latency.csv")
        for column in NUMBERS:
            if column in table:
                table[column] = pd.to_numeric(table[column], errors="coerce")
        return cls.of(table, _read_samples(directory / "samples.jsonl"), n_resamples, seed)

    @classmethod
    def of(
        cls,
        table: pd.DataFrame,
        samples: Mapping[tuple, Sequence[tuple[float, float]]],
        n_resamples: int,
        seed: int,
    ) -> "Timings":
        """From the table and the samples of (ttft_s, e2e_s) by `case_key`; each case is resampled by itself."""
        generator = np.random.default_rng(seed)
        columns: dict[str, list[np.ndarray]] = {metric: [] for metric in LatencyMetric}
        for row in table.to_dict("records"):
            key = case_key(row)
            if key not in samples:
                raise InputError(f"samples.jsonl: has no samples of {', '.join(str(part) for part in key)}")
            ttft_s, e2e_s = np.array(samples[key]).T
            chosen = generator.integers(len(e2e_s), size=(n_resamples, len(e2e_s)))
            tpot_s = (e2e_s - ttft_s) / max(row["new_tokens"] - 1, 1)
            series = {
                "ttft_s": ttft_s,
                "tpot_s": tpot_s,
                "e2e_s": e2e_s,
                "tokens_per_s": row["batch"] * row["new_tokens"] / e2e_s,
            }
            for metric, values in series.items():
                columns[metric].append(np.median(values[chosen], axis=1))
        return cls(table, {metric: np.stack(medians, axis=1) for metric, medians in columns.items()})

    def by_series(self) -> dict[str, "Timings"]:
        """Each series apart, in the order of the table, x ascending."""
        parts = {}
        for name in dict.fromkeys(self.table["series"]):
            rows = np.flatnonzero(self.table["series"] == name)
            rows = rows[np.argsort(self.table["x"].to_numpy(float)[rows], kind="stable")]
            medians_WA = {metric: values_WA[:, rows] for metric, values_WA in self.medians_WA.items()}
            parts[name] = Timings(self.table.iloc[rows].reset_index(drop=True), medians_WA)
        return parts

    def values(self, column: str) -> np.ndarray:
        """A column of the table, [A]."""
        return self.table[column].to_numpy(float)

    def interval(self, metric: str) -> tuple[np.ndarray, np.ndarray]:
        """The 90 % interval of each case's median, [A] and [A]."""
        low_A, high_A = np.quantile(self.medians_WA[metric], QUANTILES, axis=0)
        return low_A, high_A


def _read_samples(path: Path) -> dict[tuple, list[tuple[float, float]]]:
    """Each sample's (ttft_s, e2e_s), by `case_key`."""
    samples: dict[tuple, list[tuple[float, float]]] = {}
    for number, line in enumerate(files.read_text(path).splitlines(), 1):
        try:
            sample = json.loads(line)
            samples.setdefault(case_key(sample), []).append((sample["ttft_s"], sample["e2e_s"]))
        except (ValueError, KeyError, TypeError):
            raise InputError(f"{path}, line {number}: is no sample as a timed sweep writes them") from None
    return samples


def case_key(row: Mapping[str, Any]) -> tuple:
    """What a row of latency.csv and its samples have in common."""
    name, *numbers = (row[field] for field in CASE)
    return name, *(int(number) for number in numbers)
