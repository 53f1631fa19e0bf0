"""How many timings a new device needs: the latency law on two tables of real timings, one of them of a new device.

  python benchmarks/new_device.py [--known=results/latency_study/draw_07.csv] [--new=results/latency_study/draw_09.csv]

A few rows of --new (series "training", drawn at random --draws times) are fitted together with all of --known, and
alone; asked are all rows of series "held_out" of --new, timed in the same hour. The two tables must name their devices
differently. An error is a median relative one over those rows, high/low the median width of 90 % intervals; both are
averaged over draws. A fit takes a minute or two on two cores, and there are fifteen.
"""

import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from absl import app, flags

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from ie_scaling.latency_law import (  # noqa: E402
    goodness,
    posterior,
    timed_rows,
)
from ie_scaling.latency_law import table as law_table  # noqa: E402
from ie_scaling.latency_law.config import LatencyLawConfig  # noqa: E402
from ie_scaling.running import environment, files, markdown  # noqa: E402

_KNOWN = flags.DEFINE_string("known", "results/latency_study/draw_07.csv", "Timings of a known device.")
_NEW = flags.DEFINE_string("new", "results/latency_study/draw_09.csv", "Timings of a new one.")
_COUNTS = flags.DEFINE_list("counts", ["2", "5", "10"], "How many timings of the new device are fitted.")
_DRAWS = flags.DEFINE_integer("draws", 3, "Choices of them.")
_OUT = flags.DEFINE_string("out", "", "Write the figures to this JSON file.")
HEADER = ("timings", "fitted", "metric", "median error", "in 90 %", "high/low", "gate passed")


def main(_) -> None:
    """Fit every choice and print the table."""
    known, new = law_table.read(_KNOWN.value), law_table.read(_NEW.value)
    timed, asked = new[new["series"] == "training"], new[new["series"] == "held_out"]
    rows = []
    for count in map(int, _COUNTS.value):
        for seed in range(_DRAWS.value):
            few = timed.sample(count, random_state=seed)
            rows += judge(pd.concat([known, few]), asked, timings=count, fitted="with the known device", seed=seed)
            if count >= posterior.LEAST_ROWS:
                rows += judge(few, asked, timings=count, fitted="alone", seed=seed)
    found = pd.DataFrame(rows)
    print(markdown.table(HEADER, summarize(found)))
    if _OUT.value:
        report = {"rows": rows, "known": _KNOWN.value, "new": _NEW.value}
        report |= {"environment": environment.describe(), "date": time.strftime("%Y-%m-%d")}
        files.write_json(Path(_OUT.value), report)


def judge(fitted_rows: pd.DataFrame, asked: pd.DataFrame, **labels) -> list[dict]:
    """A row for each metric: the error, coverage and width of what is predicted for `asked`."""
    rows = timed_rows.rows_of(fitted_rows)
    law = posterior.fit_rows(rows, LatencyLawConfig())
    held_rows = timed_rows.rows_of(asked, rows.devices, rows.sessions)
    splits = {"fit": (fitted_rows, rows), "holdout": (asked, held_rows)}
    table = goodness.predict_table(splits, law, {"ttft_s": None, "tpot_s": None}, seed=0)
    table = table[table["split"] == "holdout"]
    found = []
    for metric in ("ttft_s", "tpot_s", "e2e_s"):
        true, low, high = table[metric], table[f"{metric}_lo90"], table[f"{metric}_hi90"]
        error = float((table[f"{metric}_predicted"] / true - 1).abs().median())
        inside, width = float(((low <= true) & (true <= high)).mean()), float(np.log(high / low).median())
        figures = {"median_error": error, "inside": inside, "log_width": width, "gate_passed": not law.failures}
        found.append({**labels, "metric": metric, **figures})
    print({**labels, "gate": not law.failures}, file=sys.stderr, flush=True)
    return found


def summarize(found: pd.DataFrame) -> list[tuple[str, ...]]:
    """Means over draws, as text; an error with the least and greatest of them."""
    lines = []
    for (count, fitted, metric), of in found.groupby(["timings", "fitted", "metric"], sort=False):
        errors = of["median_error"]
        error = f"{errors.mean():.1%} ({errors.min():.1%} to {errors.max():.1%})"
        width = f"{np.exp(of['log_width'].mean()):.2f}"
        passed = f"{of['gate_passed'].sum()} of {len(of)}"
        lines.append((str(count), fitted, metric, error, f"{of['inside'].mean():.0%}", width, passed))
    return lines


if __name__ == "__main__":
    app.run(main)
