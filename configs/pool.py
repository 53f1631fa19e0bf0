"""Fit one law to several families of runs at once: own E, A, B, exponents and noise, shape parameters partially pooled.

  python run.py --config=configs/pool.py                     bian2025 and gemstones, law `effective`
  python run.py --config=configs/pool.py --config.runs=mine.csv,data/bian2025.csv --workdir=runs/pooled
  python run.py --config=configs/rank.py --config.fit=runs/pool/bian2025_morph …      a family's own posterior

Cost: two minutes or so on two CPU cores. Leaves pool.json, FAMILY/posterior.nc and figures/families.png. A family of
few runs borrows from the others what an aspect ratio, or an embedding parameter, is worth; how much is inferred too.
"""

from experiments.pool import Config
from ie_scaling.running.config import to_config_dict


def get_config():
    """The defaults of experiments/pool.py."""
    return to_config_dict(Config(), "pool")
