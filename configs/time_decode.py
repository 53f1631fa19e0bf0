"""Time decoding of a list of architectures, side by side, with random weights.

python run.py --config=configs/time_decode.py --workdir=runs/time_decode [--config.workload=bian2025]
  [--config.batch="(1, 8)"] [--config.temperature=0.8] [--config.tensor=2]
  [--config.architectures="('llama-3.2-1b', 'd512-n8-h8-k2-c64-f1536-v50432', 'path/to/config.json')"]

Cost: about two minutes on two cores. Expect TPOT nearer the memory floor for wide, shallow shapes than for deep ones of
the same size. Writes latency.csv (a row for each shape and batch size), samples.jsonl (every raw sample) and
diagnostics.json (medians not known well enough, drift).
"""

from experiments.time_decode import Config
from ie_scaling.running.config import to_config_dict


def get_config():
    return to_config_dict(Config(), "time_decode")
