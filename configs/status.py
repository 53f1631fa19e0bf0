"""Where the runs of a sweep stand: done, running, failed, stopped or left, with step and loss.

python run.py --config=configs/status.py --config.sweep=runs/sweep

Cost: nothing; may be asked while the sweep is running. Writes nothing.
"""

from ie_scaling.running.config import to_config_dict
from ie_scaling.train.sweep_config import StatusConfig


def get_config():
    return to_config_dict(StatusConfig(), "status")
