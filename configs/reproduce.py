"""Reach the published numbers again, each beside its tolerance, and draw figures like the papers'.

  python run.py --config=configs/reproduce.py                                     every row and figure
  python run.py --config=configs/reproduce.py --config.rows="('b24_fit',)" --workdir=runs/b24
  python run.py --config=configs/reproduce.py --config.figures="('isoloss',)" --workdir=runs/isoloss

Cost: a minute or so on two CPU cores. Leaves reproduction.csv, reproduction.md and figures/; with --strict a value
that is not reproduced makes it exit 1. Expect all to pass: B25 is arXiv 2501.18107, B24 2404.10102, G24 2403.08540,
B25b 2510.18245, Gemstones 2502.06857; `exploratory` rows are this project's own first fits
(docs/laws.md).
"""

from experiments.reproduce import Config
from ie_scaling.running.config import to_config_dict


def get_config():
    """The defaults of `reproduce`."""
    return to_config_dict(Config(), "reproduce")
