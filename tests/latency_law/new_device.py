"""How many timings a new device needs: simulated, with two other devices in the fit and alone.

  python -m tests.latency_law.new_device        prints the table of docs/lab/latency_law.md (twelve fits, some minutes)

Two devices are timed on 24 shapes each and a third on a few; all are drawn from one population that lies up to a
standard deviation from the priors' centers and differ by 0.3 of one. Tested on forty untimed shapes of the third.
"""

import numpy as np
import pandas as pd

from ie_scaling.latency_law import posterior as latency_law
from ie_scaling.latency_law.config import LatencyLawConfig
from ie_scaling.running import markdown
from tests.latency_law import simulated

DESIGNS = ((2, "with the others"), (5, "with the others"), (5, "alone"))
SEEDS = range(4)
N_ASKED = 40
HEADER = ("timings", "fitted", "metric", "median error", "in 90 %", "high/low", "gate")


def judge(seed: int, n_timings: int, fitted: str) -> pd.DataFrame:
    """Median relative error, coverage and width (ln high/low) of 90 % intervals, and the gate, of TTFT and TPOT."""
    rng = np.random.default_rng(seed)
    x_PK, new = simulated.coordinates(rng, 3, 0.3), simulated.cases(n_timings + N_ASKED, seed=7 + seed)
    others = [simulated.table(simulated.cases(24, 10 * seed + k), simulated.device(k), x_PK[:, k], rng) for k in (0, 1)]
    timed = simulated.table(new, simulated.device(2), x_PK[:, 2], rng)
    tables = [*(others if fitted == "with the others" else []), timed[:n_timings]]
    posterior = latency_law.fit(pd.concat(tables), LatencyLawConfig())
    found, asked = posterior.predict(new[n_timings:], "sim2").intervals(), timed[n_timings:]
    rows = []
    for metric in ("ttft_s", "tpot_s"):
        low, high, true = found[f"{metric}_lo90"], found[f"{metric}_hi90"], asked[metric].to_numpy()
        inside = ((low <= true) & (true <= high)).mean()
        error, width = np.median(np.abs(found[metric] / true - 1)), np.median(np.log(high / low))
        rows.append({"metric": metric, "error": error, "inside": inside, "width": width, "ok": not posterior.failures})
    return pd.DataFrame(rows).set_index("metric")


def main() -> None:
    """Print the table: means over the seeds."""
    rows = []
    for n_timings, fitted in DESIGNS:
        found = pd.concat([judge(seed, n_timings, fitted) for seed in SEEDS])
        for metric, of in found.groupby(level=0):
            passed = f"{int(of['ok'].sum())} of {len(of)}"
            width = f"{np.exp(of['width'].mean()):.2f}"
            rows.append(
                (n_timings, fitted, metric, f"{of['error'].mean():.1%}", f"{of['inside'].mean():.0%}", width, passed)
            )
    print(markdown.table(HEADER, rows))


if __name__ == "__main__":
    main()
