"""Train a list of decoders, "ARCHITECTURE@TOKENS[-sSEED]" each, into one run table runs.csv.

python run.py --config=configs/sweep.py --dry_run      # price it first
python run.py --config=configs/sweep.py

Cost: about two minutes on two cores for the four runs listed here; finished runs are never repeated.
"""

from ie_scaling.running.config import to_config_dict
from ie_scaling.train.sweep_config import SweepConfig

RUNS = (
    "d96-n4-h3-k3-c32-f256-v1024@250000",
    "d96-n4-h3-k3-c32-f256-v1024@500000",
    "d64-n9-h2-k2-c32-f192-v1024@250000",
    "d64-n9-h2-k2-c32-f192-v1024@500000",
)


def get_config():
    return to_config_dict(SweepConfig(runs=RUNS), "sweep")
