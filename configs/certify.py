"""Simulation-based calibration of a law on a table's own design, and coverage when rolled forward in size.

  python run.py --config=configs/certify.py                     300 tables like bian2025, law `effective`
  python run.py --config=configs/certify.py --config.law=chinchilla --workdir=runs/certify_chinchilla
  python run.py --config=configs/certify.py --config.prior_scale=1.5 --workdir=runs/planted      an error: must fail

Cost: some minutes on two CPU cores. Leaves certificate.json and figures/calibration.png; --strict exits 1 where a rank
histogram leaves its 99 % simultaneous band; where the 90 % intervals of the largest quarter of models cover less than
80 % or more than 97 % of its rows, and the predictive's own draws would less than once in twenty; or where the short
certificate fails (docs/bayes.md).
"""

from experiments.certify import Config
from ie_scaling.running.config import to_config_dict


def get_config():
    """The defaults of `certify`."""
    return to_config_dict(Config(), "certify")
