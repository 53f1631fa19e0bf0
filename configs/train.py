"""Train one decoder; the corpus is prepared first where it is not there yet.

python run.py --config=configs/train.py --workdir=runs/train [--config.architecture.d_model=128] [--config.n_tokens=...]

Cost: about two minutes on two cores. Expect a validation loss near 3.6 nats per token; the unigram entropy is 5.9.
Writes runs.csv (one row), metrics.jsonl, evaluation.json and checkpoints/; started again, it resumes.
"""

from ie_scaling.running.config import to_config_dict
from ie_scaling.train.config import TrainConfig


def get_config():
    return to_config_dict(TrainConfig(), "train")
