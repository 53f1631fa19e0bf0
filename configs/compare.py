"""Contest ways of predicting runs: posteriors, bootstraps, conformal curves, curve_fit, and orders that fit no law.

  python run.py --config=configs/compare.py                     four laws on the four public tables
  python run.py --config=configs/compare.py --config.tables="('my_runs.csv',)" --config.wheres="('',)" \
      --config.laws="('chinchilla', 'effective')" --workdir=runs/my_contest

Cost: about an hour on two CPU cores; interrupted, it goes on with the next split. Leaves contest.csv, differences.csv
(every posterior beside its rivals), contest.md (a paragraph made from the numbers, then the tables) and
figures/contest.png: log score, CRPS, interval score, coverage of 50 % and 90 % intervals, pairwise decisions with
their Brier score, and realized regret, on the largest quarter of the models, on the rows of most tokens, and on
models left out in three parts.
"""

from experiments.compare import Config
from ie_scaling.running.config import to_config_dict


def get_config():
    """The defaults of `compare`."""
    return to_config_dict(Config(), "compare")
