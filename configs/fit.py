"""Fit a loss law to a run table, by least squares and as a posterior.

  python run.py --config=configs/fit.py                                   76 public runs, law `effective`, both methods
  python run.py --config=configs/fit.py --config.law=aspect_ratio --config.where="fit_set.str.contains('fig7')" \
      --config.holdout=rest --workdir=runs/fig7
  python run.py --config=configs/fit.py --config.method=least_squares --config.n_bootstrap=1000 --workdir=runs/bootstrap
  python run.py --config=configs/fit.py --config.runs=mine.csv --config.law=chinchilla \
      --config.columns="{'n_params_total': 'N', 'n_tokens': '1e9 * D'}" --workdir=runs/mine    # other names

Cost: a minute or so on two CPU cores (seconds for least squares alone), of which half a minute is the certificate's
second fit, to the smaller models, once the posterior is saved (--config.skip_forward_coverage leaves it out).
Expect for the defaults: kappa about 0.008 and R_star about 90, so that shapes of 90 times as wide as deep lose least;
omega about 0.15, so that an embedding parameter counts for a seventh of another; and a passed convergence gate.
"""

from experiments.fit import Config
from ie_scaling.running.config import to_config_dict


def get_config():
    """The defaults of experiments/fit.py."""
    return to_config_dict(Config(), "fit")
