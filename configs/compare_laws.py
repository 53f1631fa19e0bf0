"""Contest laws on run tables: cross-validation by model, extrapolation by size and by tokens, every way of counting N.

  python run.py --config=configs/compare_laws.py                     41 laws × ties × counts on two public tables
  python run.py --config=configs/compare_laws.py --config.tables="('my_runs.csv',)" --workdir=runs/my_contest
  python run.py --config=configs/compare_laws.py --config.laws="('chinchilla', 'effective:free:effective')" \
      --config.baseline=effective:free:effective

Cost: six minutes or so on two CPU cores. Leaves comparison.csv, comparison.md and figures/contest.png.
Expect `effective_moving_D` first on bian2025 by size and by tokens, coupled laws on gemstones.
"""

from experiments.compare_laws import Config
from ie_scaling.running.config import to_config_dict


def get_config():
    """The defaults of `compare_laws`."""
    return to_config_dict(Config(), "compare_laws")
