"""Where the runs of a sweep stand: done, running, failed, stopped or left, with step and loss.

python run.py --config=configs/status.py --config.sweep=runs/sweep

Cost: nothing; works while the sweep is running. Writes nothing.
"""

from experiments.status import Config
from ie_scaling.running.config import to_config_dict


def get_config():
    return to_config_dict(Config(), "status")
