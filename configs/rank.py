"""Which of these shapes, at this many tokens? Ranks, regret and their probabilities from one posterior.

  python run.py --config=configs/fit.py --workdir=runs/fit
  python run.py --config=configs/rank.py --config.fit=runs/fit --config.n_tokens=3e10 \
      --config.candidates="('d2048-n24-h16-k16-c128-f5632-v50432', 'd2560-n16-h16-k16-c160-f6912-v50432')"
  python run.py --config=configs/rank.py --config.fit=runs/fit --config.candidates="()" --config.grid.n_params=1.5e9

A candidate is a shape's name, a public model's, or the path of a Hugging Face config.json; grid.n_params adds every
shape of that size, compared at exactly that size. The defaults are the six shapes of arXiv 2501.18107 at 1.5B
parameters. Cost: seconds. Writes ranking.csv, rank.json and figures/ranks.png. A candidate far outside the fitted
sizes, or unlike the fitted runs in what the law does not see, is answered with a warning. What each column means, and
how ties are broken: docs/ranking.md.
"""

from experiments.rank import Config
from ie_scaling.running.config import to_config_dict


def get_config():
    """The defaults of `rank`."""
    return to_config_dict(Config(), "rank")
