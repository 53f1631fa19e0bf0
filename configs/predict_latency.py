"""Predict TTFT, TPOT, E2E and tokens/s of architectures that were not timed, with 90 % intervals.

  python run.py --config=configs/fit_latency.py --workdir=runs/fit_latency
  python run.py --config=configs/predict_latency.py --config.fit=runs/fit_latency --config.batch=4 \
      --config.architectures="('smollm2-135m', 'd512-n8-h8-k2-c64-f1536-v50432', 'path/to/config.json')"

Cost: seconds. Writes predicted_latency.csv. A shape far outside the fitted range is answered, with a warning.
"""

from experiments.predict_latency import Config
from ie_scaling.running.config import to_config_dict


def get_config():
    """The defaults of `predict_latency`."""
    return to_config_dict(Config(), "predict_latency")
