"""Fit the latency law to latency tables: the cost of a step, a layer, a byte and a FLOP on each device, as a posterior.

  python run.py --config=configs/time_decode.py --workdir=runs/time_decode
  python run.py --config=configs/fit_latency.py --config.tables=runs/time_decode/latency.csv
  python run.py --config=configs/fit_latency.py --config.tables=a/latency.csv,b/latency.csv \
      --config.holdout="shape_index % 4 == 0" --workdir=runs/fit_latency_held
  ... --config.holdout="n_params_total > 5e7"      the largest, from the smaller
  ... --config.holdout="batch == 8"                a workload, from the others

Cost: a minute for 90 rows on two CPU cores, and eight times that for twice as many of the same device, for every step
of the sampler inverts the covariance of a device's rows; --dry_run says. Thin large tables by --config.where. Writes
latency_fit.json, predictions.csv, latency_posterior.nc, diagnostics.json and figures/. Several tables are several
sessions, in which a machine need not be equally fast.
"""

from experiments.fit_latency import Config
from ie_scaling.running.config import to_config_dict


def get_config():
    """The defaults of `fit_latency`."""
    return to_config_dict(Config(), "fit_latency")
