"""Speed and memory of ranking very many shapes under one posterior.

  python benchmarks/ranking.py [--n_shapes=100000] [--out=results/ranking_cpu.json]

Fits bian2025 with the bootstrap's layout of 4,000 draws first (not timed); then times the features and the ranking at
level `shape`, all draws paired. Nothing is asserted.
"""

import resource
import sys
import time
from pathlib import Path

import numpy as np
from absl import app, flags

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from ie_scaling.laws import bayes, forms  # noqa: E402
from ie_scaling.laws.least_squares import solver  # noqa: E402
from ie_scaling.laws.observations import Observations, features_of  # noqa: E402
from ie_scaling.laws.problem import pose  # noqa: E402
from ie_scaling.running import environment, files  # noqa: E402
from ie_scaling.search import ranking, space  # noqa: E402
from ie_scaling.search.config import GridConfig  # noqa: E402
from ie_scaling.tables import run_table  # noqa: E402

_N_SHAPES = flags.DEFINE_integer("n_shapes", 100_000, "How many shapes to rank.")
_OUT = flags.DEFINE_string("out", "", "Write the figures to this JSON file.")
N_DRAWS = 4000


def main(_) -> None:
    """Rank, and print seconds and peak memory."""
    rows = Observations.from_frame(run_table.read_runs(ROOT / "data" / "bian2025.csv"))
    fitted = solver.fit(pose(forms.get_law("effective"), rows))
    draws = bayes.bootstrap(fitted, N_DRAWS, 0)
    ratios = tuple(np.linspace(1, 6, 51))
    grid = GridConfig(n_params=1.5e9, tolerance=0.2, width_step=32, d_head=32, mlp_ratios=ratios, equal_size=False)
    shapes = space.enumerate_grid(grid)
    shapes = [shapes[i] for i in np.linspace(0, len(shapes) - 1, _N_SHAPES.value).astype(int)]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    features = features_of(shapes, 3e10)
    features_s = time.perf_counter() - began
    began = time.perf_counter()
    losses_of = draws.losses(features, level="shape")
    summary = ranking.stream(losses_of, N_DRAWS, len(shapes), 10)
    rank_s = time.perf_counter() - began
    found = {
        "n_shapes": len(shapes),
        "n_draws": N_DRAWS,
        "features_s": features_s,
        "rank_s": rank_s,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "peak_bytes_before": before * 1024,
        "best": shapes[int(summary.expected_regret_A.argmin())].name,
        "environment": environment.describe(),
        "date": time.strftime("%Y-%m-%d"),
    }
    print(
        f"{len(shapes):,} shapes × {N_DRAWS:,} draws: features {features_s:.1f} s, ranking {rank_s:.1f} s, peak "
        f"{found['peak_bytes'] / 1e9:.2f} GB of the process ({found['peak_bytes_before'] / 1e9:.2f} GB before)"
    )
    if _OUT.value:
        files.write_json(Path(_OUT.value), found)


if __name__ == "__main__":
    app.run(main)
