"""Latency tables of which the truth is known."""

import numpy as np
import pandas as pd

from experiments.latency_study.timings import Timings, case_key


def simulate(series, *, noise=0.01, n_samples=12, seed=0, new_tokens=5, ttft_s=0.01, floor_s=1e-4):
    """Timings of cases whose true tpot_s is given, {series: {x: tpot_s}}, each sample off by log-normal `noise`."""
    generator = np.random.default_rng(seed)
    rows, samples = [], {}
    for name, points in series.items():
        for x, tpot_s in points.items():
            number = len(rows) + 1
            times = (ttft_s + np.array([0, tpot_s * (new_tokens - 1)])) * np.exp(
                noise * generator.standard_normal((n_samples, 1))
            )
            row = {
                "architecture": f"d{16 * number}-n{number}-h1-k1-c16-f{16 * number}-v32",
                "series": name,
                "x": x,
                "batch": 2,
                "prompt_tokens": 8,
                "new_tokens": new_tokens,
                "floor_s": floor_s,
                "ttft_floor_s": floor_s,
            }
            ttft, e2e = times.T
            medians = {"ttft_s": ttft, "e2e_s": e2e, "tpot_s": (e2e - ttft) / (new_tokens - 1)}
            medians["tokens_per_s"] = 2 * new_tokens / e2e
            rows.append(row | {metric: np.median(values) for metric, values in medians.items()})
            samples[case_key(row)] = times.tolist()
    return Timings.of(pd.DataFrame(rows), samples, n_resamples=1000, seed=seed)
