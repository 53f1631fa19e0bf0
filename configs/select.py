"""Which shape to train: loss from a fit, latency from a table or a law, least expected regret within the bound.

Shapes that were timed (the latency table of configs/time_decode.py):

  python run.py --config=configs/select.py --config.fit=runs/fit --config.latency=runs/time_decode/latency.csv \
    --config.n_tokens=3e10 --config.max_latency_s=0.5 --workdir=runs/select

Every shape of about 100M parameters, timed or not (the latency law of configs/fit_latency.py):

  python run.py --config=configs/select.py --config.fit=runs/fit --config.latency=runs/fit_latency \
    --config.grid.n_params=1e8 --config.n_tokens=3e9 --config.request.workload=bian2025 --config.max_latency_s=0.5 \
    --workdir=runs/select

The defaults read what `make quickstart` leaves. Cost: seconds. Writes candidates.csv and selection.json. Ranks and
regret are among the shapes that meet the bound with probability min_p_feasible, and blank for the others. Of shapes
tied for the least regret the fastest is recommended (docs/ranking.md).
"""

from experiments.select import Config
from ie_scaling.running.config import to_config_dict


def get_config():
    """The defaults of `select`."""
    return to_config_dict(Config(), "select")
